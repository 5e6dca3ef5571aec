# Two commands are enough to begin with: `make demo` and `make test`. Each sets up what it needs.

.DEFAULT_GOAL := help
.PHONY: help setup demo test chaos sdks simulate lint types contracts bench clean

# More for pytest, such as: make test ARGS="tests/unit -k locks"
ARGS ?=

# How many simulated worlds, and the seed of the first one.
SEEDS ?= 2000
FROM ?= 1

help: ## Show this
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

setup: ## Make .venv with the locked versions, if it is not up to date
	@sh deploy/setup.sh

demo: setup ## Play a small shop in real time, and show what happens
	@.venv/bin/hairspring demo

test: setup ## Run the tests
	@.venv/bin/pytest -n 2 --dist loadfile --ignore tests/benchmarks $(ARGS)

chaos: setup ## Strike a busy shop with faults of all kinds for some minutes, and check the books
	@HAIRSPRING_CHAOS=full .venv/bin/pytest -s tests/chaos $(ARGS)

sdks: setup ## Send by the real SDKs of Segment and RudderStack, which it installs
	@HAIRSPRING_SDKS=1 .venv/bin/pytest tests/sdks $(ARGS)

simulate: setup ## Run simulated worlds: SEEDS=2000 of them, FROM=1 on; ARGS=--tell tells of one
	@.venv/bin/python -m tests.simulation --seeds $(SEEDS) --from $(FROM) $(ARGS)

lint: setup ## Look for mistakes in the code's form, and in the contracts'
	@.venv/bin/ruff check
	@.venv/bin/ruff format --check
	@if command -v npx >/dev/null 2>&1; then \
		cd protos && npx --yes @bufbuild/buf@1.75.0 lint && echo "buf lint: all is well"; \
	else \
		echo "buf lint: left out, there is no npx here (apt-get install npm)"; \
	fi

types: setup ## Check the types
	@.venv/bin/mypy

contracts: setup ## Generate the contracts' modules from protos/
	@.venv/bin/python protos/generate.py

bench: setup ## Measure the speed; ARGS="--help" says what can be chosen
	@.venv/bin/python -m tests.benchmarks $(ARGS)

clean: ## Remove everything that was made here
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

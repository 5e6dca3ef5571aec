"""Generates libs/hairspring/contracts from the protos; with --check only compares.

The files in the descriptor pool keep their names (hairspring/event/v1/event.proto), while the
Python modules live under `hairspring.contracts`, so the import roots are rewritten.
"""

import argparse
import filecmp
import importlib.util
import re
import shutil
import sys
import tempfile
from importlib import resources
from pathlib import Path

from grpc_tools import protoc

PROTOS = Path(__file__).resolve().parent
TARGET = PROTOS.parent / "libs" / "hairspring" / "contracts"
INIT = '"""Generated from protos/. Never edited by hand; see protos/generate.py."""\n'


def generate(target: Path) -> None:
    """Writes the generated modules and their type stubs into an empty directory."""
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch)
        arguments = [
            "protoc",
            f"-I{PROTOS}",
            f"-I{resources.files('grpc_tools') / '_proto'}",
            f"--python_out={out}",
            f"--grpc_python_out={out}",
            f"--mypy_out=quiet:{out}",
            f"--mypy_grpc_out=quiet:{out}",
            f"--plugin=protoc-gen-mypy={_plugin('protoc-gen-mypy')}",
            f"--plugin=protoc-gen-mypy_grpc={_plugin('protoc-gen-mypy_grpc')}",
            *sorted(str(path.relative_to(PROTOS)) for path in PROTOS.rglob("*.proto")),
        ]
        if protoc.main(arguments) != 0:
            sys.exit("The protos do not compile; see above.")
        shutil.copytree(out / "hairspring", target, dirs_exist_ok=True)
    for path in [*target.rglob("*.py"), *target.rglob("*.pyi")]:
        path.write_text(_rewrite(path.read_text()))
    for folder in [target, *(path for path in target.rglob("*") if path.is_dir())]:
        (folder / "__init__.py").write_text(INIT)


def _plugin(name: str) -> str:
    if importlib.util.find_spec("mypy_protobuf") is None:
        sys.exit("mypy-protobuf is not installed; run `make setup`.")
    return str(Path(sys.executable).parent / name)


def _rewrite(text: str) -> str:
    return re.sub(r"\bhairspring((?:\.\w+)*\.v\d+)\b(?!\.\w*/)", _module, text)


def _module(match: re.Match[str]) -> str:
    before = match.string[: match.start()].rsplit("\n", 1)[-1]
    is_import = before.startswith(("from ", "import ")) or re.search(r"[\[ (=:|]$", before)
    in_string = before.count("'") % 2 or before.count('"') % 2
    return f"hairspring.contracts{match[1]}" if is_import and not in_string else match[0]


def check(target: Path) -> list[str]:
    """Names the files that differ from what the protos give."""
    with tempfile.TemporaryDirectory() as scratch:
        fresh = Path(scratch)
        generate(fresh)
        wanted = {path.relative_to(fresh) for path in fresh.rglob("*.py*")}
        present = {
            path.relative_to(target)
            for path in target.rglob("*.py*")
            if "__pycache__" not in path.parts
        }
        stale = wanted ^ present
        stale |= {
            path
            for path in wanted & present
            if not filecmp.cmp(fresh / path, target / path, shallow=False)
        }
        return sorted(str(path) for path in stale)


def main() -> None:
    """Runs the script."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only compare, and exit 1 if stale")
    if parser.parse_args().check:
        if stale := check(TARGET):
            sys.exit("Stale contracts, run `make contracts`: " + ", ".join(stale))
        return
    shutil.rmtree(TARGET, ignore_errors=True)
    generate(TARGET)


if __name__ == "__main__":
    main()

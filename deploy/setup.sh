#!/bin/sh
# Makes .venv in the checkout: the locked versions of everything, and the checkout itself.
#
# Does nothing if the lock, pyproject.toml, this script and the checkout's place are as they were.
# uv is used if it is on the PATH and works, else the venv and pip of a Python 3.11 or later; PYTHON
# names one to prefer. Which package index is used, and through which proxy, is for their own settings.
set -eu

cd "$(dirname "$0")/.."
here=$(pwd -P)
lock=deploy/requirements.lock
stamp=.venv/hairspring-setup
log=.venv/setup.log

say() {
    printf 'setup: %s\n' "$*"
}

# fail WHAT [LINE]: say what is missing, and the line that mends it.
fail() {
    printf 'setup: %s\n' "$1" >&2
    shift
    for line in "$@"; do
        printf '           %s\n' "$line" >&2
    done
    exit 1
}

state() {
    printf '%s\n' "$here"
    cksum "$lock" pyproject.toml deploy/setup.sh
}

# as_root COMMAND: how this user would run it.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        printf '%s' "$*"
    else
        printf 'sudo %s' "$*"
    fi
}

suits() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

# Some systems package venv and ensurepip apart from Python.
makes_venvs() {
    "$1" -c 'import ensurepip, venv' >/dev/null 2>&1
}

# find_python TEST: the first Python that is recent enough and passes the test.
find_python() {
    for candidate in "${PYTHON:-}" python3.13 python3.12 python3.11 python3; do
        if [ -n "$candidate" ] && command -v "$candidate" >/dev/null 2>&1 &&
            suits "$candidate" && "$1" "$candidate"; then
            printf '%s' "$candidate"
            return 0
        fi
    done
    return 1
}

# quietly COMMAND...: run it, and show the end of what it said only if it fails.
quietly() {
    if "$@" >>"$log" 2>&1; then
        return 0
    fi
    tail -n 15 "$log" >&2
    fail "that did not work; all of it is in $here/$log." \
        "If it is the network: the packages come from the package index that pip is set to," \
        "so this machine needs a way there (HTTPS_PROXY, or PIP_INDEX_URL for a mirror)." \
        "Then run the same command again."
}

# with_uv: fails if uv does, so that pip can go on.
with_uv() {
    if ! suits .venv/bin/python; then
        python=$(find_python true) || python='>=3.11'
        say "making .venv with uv"
        rm -rf .venv
        uv venv --quiet --python "$python" .venv || return 1
    fi
    say "installing the locked packages with uv"
    uv pip sync --python .venv/bin/python --require-hashes "$lock" >>"$log" 2>&1 || return 1
    say "installing Hairspring from this checkout"
    uv pip install --python .venv/bin/python --no-deps --no-build-isolation -e . >>"$log" 2>&1
}

with_pip() {
    if ! suits .venv/bin/python; then
        if ! python=$(find_python makes_venvs); then
            python=$(find_python true) || fail "there is no Python 3.11 or later here." \
                "$(as_root apt-get install python3.11 python3.11-venv)" \
                "(on Debian 12 and later and Ubuntu 24.04 and later: python3 python3-venv)"
            version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
            fail "$python has no venv module." "$(as_root apt-get install "python$version-venv")"
        fi
        say "making .venv with $python"
        rm -rf .venv
        "$python" -m venv .venv || fail "$python could not make .venv; what it said is above."
    fi
    if ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
        # A .venv that uv has made comes without pip.
        quietly .venv/bin/python -m ensurepip
    fi
    say "installing the locked packages with pip (a minute or two)"
    quietly .venv/bin/python -m pip install --disable-pip-version-check --no-input --retries 2 \
        --no-deps --require-hashes --only-binary :all: -r "$lock"
    say "installing Hairspring from this checkout"
    quietly .venv/bin/python -m pip install --disable-pip-version-check --no-input \
        --no-deps --no-build-isolation -e .
}

if suits .venv/bin/python && [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$(state)" ]; then
    exit 0
fi
if [ "$(uname -s)" = Linux ] && [ "$(getconf GNU_LIBC_VERSION 2>/dev/null)" = "" ]; then
    fail "this system has no GNU C library, and the bundled servers need it." \
        "Use Debian, Ubuntu, Fedora or the like, or a container of one."
fi
if [ -e .venv ]; then
    { rm -f "$stamp" && printf '' >"$log"; } || fail "$here/.venv cannot be written by $(id -un)." "$(as_root rm -rf "$here/.venv")"
fi
if ! command -v uv >/dev/null 2>&1; then
    with_pip
elif ! with_uv; then
    say "uv did not manage it (see $log); going on with pip"
    with_pip
fi
state >"$stamp"
say "done"

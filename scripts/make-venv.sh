#!/bin/sh
# Make .venv with the locked dependencies and the project itself, editable.
set -eu

# Debian's own interpreter is the one that the package uses, and it is built for speed: one that was
# compiled without profile-guided optimization takes up to half as long again for the same tests.
usable() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }
python=${PYTHON:-/usr/bin/python3}
[ -n "${PYTHON:-}" ] || usable "$python" || python=python3
if ! usable "$python"; then
    echo "notify needs Python 3.11 or later; $python is $("$python" --version 2>&1)." >&2
    echo "Name another one:  make install PYTHON=/path/to/python3.11" >&2
    exit 1
fi
PYTHON="$python" scripts/require-debian.sh python3-venv

# A half-made environment, or one whose Python is gone, is made anew.
.venv/bin/python -m pip --version >/dev/null 2>&1 || "$python" -m venv --clear .venv
echo "Installing the locked dependencies into .venv (about a minute)" >&2
export PIP_DISABLE_PIP_VERSION_CHECK=1
.venv/bin/python -m pip install -qq --require-hashes -r requirements.lock
.venv/bin/python -m pip install -qq --no-deps --no-build-isolation -e .

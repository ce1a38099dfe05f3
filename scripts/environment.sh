#!/bin/sh
# Finds a Python 3.11 and lets it bring .venv up to date (scripts/environment.py). PYTHON=/path/to/python3.11 names one.
set -u
cd "$(dirname "$0")/.." || exit 1

# Prints the interpreter itself, not a shim that leads to it: a pyenv shim takes 0.1 s a call.
python_311() { "$1" -c 'import sys; print(sys.executable); sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; }

if [ -n "${PYTHON:-}" ]; then
    candidates=$PYTHON
else
    # A pyenv shim can be first on PATH and yet fail, so each candidate is tried, not only looked up.
    candidates="python3.11 python3 python /usr/bin/python3.11 /usr/local/bin/python3.11 /opt/homebrew/bin/python3.11"
    candidates="$candidates $(ls -d "${PYENV_ROOT:-${HOME:-/nonexistent}/.pyenv}"/versions/3.11*/bin/python3.11 2>/dev/null)"
fi
for python in $candidates; do
    if found=$(python_311 "$python"); then exec "$found" scripts/environment.py "$@"; fi
done
if [ -n "${PYTHON:-}" ]; then
    echo "make: expected PYTHON to be a Python 3.11. Received: '$PYTHON', which is not, or does not run. Unset it to search the usual places." >&2
else
    echo "make: expected Python 3.11, found none (tried: $candidates). Install it (apt install python3.11 python3.11-venv, brew install python@3.11, pyenv install 3.11, uv python install 3.11) or name it: make PYTHON=/path/to/python3.11" | tr '\n' ' ' >&2
    echo >&2
fi
exit 1

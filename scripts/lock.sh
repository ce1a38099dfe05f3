#!/bin/sh
# Resolves the lock files from the .in files: every package pinned and hashed, no index address. UPGRADE=1 takes newer versions;
# without it, what is locked stays where it still fits.
set -eu
cd "$(dirname "$0")/.."
uv=$(scripts/environment.sh --uv)
export UV_SYSTEM_CERTS="${UV_SYSTEM_CERTS:-1}"

compile() { # compile NAME OPTION...
    name=$1
    shift
    "$uv" pip compile --quiet --override requirements-override.in ${UPGRADE:+--upgrade} --python-version 3.11 --generate-hashes --no-header --no-annotate "$@" \
        "requirements-$name.in" --output-file "requirements-$name.lock"
}

compile uv
compile build
compile tfx-1.16 --python-platform x86_64-manylinux_2_31
compile tfx-1.21 --universal # x86_64 Linux and macOS arm64; what is for Windows or a newer Python is taken out again
lock=requirements-tfx-1.21.lock
awk "/^[a-z]/ { keep = !/ ; python_full_version >= '3.12'/ && !/ ; sys_platform == 'win32'/ } keep" $lock >$lock.new && mv $lock.new $lock
lock=requirements-cuda.lock # of TensorFlow's own requirements only those that the stack does not have: NVIDIA's
compile cuda --python-platform x86_64-manylinux_2_40 --constraint requirements-tfx-1.21.lock
awk '/^[a-z]/ { keep = /^nvidia-/ } keep' $lock >$lock.new && mv $lock.new $lock
if command -v npm >/dev/null; then # of npm's packages package.json pins the ones that are used, the lock what those need
    (
        cd trainer/export/javascript
        if [ -n "${UPGRADE:-}" ]; then rm -f package-lock.json; fi
        npm install --package-lock-only --omit-lockfile-registry-resolved --ignore-scripts --no-audit --no-fund --loglevel=error
    )
else
    echo "lock: no npm here, so trainer/export/javascript/package-lock.json stays as it is" >&2
fi
grep -c '^[a-z]' requirements-*.lock

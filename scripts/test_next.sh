#!/bin/bash
# Proves the TFX that this machine does not use, in a Debian root of its own: Debian 13 for TFX 1.21, Debian 12 for TFX 1.16.
#
#   root = debootstrap, once (.tools/roots/SUITE); Python 3.11 goes in, where Debian has none: this machine's, copied
#   the checkout is copied in, beside an empty home; of this machine it gets uv's cache, the certificates, the index settings
#   there: make test, make run (digits to pushed), tapeline doctor, the light client on Debian's own Python (3.13 on Debian 13);
#   with ARGS (pytest's) only make test
#
# Everything happens in namespaces of its own: mounts and processes end with this script, however it ends, and nothing outside sees the mounts.
# Exit status 77: skipped, there is no such root to be had here. TEST_NEXT_SUITE=trixie|bookworm and DEBIAN_MIRROR choose otherwise.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH=$PATH:/usr/sbin:/sbin # debootstrap and chroot
target="test-next"
. scripts/debian_root.sh

skip() {
    echo "test-next: skipped: $1"
    exit 77
}

enter_namespace() {
    [[ $(uname -s) == Linux ]] || skip "a Debian root needs Linux."
    [[ $(id -u) == 0 ]] || skip "a Debian root needs root. Next: sudo make test-next."
    command -v debootstrap >/dev/null || skip "debootstrap is missing. Next: apt-get install debootstrap."
    unshare --mount --pid --fork true 2>/dev/null || skip "mounting is not allowed here, as in most containers."
    IN_NAMESPACE=1 exec unshare --mount --propagation private --pid --fork --kill-child "$0" "$@"
}

copy_settings() { # copy_settings ROOT: name servers and certificates
    cp -L /etc/resolv.conf /etc/hosts "$1/etc/"
    local certificates=${SSL_CERT_FILE:-${PIP_CERT:-/etc/ssl/certs/ca-certificates.crt}}
    if [[ -f $certificates ]]; then cp -L "$certificates" "$1/etc/ssl/certs/ca-certificates.crt"; fi
}

pack_checkout() { # at once, before tests that run beside this write files: as a clone has it, but with what is not committed yet
    tar --exclude=./.git --exclude='./.venv*' --exclude=./.tools --exclude=./runs --exclude=__pycache__ --exclude='./.*_cache' \
        -cf .tools/checkout.tar .
}

unpack_checkout() { # unpack_checkout ROOT
    rm -rf --one-file-system "$1/srv/tapeline" "$1/home/newcomer"
    mkdir -p "$1/srv/tapeline" "$1/home/newcomer"
    tar -C "$1/srv/tapeline" -x --no-same-owner -f .tools/checkout.tar
    rm .tools/checkout.tar
}

mount_all() { # mount_all ROOT UV_CACHE
    mount -t proc proc "$1/proc"
    mount --rbind /dev "$1/dev"
    mount --rbind /sys "$1/sys"
    mkdir -p "$1/var/cache/uv" "$2"
    mount --bind "$2" "$1/var/cache/uv"
}

keep_index_settings() { # drops every variable but these; an index in pip's own config file becomes a variable
    local python=$1 index
    index=${PIP_INDEX_URL:-$("$python" -m pip config get global.index-url 2>/dev/null || true)}
    if [[ -n $index ]]; then export PIP_INDEX_URL=$index; fi
    for name in $(compgen -e); do
        case $name in
            PIP_INDEX_URL | PIP_TRUSTED_HOST | UV_DEFAULT_INDEX | UV_INDEX_URL | UV_INDEX | UV_EXTRA_INDEX_URL) ;;
            http_proxy | https_proxy | no_proxy | HTTP_PROXY | HTTPS_PROXY | NO_PROXY | ALL_PROXY | all_proxy | TERM | ARGS) ;;
            *) unset "$name" 2>/dev/null || true ;;
        esac
    done
    export HOME=/home/newcomer PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 UV_CACHE_DIR=/var/cache/uv
}

[[ -n ${IN_NAMESPACE:-} ]] || enter_namespace "$@"
python=$(scripts/environment.sh --python)
tfx=$("$python" -c 'from pipeline.tfx_platform import choose; print(choose({}).tfx)')
suite=${TEST_NEXT_SUITE:-$([[ $tfx == 1.16 ]] && echo trixie || echo bookworm)}
root=$PWD/.tools/roots/$suite
mkdir -p .tools/roots
exec 9>.tools/roots/lock
flock 9 # two calls would copy over one another

pack_checkout
make_root "$root" "$suite"
if [[ $suite != bookworm ]]; then copy_python "$root" "$python"; fi # Debian 12 has a Python 3.11
copy_settings "$root"
unpack_checkout "$root"
mount_all "$root" "${UV_CACHE_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/uv}"
keep_index_settings "$python"
timeout --foreground 65m chroot "$root" /bin/sh -euc '
    cd /srv/tapeline
    echo "test-next: $(. /etc/os-release; echo "$PRETTY_NAME"), $(ldd --version | head -n 1)"
    if [ -n "${ARGS:-}" ]; then make test; exit 0; fi
    make test ARGS=--ignore=tests/pipeline/damaged # which read files, whatever the TFX
    make run
    .venv/bin/tapeline doctor
    PIP_CERT=/etc/ssl/certs/ca-certificates.crt scripts/test_client.sh /usr/bin/python3 runs/digits/serving/digits'
echo "test-next: passed"

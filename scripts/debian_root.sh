# A Debian root with this machine's Python 3.11 in it. Sourced, by scripts that say their make target in $target and define skip().
# shellcheck shell=bash disable=SC2154

make_root() { # make_root ROOT SUITE: once; python3 is for the libraries that every Python needs, and for Debian 12's own Python 3.11
    [[ -d $1 ]] && return
    local log=.tools/debootstrap.log new=$1.new
    rm -rf --one-file-system "$new"
    mkdir -p "$new"
    echo "$target: making a Debian root, $2, in $1"
    if ! debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates,make "$2" "$new" ${DEBIAN_MIRROR:+"$DEBIAN_MIRROR"} >"$log" 2>&1; then
        tail -n 3 "$log"
        skip "debootstrap failed, see $log."
    fi
    mv "$new" "$1"
}

copy_python() { # copy_python ROOT PYTHON: this machine's Python 3.11, be it pyenv's or Debian's, below /usr/local
    local python=$2 base stdlib libdir local=$1/usr/local
    read -r base stdlib libdir < <("$python" -c 'import sys, sysconfig as s; print(sys.base_prefix, s.get_path("stdlib"), s.get_config_var("LIBDIR"))')
    install -D "$(readlink -f "$base/bin/python3.11")" "$local/bin/python3.11"
    rm -rf --one-file-system "$local/lib/python3.11"
    mkdir -p "$local/lib/python3.11"
    tar -C "$stdlib" --exclude=./site-packages --exclude=./test --exclude=__pycache__ -c . | tar -C "$local/lib/python3.11" -x
    mkdir -p "$local/lib/python3.11/site-packages"
    find "$base/lib" "$libdir" -maxdepth 2 -name 'libpython3.11.so*' -exec cp -a {} "$local/lib/" \;
    if [[ -d $base/share/python-wheels ]]; then # where Debian keeps ensurepip's pip
        mkdir -p "$1/usr/share/python-wheels"
        cp -a "$base"/share/python-wheels/* "$1/usr/share/python-wheels/"
    fi
    chroot "$1" ldconfig
    chroot "$1" /usr/local/bin/python3.11 -c 'import bz2, ctypes, ensurepip, hashlib, lzma, sqlite3, ssl, uuid, venv, zlib'
}

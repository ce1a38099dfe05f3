#!/bin/bash
# Builds the image and uses it as Kubernetes does: nobody's user, read-only, no network, no capabilities.
#
#   engine: the one that answers; else, as root and with TAPELINE_START_DOCKERD=1, one of our own, ended with this script
#   base:   pulled; where that cannot be, a stand-in: Debian 13 with this machine's Python 3.11
#   build -> help and doctor -> locked versions -> user, root file system, secrets -> digits, raw files to pushed -> Kubeflow's emulator
#
# Skipped, exit status 0 and the reason, where no engine answers. VARIANT=gpu tests that one. An engine of our own keeps its images in
# .tools/docker, so that the next test starts from them; `make clean` removes them.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH=$PATH:/usr/sbin:/sbin # dockerd, debootstrap and chroot
target="image-test"
. scripts/debian_root.sh
VARIANT=${VARIANT:-cpu}
image=tapeline:test-$VARIANT
official=$(sed -n 's/^ARG BASE=//p' k8s/image/Dockerfile)
standin=tapeline-stand-in:python-3.11-trixie
export DOCKER_BUILDKIT=${DOCKER_BUILDKIT:-0} # the builder that every engine has

skip() {
    echo "image-test: skipped: $1"
    exit 0
}

fail() {
    echo "image-test: FAILED: $1" >&2
    exit 1
}

clean_up() {
    if [[ -n ${dockerd:-} ]]; then
        kill "$dockerd" 2>/dev/null || true
        wait "$dockerd" 2>/dev/null || true
        umount "$work"/exec/netns/* 2>/dev/null || true # of containers on the host's network; the engine leaves it
    fi
    rm -rf --one-file-system "$work"
}

# --- the engine

find_engine() {
    command -v docker >/dev/null || skip "Docker is missing. Next: apt-get install docker.io."
    if engine_answers; then return; fi
    [[ ${TAPELINE_START_DOCKERD:-} == 1 ]] ||
        skip "no Docker engine answers. Next: start it, or as root, with docker.io installed: TAPELINE_START_DOCKERD=1 make image-test."
    start_engine
}

engine_answers() { docker version --format '{{.Server.Version}}' >/dev/null 2>&1; }

start_engine() { # without bridge and firewall rules: builds use the host's network, containers none
    [[ $(id -u) == 0 ]] || skip "starting an engine needs root."
    command -v dockerd >/dev/null || skip "dockerd is missing. Next: apt-get install docker.io."
    export DOCKER_HOST=unix://$work/docker.sock
    mkdir -p .tools/docker
    exec 9>.tools/docker.lock
    flock 9 # two engines would spoil one another's files
    dockerd --host "$DOCKER_HOST" --data-root "$PWD/.tools/docker" --exec-root "$work/exec" --pidfile "$work/dockerd.pid" \
        --bridge=none --iptables=false --ip6tables=false >"$work/dockerd.log" 2>&1 9>&- &
    dockerd=$!
    for _ in {1..60}; do
        if engine_answers; then return; fi
        kill -0 "$dockerd" 2>/dev/null || break
        sleep 0.5
    done
    tail -n 5 "$work/dockerd.log"
    skip "dockerd does not start here, see above."
}

# --- the base image

find_base() {
    if docker image inspect "$official" >/dev/null 2>&1 || timeout 120 docker pull --quiet "$official" >/dev/null 2>&1; then
        BASE=$official
    else
        echo "image-test: $official cannot be pulled; a stand-in takes its place"
        BASE=$standin
        docker image inspect "$BASE" >/dev/null 2>&1 || import_standin
    fi
    # The builder sees this machine's certificates, the image does not.
    local certificates=${SSL_CERT_FILE:-${PIP_CERT:-/etc/ssl/certs/ca-certificates.crt}}
    BUILDER=$BASE
    if [[ -f $certificates ]]; then
        BUILDER=tapeline-builder:test
        mkdir "$work/builder"
        cp -L "$certificates" "$work/builder/ca-certificates.crt"
        printf '%s\n' "FROM $BASE" "COPY ca-certificates.crt /etc/ssl/certs/ca-certificates.crt" \
            "ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt" >"$work/builder/Dockerfile"
        docker build --quiet --tag "$BUILDER" "$work/builder" >/dev/null 2>"$work/log" || fail "$(cat "$work/log")"
    fi
    export BASE BUILDER
}

import_standin() {
    local root=$PWD/.tools/roots/image python
    [[ $(uname -s) == Linux && $(id -u) == 0 ]] || skip "$official cannot be pulled, and a stand-in needs Linux and root."
    command -v debootstrap >/dev/null || skip "$official cannot be pulled, and debootstrap is missing. Next: apt-get install debootstrap."
    python=$(scripts/environment.sh --python)
    mkdir -p .tools/roots
    make_root "$root" trixie
    copy_python "$root" "$python"
    ln -sf python3.11 "$root/usr/local/bin/python3"
    ln -sf python3.11 "$root/usr/local/bin/python"
    # No name servers, package lists or mirror of this machine, and no devices: the engine brings its own.
    tar -C "$root" --one-file-system --exclude='./dev/*' --exclude='./proc/*' --exclude='./sys/*' --exclude='./var/cache/apt/*' --exclude='./var/lib/apt/lists/*' \
        --exclude='./var/log/*' --exclude=./etc/apt/sources.list --exclude=./etc/hosts --exclude=./etc/resolv.conf --exclude=./etc/hostname -c . |
        docker import --change 'ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin' --change 'CMD ["python3"]' - "$BASE" >/dev/null
    rm -rf --one-file-system "$root"
}

# --- what must hold

inside() { # inside DOCKER_OPTION... ARGUMENT...: as strict as a pod can be
    docker run --rm --read-only --tmpfs /tmp --network none --cap-drop ALL --security-opt no-new-privileges "$@"
}

holds() { # holds SENTENCE COMMAND...
    local sentence=$1
    shift
    "$@" >"$work/log" 2>&1 || { tail -n 30 "$work/log" && fail "$sentence"; }
    echo "image-test: $sentence"
}

says() { # says PATTERN COMMAND...: it succeeds, and what it prints matches
    local pattern=$1
    shift
    "$@" >"$work/said" 2>&1 || { cat "$work/said" && return 1; }
    cat "$work/said"
    grep -qE "$pattern" "$work/said"
}

is_as_locked() {
    inside --interactive --entrypoint python "$image" -c '
import importlib.metadata, sys
from pipeline.doctor import check_packages
finding = check_packages(sys.stdin.read(), {d.name.lower().replace("_", "-").replace(".", "-"): d.version for d in importlib.metadata.distributions()})
print(finding.text); sys.exit(finding.state != "ok")' <requirements-tfx-1.21.lock
}

cannot_write() { # not even where the root file system is writable: nothing of the image is the user's
    ! inside --entrypoint touch "$image" /opt/tapeline/x || return 1
    docker run --rm --network none --entrypoint sh "$image" -c 'found=$(find /etc /home /opt /usr -writable -not -type l); echo "$found"; [ -z "$found" ]'
}

tells_nothing() { # neither its history nor its files name an index, this machine's folder or a secret
    local secrets=("$PWD") name
    for name in PIP_INDEX_URL PIP_EXTRA_INDEX_URL UV_DEFAULT_INDEX UV_INDEX_URL http_proxy https_proxy; do
        if [[ -n ${!name:-} ]]; then secrets+=("${!name}"); fi
    done
    { docker history --no-trunc "$image" && docker image inspect --format '{{json .Config}}' "$image"; } >"$work/history"
    printf '%s\n' "${secrets[@]}" >"$work/secrets"
    ! grep -F -f "$work/secrets" "$work/history" || return 1
    ! grep -iE '(password|token|secret|_index_url|_default_index)=|index-url|find-links' "$work/history" || return 1
    # As root, to see everything; --text: byte code holds paths too.
    docker run --rm --interactive --read-only --network none --user 0:0 --entrypoint sh "$image" -c '
        cat >/dev/shm/secrets
        found=$(find / -xdev \( -name pip.conf -o -name uv.toml -o -name .netrc -o -name .pypirc -o -name .git-credentials -o -name ".*_history" -o -name "id_*sa" \
                    -o -name .git -o -name .venv \) -not -path "/proc/*"
                grep -rlF --text -f /dev/shm/secrets /etc /root /home /opt/tapeline/configs \
                    /opt/tapeline/venv/pyvenv.cfg /opt/tapeline/venv/bin /opt/tapeline/venv/lib/python3.11/site-packages/tapeline-* \
                    /opt/tapeline/venv/lib/python3.11/site-packages/pipeline 2>/dev/null)
        echo "$found"; [ -z "$found" ]' <"$work/secrets"
}

runs_digits() {
    inside --entrypoint sh "$image" -euc '
        tapeline run configs/digits.yaml --root /tmp/run --json | tail -n 1
        find /tmp/run -name BLESSED | grep . && ls /tmp/run/serving/digits/*/saved_model.pb' >"$work/said" 2>"$work/progress" ||
        { cat "$work/progress" "$work/said" && return 1; }
    grep -q '"outcome": "pushed"' "$work/said"
}

runs_under_kubeflows_rules() {
    scripts/environment.sh &&
        .venv/bin/tapeline compile configs/digits.yaml --target kubeflow -o "$work/pipeline.yaml" &&
        .venv/bin/tapeline kubeflow emulate "$work/pipeline.yaml" --image "$image" --root "$work/emulated"
}

has_emulator() { [[ -x .venv/bin/tapeline ]] && .venv/bin/tapeline kubeflow emulate --help >/dev/null 2>&1; }

work=$(mktemp -d)
trap clean_up EXIT
find_engine
find_base
VARIANT=$VARIANT TAG=$image scripts/build_image.sh --network host >"$work/build.log" 2>&1 || { tail -n 40 "$work/build.log" && fail "the image builds."; }
tail -n 1 "$work/build.log"
docker history --format '{{.Size}}	{{.CreatedBy}}' "$image" | awk -F'\t' '$1 != "0B" { print "    " $1 "\t" substr($2, 1, 100) }'

holds "without arguments it tells its commands" says '^ +run +run a pipeline' inside "$image"
holds "tapeline doctor finds it fit" inside "$image" doctor
holds "its packages are the lock file's" is_as_locked
holds "it is the user 10001, by number and by name" says '^uid=10001\(tapeline\) gid=10001\(tapeline\)' inside --entrypoint id "$image"
holds "it can write nothing but /tmp" cannot_write
holds "it tells no index, secret or folder of the machine that built it" tells_nothing
holds "it takes digits from raw files to a blessed and pushed model" runs_digits

# The last step: the whole pipeline, each step in a container of this image, as Kubeflow Pipelines runs it.
if has_emulator; then
    chmod 755 "$work" # mktemp's folder is its owner's alone, and the image's user must pass through it
    holds "it takes digits to a pushed model under Kubeflow's rules" runs_under_kubeflows_rules
else
    echo "image-test: no \`tapeline kubeflow emulate\` here yet: the run under Kubeflow's rules is left out"
fi
echo "image-test: passed"

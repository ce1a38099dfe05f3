#!/bin/bash
# Builds the pipeline's image from k8s/image/Dockerfile, with this machine's package index but nothing of it in the image.
#
#   VARIANT=cpu|gpu   gpu adds CUDA's libraries
#   TAG=NAME:TAG      default tapeline:VERSION, tapeline:VERSION-gpu
#   SBOM=FILE         writes a bill of materials too: syft's of the whole image, SPDX; without syft that of the Python packages, CycloneDX
#   BASE, BUILDER     other base images: see the Dockerfile
#   REVISION, SOURCE  for the labels; default: what git says
# Arguments go on to `docker build`.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() {
    echo "image: $1" >&2
    exit 1
}

check_arguments() {
    [[ $VARIANT == cpu || $VARIANT == gpu ]] || fail "Expected VARIANT to be cpu or gpu. Received: '$VARIANT'."
    [[ $TAG =~ :[A-Za-z0-9_][A-Za-z0-9_.-]*$ && $TAG != *:latest ]] ||
        fail "Expected TAG as NAME:TAG, and not latest, which says nothing of what is in it. Received: '$TAG'."
    command -v docker >/dev/null || fail "Expected Docker, found none. Install it (apt install docker.io), then make image again."
    docker version --format '{{.Server.Version}}' >/dev/null 2>&1 ||
        fail "Expected a Docker engine, and none answers. Start it, or name it with DOCKER_HOST, or add yourself to the group docker."
}

export_index() { # pip's settings as variables, for uv too, and no more of the environment than these goes into the build
    local index
    index=${PIP_INDEX_URL:-$(python3 -m pip config get global.index-url 2>/dev/null || true)}
    if [[ -n $index ]]; then export PIP_INDEX_URL=$index UV_DEFAULT_INDEX=${UV_DEFAULT_INDEX:-${UV_INDEX_URL:-$index}}; fi
}

revision() {
    git rev-parse HEAD 2>/dev/null || { echo unknown && return; }
    [[ -z $(git status --porcelain 2>/dev/null) ]] || echo -dirty
}

source_address() { # of a public form only: no path of this machine, no user or token before the host
    git remote get-url origin 2>/dev/null | sed -nE 's#^https://([^@/]*@)?#https://#p' || true
}

write_sbom() {
    if command -v syft >/dev/null; then
        syft scan "docker:$TAG" --output "spdx-json=$SBOM"
    else
        local locks=(requirements-tfx-1.21.lock) uv
        if [[ $VARIANT == gpu ]]; then locks+=(requirements-cuda.lock); fi
        uv=$(scripts/environment.sh --uv)
        cat "${locks[@]}" | "$uv" tool run --quiet --from cyclonedx-bom==7.5.0 cyclonedx-py requirements --output-file "$SBOM" -
        echo "image: no syft here, so $SBOM lists the locked Python packages, not the base's Debian packages"
    fi
}

VARIANT=${VARIANT:-cpu}
version=$(sed -nE 's/^ *version="([^"]+)".*/\1/p' setup.py)
if [[ $VARIANT == gpu ]]; then suffix=-gpu; else suffix=; fi
TAG=${TAG:-tapeline:$version$suffix}
check_arguments
export_index

arguments=(--build-arg "VARIANT=$VARIANT" --build-arg "VERSION=$version")
arguments+=(--build-arg "REVISION=${REVISION:-$(revision | tr -d '\n')}" --build-arg "SOURCE=${SOURCE:-$(source_address)}")
for name in BASE BUILDER PIP_INDEX_URL PIP_TRUSTED_HOST UV_DEFAULT_INDEX UV_INSECURE_HOST HTTP_PROXY HTTPS_PROXY NO_PROXY http_proxy https_proxy no_proxy; do
    if [[ -n ${!name:-} ]]; then
        export "${name?}"
        arguments+=(--build-arg "$name") # without its value, which may hold a password: docker takes it from the environment
    fi
done
# Since Docker 23 the client needs buildx for BuildKit, and fails where it is not installed.
docker buildx version >/dev/null 2>&1 || export DOCKER_BUILDKIT=0
docker build --file k8s/image/Dockerfile --tag "$TAG" "${arguments[@]}" "$@" .
if [[ -n ${SBOM:-} ]]; then write_sbom; fi
echo "image: $TAG, $(($(docker image inspect --format '{{.Size}}' "$TAG") / 1000000)) MB. Next: docker run --rm $TAG"

"""The image: what its Dockerfile, .dockerignore, CUDA lock and Cloud Build file promise. `make image-test` builds it and runs it."""

import fnmatch
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

CHECKOUT = Path(__file__).resolve().parents[2]
IMAGE = CHECKOUT / "k8s" / "image"
SCRIPT = CHECKOUT / "scripts" / "build_image.sh"
DOCKERFILE = (IMAGE / "Dockerfile").read_text()
BUILT_IN = {"PROJECT_ID", "COMMIT_SHA"}
# https://cloud.google.com/build/docs/build-config-file-schema, as far as we use it
BUILD_KEYS = {"steps", "timeout", "substitutions", "options", "images"}
STEP_KEYS = {"id", "name", "entrypoint", "args", "env", "waitFor"}
OPTION_KEYS = {"dynamicSubstitutions", "machineType", "diskSizeGb", "logging", "requestedVerifyOption"}


def instructions():
    """The Dockerfile's instructions as (word, rest), comments gone and continued lines joined."""
    lines = "\n".join(line for line in DOCKERFILE.splitlines() if not line.startswith("#")).replace("\\\n", " ")
    return [(line.split(None, 1)[0], line.split(None, 1)[1]) for line in lines.splitlines() if line.strip()]


def last_stage():
    found = instructions()
    return found[max(i for i, (word, _) in enumerate(found) if word == "FROM") :]


def values(word, stage=None):
    return [rest for found, rest in stage or instructions() if found == word]


def copied_from_the_checkout():
    copies = [shlex.split(rest) for rest in values("COPY") if not rest.startswith("--from")]
    return [source for words in copies for source in words[:-1]]


# --- the Dockerfile


def test_hadolint_finds_nothing():
    hadolint = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or shutil.which("hadolint")
    if not hadolint:
        pytest.skip("hadolint is not installed")
    found = subprocess.run([hadolint, IMAGE / "Dockerfile"], capture_output=True, text=True)
    assert found.returncode == 0, found.stdout + found.stderr


def test_it_is_debian_13_with_python_311_and_no_tag_is_latest():
    assert re.search(r"^ARG BASE=python:3\.11-slim-trixie@sha256:[0-9a-f]{64}$", DOCKERFILE, re.MULTILINE), "a tag alone moves"
    assert values("FROM")[-1] == "${BASE}"
    named = {rest.split(" AS ")[0] for rest in values("FROM")}
    stages = {rest.split(" AS ")[1] for rest in values("FROM") if " AS " in rest}
    assert named - stages == {"${BUILDER}", "${BASE}"}
    for text in (DOCKERFILE, (IMAGE / "cloudbuild.yaml").read_text()):
        assert ":latest" not in text


def test_it_runs_as_a_number_that_is_not_root_and_keeps_to_tmp():
    assert values("USER", last_stage()) == ["10001:10001"]
    assert re.search(r"useradd --uid 10001 --gid 10001 .*--home-dir /tmp", "\n".join(values("RUN", last_stage())))
    environ = dict(re.findall(r"(\w+)=(\S+)", " ".join(values("ENV", last_stage()))))
    assert environ["HOME"] == "/tmp"  # noqa: S108 - the image's, not this machine's
    assert environ["TF_USE_LEGACY_KERAS"] == "0"
    assert environ["PYTHONDONTWRITEBYTECODE"] == environ["PYTHONUNBUFFERED"] == "1"


def test_it_is_a_job_that_helps_a_person():
    words = {word for word, _ in instructions()}
    assert not words & {"HEALTHCHECK", "EXPOSE", "VOLUME", "ADD", "ONBUILD"}
    assert values("ENTRYPOINT") == ['["tapeline"]']
    assert values("CMD") == ['["--help"]']


def test_everything_that_is_installed_is_pinned_and_hashed_but_the_project_itself():
    installs = re.findall(r"(?:pip install|pip sync)(?:(?!&&|;;).)*", "\n".join(values("RUN")))
    assert len(installs) == 4
    for install in installs:
        assert "--require-hashes" in install or install.rstrip().endswith("/layers/project/venv ."), install
    assert not re.search(r"apt-get|curl|wget|git clone", "\n".join(values("RUN")))


def test_the_package_index_ends_with_the_first_stage():
    index = {"PIP_INDEX_URL", "PIP_TRUSTED_HOST", "UV_DEFAULT_INDEX", "UV_INSECURE_HOST"}
    assert index <= set(values("ARG"))
    assert not index & set(values("ARG", last_stage()))
    assert "://" not in "\n".join(f"{word} {rest}" for word, rest in instructions())


def test_it_carries_the_labels_of_the_open_container_initiative():
    labels = set(re.findall(r"org\.opencontainers\.image\.(\w+)=", "".join(values("LABEL", last_stage()))))
    assert labels == {"title", "description", "licenses", "version", "revision", "source"}
    description = re.search(r'description="([^"]+)"', (CHECKOUT / "setup.py").read_text())
    assert f'image.description="{description[1]}"' in DOCKERFILE


def test_it_has_every_package_of_setup_py_and_nothing_that_is_not_there():
    packages = set(re.findall(r'^        "(\w+)(?:\.\w+)*",$', (CHECKOUT / "setup.py").read_text(), re.MULTILINE))
    assert packages >= {"pipeline", "trainer"}
    assert packages <= set(copied_from_the_checkout())
    assert [source for source in copied_from_the_checkout() if not (CHECKOUT / source).exists()] == []


# --- what Docker is sent


def test_dockerignore_lets_in_what_the_dockerfile_copies_and_nothing_else():
    patterns = [line for line in (CHECKOUT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert patterns[0] == "*"
    assert {pattern[1:] for pattern in patterns if pattern.startswith("!")} == set(copied_from_the_checkout())


@pytest.mark.parametrize(
    "path", [".git", ".venv", ".venv-1.16", ".tools", "runs", "tests", "benchmarks", "configs/.env", "trainer/__pycache__"]
)
def test_dockerignore_keeps_out(path):
    assert is_ignored(path)


def is_ignored(path):
    """Docker's rule: the last pattern wins that matches the path or a folder that it is in."""
    parts = Path(path).parts
    folders = ["/".join(parts[: i + 1]) for i in range(len(parts))]
    ignored = False
    for line in (CHECKOUT / ".dockerignore").read_text().splitlines():
        pattern = line.removeprefix("!")
        matches = [
            fnmatch.fnmatchcase(f"/{folder}" if pattern.startswith("**/") else folder, pattern.replace("**/", "*/")) for folder in folders
        ]
        if line and not line.startswith("#") and any(matches):
            ignored = not line.startswith("!")
    return ignored


# --- CUDA


def test_the_cuda_lock_belongs_to_the_locked_tensorflow_and_adds_only_nvidias_libraries():
    stack = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", (CHECKOUT / "requirements-tfx-1.21.lock").read_text(), re.MULTILINE))
    assert f"tensorflow[and-cuda]=={stack['tensorflow']}" in (CHECKOUT / "requirements-cuda.in").read_text()
    cuda = re.findall(r"^([a-z0-9-]+)==", (CHECKOUT / "requirements-cuda.lock").read_text(), re.MULTILINE)
    assert len(cuda) > 5
    assert all(name.startswith("nvidia-") and name not in stack for name in cuda)


# --- make image, Cloud Build


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"VARIANT": "tpu"}, "Expected VARIANT to be cpu or gpu. Received: 'tpu'."),
        (
            {"TAG": "registry/tapeline"},
            "Expected TAG as NAME:TAG, and not latest, which says nothing of what is in it. Received: 'registry/tapeline'.",
        ),
        ({"TAG": "tapeline:latest"}, "Received: 'tapeline:latest'."),
        ({"TAG": "registry:5000/tapeline:"}, "Received: 'registry:5000/tapeline:'."),
        ({"TAG": "registry:5000/tapeline"}, "Received: 'registry:5000/tapeline'."),
        ({}, "Expected Docker, found none. Install it (apt install docker.io), then make image again."),
    ],
    ids=str,
)
def test_make_image_says_in_one_line_what_is_missing(variables, said, tmp_path):
    for tool in ("bash", "dirname", "sed"):
        (tmp_path / tool).symlink_to(shutil.which(tool))
    ran = subprocess.run([SCRIPT], env={"PATH": str(tmp_path), **variables}, capture_output=True, text=True)
    assert ran.returncode == 1
    assert ran.stderr.startswith("image: ")
    assert ran.stderr.endswith(f"{said}\n")
    assert ran.stderr.count("\n") == 1


@pytest.fixture(scope="module")
def build():
    return yaml.safe_load((IMAGE / "cloudbuild.yaml").read_text())


def test_cloud_build_knows_every_key(build):
    assert set(build) == BUILD_KEYS
    assert set(build["options"]) <= OPTION_KEYS
    for step in build["steps"]:
        assert set(step) <= STEP_KEYS
        assert re.fullmatch(r"gcr\.io/[\w./-]+:\d+\.\d+\.\d+(-slim)?", step["name"]), "a builder's version is pinned"
    assert len({step["id"] for step in build["steps"]}) == len(build["steps"])
    assert re.fullmatch(r"\d+s", build["timeout"])


def test_cloud_build_uses_every_substitution_and_no_other(build):
    text = (IMAGE / "cloudbuild.yaml").read_text()
    used = set(re.findall(r"(?<!\$)\$\{(\w+)\}", "\n".join(line for line in text.splitlines() if not line.startswith("#"))))
    assert used - BUILT_IN == set(build["substitutions"])
    assert not re.search(r"(?<!\$)\$(?![${])", str(build)), "a shell's own variable is $$name"


def test_cloud_build_pushes_both_variants_under_the_commits_name_after_they_were_tried(build):
    steps = {step["id"]: step for step in build["steps"]}
    assert list(steps) == ["build-cpu", "build-gpu", "try", "push-cpu", "push-gpu", "scan", "sbom"]
    for variant, image in zip(("cpu", "gpu"), build["images"], strict=True):
        assert image == "${_IMAGE}:${COMMIT_SHA}" + ("-gpu" if variant == "gpu" else "")
        assert {f"VARIANT={variant}", f"TAG={image}"} <= set(steps[f"build-{variant}"]["env"])
        assert steps[f"push-{variant}"]["args"] == ["push", image]
    assert build["substitutions"]["_SBOM"] == build["substitutions"]["_SCAN"] == "no"


@pytest.mark.parametrize("step", ["scan", "sbom"])
def test_the_shell_of_a_cloud_build_step_can_be_parsed(build, step):
    script = next(found for found in build["steps"] if found["id"] == step)["args"][1]
    script = re.sub(r"(?<!\$)\$\{\w+\}", "x", script).replace("$$", "$")
    assert subprocess.run(["bash", "-n", "-c", script], capture_output=True, text=True).stderr == ""

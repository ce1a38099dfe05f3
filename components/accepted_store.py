"""The statistics of the data that was accepted last, in a folder that many machines share: on Kubeflow, below the pipeline root.

PLACE/last.json -> which data it was -> PLACE/DIGEST/Split-train/FeatureStats.pb

Statistics have their content's name and are written first; the pointer to them is replaced as a whole. So of two runs at once one is the
last, a retried step writes the same again, and a run that is killed in between has accepted nothing. Nothing is removed: another run may be
about to read it.
"""

import uuid

from tfx import types
from tfx.dsl.io import fileio

from components.accepted_pointer import FILE, STATISTICS, Pointer

FINGERPRINT = "data_fingerprint"  # custom property of what the data gate has written, for `accept`


def folder(place: str, fingerprint: str) -> str:
    """The folder of the statistics that data of that fingerprint is compared with; empty where there are none."""
    pointer = _pointer(place)
    name = pointer.compared_with(fingerprint) if pointer else None
    return f"{place}/{name}" if name and fileio.exists(f"{place}/{name}/{STATISTICS}") else ""


def accept(place: str, found: types.Artifact) -> None:
    """Accepts the data that the data gate has let pass, with the statistics that it wrote into `found`."""
    with fileio.open(f"{found.uri}/{STATISTICS}", "rb") as file:
        remember(place, found.get_string_custom_property(FINGERPRINT), file.read())


def remember(place: str, fingerprint: str, statistics: bytes) -> None:
    """Accepts data with these statistics of its train split."""
    pointer = Pointer.after(_pointer(place), fingerprint, statistics)
    _write(f"{place}/{pointer.statistics}/{STATISTICS}", statistics)
    _write(f"{place}/{FILE}", pointer.model_dump_json().encode())


def _pointer(place: str) -> Pointer | None:
    path = f"{place}/{FILE}"
    if not fileio.exists(path):
        return None
    with fileio.open(path, "rb") as file:
        return Pointer.read(file.read())


def _write(path: str, content: bytes) -> None:
    """Whole or not at all, on object storage and on a file system."""
    fileio.makedirs(path.rpartition("/")[0])
    unfinished = f"{path}.{uuid.uuid4().hex}"
    with fileio.open(unfinished, "wb") as file:
        file.write(content)
    fileio.rename(unfinished, path, overwrite=True)

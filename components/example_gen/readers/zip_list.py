"""The list of files at a zip archive's end, and what a damaged one leads `zipfile` into."""

import struct
import zipfile

NO_ZIP = (
    zipfile.BadZipFile,  # the only one that zipfile documents
    NotImplementedError,  # a later version of the format
    ValueError,  # a name that cannot be decoded
    struct.error,  # a record that is too short
    EOFError,  # the list is cut
    OSError,  # a place outside of the file, or the file itself
)


def files_of(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """What is no folder; before Python 3.12 `ZipInfo.is_dir` fails for a name that is empty."""
    return [info for info in archive.infolist() if not info.filename.endswith("/")]

"""A place as settings name it: a path of this machine, or a URL of object storage, which needs a bucket."""

import re
from typing import Annotated

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

# Also what was meant for one: `gs:/bucket` and `GS://bucket` would be taken for paths of this machine, or for another file system.
_IS_BUCKET = re.compile(r"\s*(gs|s3|minio):", re.IGNORECASE)
_WITH_BUCKET = re.compile(r"(gs|s3|minio)://[^/?\s]+([/?].*)?")
EXPECTED = "a place in a bucket, like gs://BUCKET/FOLDER"


def is_bucket(place: str) -> bool:
    """Whether `place` is a URL of object storage, or meant for one."""
    return bool(_IS_BUCKET.match(place))


def lacks_bucket(place: str) -> bool:
    """Whether `place` is meant for object storage and names no bucket there."""
    return is_bucket(place) and not _WITH_BUCKET.fullmatch(place)


def _checked(place: str) -> str:
    if lacks_bucket(place):
        raise PydanticCustomError("place", EXPECTED)
    return place


Place = Annotated[str, AfterValidator(_checked)]

"""What lies in a bucket of Cloud Storage: names, sizes and digests from its listing alone, and the bytes of the objects that are wanted.

`STORAGE_EMULATOR_HOST` names another server than Google's, as everywhere in Google's own libraries.
"""

import contextlib
import hashlib
import logging
import os
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from trainer.errors import ConfigError, DataError, TapelineError

if TYPE_CHECKING:
    from google.cloud import storage

SCHEME = "gs://"
_FIELDS = "items(name,size,md5Hash,generation),prefixes,nextPageToken"
_SECONDS = 10  # for which a request that fails is tried again
_MISSING, _REFUSED = (404, 412), (401, 403)  # HTTP's: 412 where it is another generation
_MOST_SAID = 300  # characters of what a library says


class Stored(NamedTuple):
    """An object.

    Attributes:
      bucket: its bucket's name.
      name: folders and file with `/` between them.
      size: bytes.
      digest: sha256 (hexadecimal) of the MD5 that Cloud Storage has taken of the content, or of the object's generation where it has
        none, as of one that was composed of several.
      generation: which of the objects that have had this name.
    """

    bucket: str
    name: str
    size: int
    digest: str
    generation: int


class Bucket:
    """One bucket, as the caller may see it: with the credentials that Google's libraries find, or without any where there are none."""

    def __init__(self, name: str) -> None:
        self._name = name
        with _quiet():
            self._client = _client()

    def objects(self, prefix: str, is_deep: bool = True) -> tuple[list[Stored], list[str]]:
        """The objects whose names begin with `prefix`; without `is_deep` only those without a `/` behind it, and the folders beside them.

        Raises:
          ConfigError: the bucket is not there, may not be read, or cannot be reached.
        """
        from google.cloud.storage.retry import DEFAULT_RETRY

        missing = ConfigError(f"Expected a bucket '{SCHEME}{self._name}' that you may see. Received: none of that name.")
        with self._told(prefix, missing):
            listing = self._client.list_blobs(
                self._name,
                prefix=prefix or None,
                delimiter=None if is_deep else "/",
                fields=_FIELDS,
                retry=DEFAULT_RETRY.with_timeout(_SECONDS),
            )
            found = [_stored(self._name, blob) for blob in listing]
            return found, sorted(listing.prefixes)

    def copy(self, stored: Stored, path: Path) -> None:
        """Writes the content of an object that was listed to a file.

        Raises:
          ConfigError: it may not be read, or cannot be reached.
          DataError: it has changed since it was listed.
          OSError: the file cannot be written.
        """
        changed = DataError(
            f"Expected '{SCHEME}{self._name}/{stored.name}' to stay as it is while it is copied. Received: another, or none. Run again."
        )
        with self._told(stored.name, changed):
            blob = self._client.bucket(self._name).blob(stored.name)
            blob.download_to_filename(str(path), if_generation_match=stored.generation)

    @contextlib.contextmanager
    def _told(self, name: str, missing: TapelineError) -> Iterator[None]:
        """Makes one line of what Google's libraries raise: `missing` where there is no such bucket or object."""
        import requests
        from google.api_core.exceptions import GoogleAPIError
        from google.auth.exceptions import GoogleAuthError

        place = f"{SCHEME}{self._name}/{name}"
        try:
            with _quiet():
                yield
        except (GoogleAPIError, GoogleAuthError, requests.RequestException) as error:
            code = getattr(error, "code", None)
            if code in _MISSING:
                raise missing from None
            if code in _REFUSED:
                who = getattr(self._client._credentials, "service_account_email", None) or "you"  # it has no public name for them
                raise ConfigError(
                    f"Expected '{place}' to be readable for {who}. Received: {_cause(error)}. "
                    "Grant the role Storage Object Viewer on the bucket; on a machine of your own: gcloud auth application-default login."
                ) from None
            raise ConfigError(f"Expected '{place}' to be within reach. Received: {_cause(error)}.") from None


def _cause(error: Exception) -> str:
    """What a library says, in a line, without the address that it asked."""
    error = getattr(error, "cause", None) or error  # of tries that have taken too long the last one's
    if asked := getattr(getattr(error, "request", None), "url", None):
        return f"no connection to {urlsplit(asked).hostname}"
    text = str(getattr(error, "message", "") or error).strip() or type(error).__name__
    said = re.sub(r"^(GET|POST) \S+: ", "", text).partition("\n")[0]
    code = getattr(error, "code", None)
    return (f"{int(code)} {said}" if isinstance(code, int) else said)[:_MOST_SAID].rstrip(". ")


def _stored(bucket: str, blob: Any) -> Stored:
    content = blob.md5_hash or f"generation {blob.generation}"
    return Stored(bucket, blob.name, int(blob.size or 0), hashlib.sha256(content.encode()).hexdigest(), int(blob.generation or 0))


def _client() -> "storage.Client":
    import google.auth
    from google.auth.exceptions import DefaultCredentialsError
    from google.cloud import storage

    if "STORAGE_EMULATOR_HOST" in os.environ:
        return storage.Client.create_anonymous_client()
    try:
        credentials, _ = google.auth.default(scopes=storage.Client.SCOPE)
    except DefaultCredentialsError:  # a public bucket needs none, and another one says so
        return storage.Client.create_anonymous_client()
    return storage.Client(project=None, credentials=credentials)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hides what Google's libraries say of the Python's age, of a metadata server that is not there, and of connections."""
    loggers = [logging.getLogger(name) for name in ("google.auth", "google.api_core", "urllib3.connectionpool")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)

"""Which data was accepted last, and with which statistics other data is compared: what `last.json` holds, wherever it is."""

import hashlib
from typing import Self

import pydantic

FILE = "last.json"
STATISTICS = "Split-train/FeatureStats.pb"


class Pointer(pydantic.BaseModel):
    """What the file holds.

    Attributes:
      fingerprint: digest of the raw data.
      statistics: the folder of its statistics, named after their content.
      before: the folder of those that were accepted before it, None where there were none. A run on the same data again is compared with
        them, as the first time: so the cache has the answer, and what was said of the data stays said.
    """

    fingerprint: str
    statistics: str
    before: str | None

    @classmethod
    def read(cls, content: bytes) -> Self | None:
        """None of a broken file, which the next accepted data replaces."""
        try:
            return cls.model_validate_json(content)
        except ValueError:
            return None

    @classmethod
    def after(cls, last: Self | None, fingerprint: str, statistics: bytes) -> Self:
        """That of the data which is accepted behind `last`."""
        return cls(fingerprint=fingerprint, statistics=_name(statistics), before=last.compared_with(fingerprint) if last else None)

    def compared_with(self, fingerprint: str) -> str | None:
        """The folder of the statistics that data of this fingerprint is compared with."""
        return self.before if self.fingerprint == fingerprint else self.statistics


def _name(statistics: bytes) -> str:
    return hashlib.sha256(statistics).hexdigest()[:16]

"""What can be set of ingestion: the `data` section of a config file."""

import datetime
from typing import Any, Literal, Self

import pydantic
from pydantic import Field

from components.example_gen import spans
from components.example_gen.readers.dialect import Dialect
from components.place import Place
from trainer.errors import did_you_mean
from trainer.settings import Settings

TABLE_SUFFIXES = {  # of tables that name pictures, by their format
    "csv": (".csv", ".tsv", ".csv.gz", ".tsv.gz"),
    "jsonl": (".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz"),
    "parquet": (".parquet", ".parq", ".pq"),
}
MAX_IMAGE_PIXELS = 1 << 26  # 8,192 x 8,192, more than cameras give


class SplitsConfig(Settings):
    """Shares of the rows that no official test set covers. A row's share is decided by a hash of its content."""

    train: int = Field(8, ge=1, le=1000, description="Shares that become the train split.")
    eval: int = Field(1, ge=1, le=1000, description="Shares that become the eval split (early stopping, best weights).")
    test: int = Field(
        1, ge=1, le=1000, description="Shares that become the test split (the gate); unused where the data has an official test set."
    )
    column: str | None = Field(
        None, description="A column that says each row's split: `train`, `eval` (or `val`, `validation`, `dev`, `valid`) or `test`."
    )
    files: dict[Literal["train", "eval", "test"], str] | None = Field(
        None,
        description="The file, a pattern of files or, but of `csv`, a folder of each split, relative to `data.path`; shares divide `train` "
        "for one not given.",
    )
    prefixes: bool = Field(False, description="Whether pictures' file names begin with their split, as in `train_7.jpg`.")
    group: str | None = Field(None, description="A column whose equal values stay in one split, as of one person or one day.")
    time: str | None = Field(None, description="A column by whose order rows are divided: the earliest become `train`, the latest `test`.")

    duplicates: Literal["keep", "drop"] = Field(
        "keep",
        description="What becomes of rows of eval and test that are exactly the same in an earlier split (train, then eval): `keep` counts "
        "them, `drop` leaves them out. Where shares divide all rows, there are none.",
    )

    @pydantic.field_validator("train", "eval", "test", mode="before")
    @classmethod
    def _whole_shares(cls, value: Any, info: pydantic.ValidationInfo) -> Any:
        if isinstance(value, float) and 0 < value < 1:
            raise ValueError(
                f"data.splits.{info.field_name}: Expected a whole number of shares, as in `train: 80`, `eval: 10`, `test: 10`. "
                f"Received: {value}. Give all three in percent, this one as {round(100 * value) or 1}."
            )
        return value

    @pydantic.model_validator(mode="after")
    def _one_way(self) -> Self:
        given = [name for name in ("column", "files", "group", "time") if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"data.splits: Expected one of column, files, group and time. Received: {' and '.join(given)}.")
        return self


class SeriesConfig(Settings):
    """Which rows of a table make a row's series."""

    key: str | tuple[str, ...] | None = Field(
        None, description="The column, or columns, whose equal values make one series, as a station's; none where all rows are one."
    )
    time: str = Field(description="The column by whose order the rows of a series follow each other: times or numbers.")
    ahead: int = Field(
        0,
        ge=0,
        le=1000,
        description="How many rows before its own a row's lists end: 0 ends them with the row itself, but those of the label before it; "
        "1 and more is a forecast so many rows ahead.",
    )

    @property
    def keys(self) -> tuple[str, ...]:
        """The columns of the key."""
        return () if self.key is None else (self.key,) if isinstance(self.key, str) else self.key

    @pydantic.field_validator("key", mode="before")
    @classmethod
    def _is_one_column_or_several(cls, key: Any) -> Any:
        if key is None or isinstance(key, str | tuple):
            return key
        if isinstance(key, list) and key and all(isinstance(name, str) for name in key):
            return tuple(key)
        raise ValueError(f"data.series.key: Expected the name of a column, or a list of several. Received: {key!r}.")


class DataConfig(Settings):
    """Where the raw rows come from."""

    format: Literal["digits", "idx", "images", "csv", "parquet", "jsonl", "tfrecord"] = Field(
        description="`digits`: scikit-learn's bundled 1,797 digits. `idx`: MNIST's file format, gzipped or not. `images`: a folder of "
        "class folders of pictures, a zip or tar archive of one, or a table (CSV, JSON lines or Parquet) that "
        "names pictures. `csv`: a table as text, with any delimiter, gzipped or alone in a zip archive or not. `parquet`. "
        "`jsonl`: an object a line. `tfrecord`: tf.Examples."
    )
    path: Place | None = Field(
        None,
        description="Where the data is, absolute or relative to the config file. `idx`: the folder of `train-images-idx3-ubyte`, "
        "`train-labels-idx1-ubyte` and, if there is an official test set, `t10k-` or `test-` files of the same kind, "
        "each with or without `.gz`. `csv`: a file, or a pattern like `data/*.csv`. "
        "`parquet`, `jsonl`, `tfrecord`: a file, a folder or a pattern. With `data.splits.files` the folder of the files. "
        "`images`: a folder, an archive, or a table, "
        "whose columns `features` and `label` name. `{SPAN}` or `{YYYY}`, `{MM}` and `{DD}` stand for the number or date of a span, "
        "`{VERSION}` for its version, of which the newest is read. All of it may be in a bucket, `gs://BUCKET/...`: it is copied first.",
    )
    pictures: str | None = Field(
        None,
        description="Where `images` are named by a table: the folder of the pictures below the table's, whose own it is by default.",
    )
    span: Literal["newest"] | int | datetime.date = Field(
        "newest", description="Where `data.path` has spans, the last one that is read: `newest`, a number, or a date like 2026-11-27."
    )
    window: int = Field(1, ge=1, le=10_000, description="How many spans are read, those with the numbers up to `data.span`.")
    download: Literal["mnist", "fashion_mnist"] | None = Field(
        None, description="The public data set that is downloaded once, checked and cached where `data.path` is not given."
    )
    max_image_pixels: int = Field(
        MAX_IMAGE_PIXELS,
        ge=1,
        le=1 << 31,
        description="The most pixels of one image, height times width; files that declare more are refused. Ingestion needs up to eight "
        "bytes of memory for each.",
    )
    csv: Dialect | None = Field(None, description="How a `csv` file is written; found out where it is not given.")
    max_unreadable: float = Field(
        0.0, ge=0.0, le=1.0, description="The share of the rows that may be unreadable and left out, each with its line and reason."
    )
    series: SeriesConfig | None = Field(
        None, description="Where the rows of a table are points of series: what the lists of features of kind `series` are made of."
    )
    splits: SplitsConfig = Field(SplitsConfig(), description="How rows are divided.")

    @property
    def table_format(self) -> str | None:
        """The format of the table, or tables of one format, of which a row is read; None where there is none."""
        if self.format in ("digits", "idx"):
            return None
        if self.format != "images":
            return self.format
        tables = [name.casefold() for name in (self.splits.files or {"train": self.path or ""}).values()]
        return next((kind for kind, suffixes in TABLE_SUFFIXES.items() if all(name.endswith(suffixes) for name in tables)), None)

    @property
    def is_list(self) -> bool:
        """Whether it is pictures that a table names."""
        return self.format == "images" and self.table_format is not None

    @pydantic.field_validator("span", mode="before")
    @classmethod
    def _is_span(cls, span: Any) -> Any:
        is_number = isinstance(span, int) and not isinstance(span, bool) and span >= 0
        if is_number or span == "newest" or isinstance(span, datetime.date):
            return span
        try:
            return datetime.date.fromisoformat(span)
        except (TypeError, ValueError):
            near = did_you_mean(span, ["newest"]) if isinstance(span, str) else ""
            raise ValueError(f"data.span: Expected a number, a date like 2026-11-27, or `newest`. Received: {span!r}.{near}") from None

    @pydantic.model_validator(mode="after")
    def _has_spans(self) -> Self:
        if problem := spans.fault(self.path or ""):
            raise ValueError(f"data.path: {problem}")
        for name, default in (("span", "newest"), ("window", 1)):
            if getattr(self, name) != default and not spans.has_spans(self.path):
                raise ValueError(
                    f"data.{name}: Expected `data.path` with {{SPAN}} or a date. Received: '{self.path or ''}'. Remove one of them."
                )
        return self

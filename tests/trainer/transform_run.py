"""What TFX's Transform does, in TFX's layout: analyze the train split, transform every split, for rows of any kind.

With TFX's optimization, which Apache Beam of today allows only where all analyzers need but one pass over the data.
"""

import functools
from typing import NamedTuple

import apache_beam as beam
import pyarrow as pa
import tensorflow as tf
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx.components.trainer.fn_args_utils import FnArgs
from tfx_bsl.coders import example_coder
from tfx_bsl.public import tfxio

from components.example_gen import examples
from trainer import preprocessing
from trainer.config import TrainerConfig
from trainer.features import Features, names
from trainer.problem import Problem


def run(folder, raw, schema, features, problem):
    """Writes the graph and the transformed examples of `raw`, lists of serialized tf.Examples by split, below `folder`."""
    for split, rows in raw.items():
        with tf.io.TFRecordWriter(str(folder / f"raw-{split}.gz"), "GZIP") as file:
            for row in rows:
                file.write(row)
    preprocess = functools.partial(
        preprocessing.preprocessing_fn, custom_config={"features": features.to_json(), "problem": problem.to_json()}
    )
    with beam.Pipeline() as pipeline, tft_beam.Context(temp_dir=str(folder / "tmp"), use_deep_copy_optimization=True):
        source = {split: tfxio.TFExampleRecord(str(folder / f"raw-{split}.gz"), schema=schema) for split in raw}
        data = {split: (pipeline | f"Read[{split}]" >> io.BeamSource(), io.TensorAdapterConfig()) for split, io in source.items()}
        transform_fn = data["train"] | tft_beam.AnalyzeDataset(preprocess)
        _ = transform_fn | tft_beam.WriteTransformFn(str(folder))
        for split in raw:
            batches, metadata = (data[split], transform_fn) | f"Transform[{split}]" >> tft_beam.TransformDataset(output_record_batches=True)
            _ = (
                batches
                | f"Encode[{split}]" >> beam.FlatMap(_encode, beam.pvalue.AsSingleton(metadata.deferred_metadata))
                | f"Write[{split}]"
                >> beam.io.WriteToTFRecord(
                    str(folder / f"examples/Split-{split}/transformed_examples"), file_name_suffix=".gz", num_shards=2
                )
            )

    (folder / "metadata").mkdir()
    (folder / "metadata/schema.pbtxt").write_text(text_format.MessageToString(schema))


def _encode(batch, metadata):
    return example_coder.RecordBatchToExamplesEncoder(metadata.schema).encode(batch[0])


class Table(NamedTuple):
    """Rows with columns, before and after Transform."""

    folder: str
    problem: Problem

    @property
    def graph(self):
        return tft.TFTransformOutput(self.folder)

    def files(self, split):
        return [f"{self.folder}/examples/Split-{split}/*"]

    def fn_args(self, folder, loop, /, **trainer):
        """What TFX hands to the trainer's module `loop`, whose outputs go below `folder`."""
        return FnArgs(
            train_files=self.files("train"),
            eval_files=self.files("eval"),
            transform_graph_path=self.folder,
            serving_model_dir=str(folder / loop.__name__ / "served"),
            model_run_dir=str(folder / loop.__name__ / "run"),
            custom_config={"trainer": TrainerConfig(**trainer).to_json(), "problem": self.problem.to_json()},
        )

    def written(self, split):
        """The transformed rows of a split by name, in no order."""
        files = sorted(tf.io.gfile.glob(self.files(split)))
        rows = [row for file in files for row in tf.data.TFRecordDataset(file, "GZIP").as_numpy_iterator()]
        return {name: value.numpy() for name, value in tf.io.parse_example(rows, self.graph.transformed_feature_spec()).items()}

    def served(self, columns, with_label=False):
        """What the graph makes of raw columns, as a served model asks it: without the label."""
        spec = self.graph.raw_feature_spec()
        wanted = [*self.problem.features, *([self.problem.label] if with_label else [])]
        raw = tf.io.parse_example(serialized(columns, self.graph.raw_metadata.schema), {name: spec[name] for name in wanted})
        found = self.graph.transform_features_layer().call(raw)
        return {name: value.numpy() for name, value in found.items() if with_label or name != names.LABEL}


def serialized(columns, schema):
    """tf.Examples of columns by name, lists with None where a value is missing."""
    types = {schema_pb2.BYTES: pa.string(), schema_pb2.FLOAT: pa.float64(), schema_pb2.INT: pa.int64()}
    kinds = {feature.name: types[feature.type] for feature in schema.feature}
    arrays = {name: pa.array(values, pa.list_(kinds[name]) if _are_lists(values) else kinds[name]) for name, values in columns.items()}
    return list(examples.encode(pa.RecordBatch.from_pydict(arrays)))


def _are_lists(values):
    return any(isinstance(value, list) for value in values)


def of_table(folder, splits, features, label, task, crosses=(), weight=None):
    """The Table of `splits`, columns by name by split; the schema is as TFX infers it: a feature with gaps has no shape."""
    schema = schema_pb2.Schema()
    for name, values in splits["train"].items():
        kind = features[name].raw_type if name in features else "float" if name == weight else task.raw_type
        feature = schema.feature.add(name=name, type={"string": "BYTES", "float": "FLOAT", "int": "INT"}[kind.removesuffix("s")])
        if None not in values and kind not in ("strings", "floats"):
            feature.presence.min_fraction = 1
            feature.shape.dim.add(size=1)
    kinds = Features(by_name=features, crosses=list(crosses))
    problem = Problem(features=kinds.kinds, label=label, task=task, weight=weight)
    raw = {split: serialized(columns, schema) for split, columns in splits.items()}
    run(folder, raw, schema, kinds, problem)
    return Table(str(folder), problem)

"""The reference of the whole run: the MNIST example inside the installed tfx package, as its authors wrote it.

`python -m benchmarks.tfx_example convert IDX_FOLDER DATA_FOLDER`, then `python -m benchmarks.tfx_example run DATA_FOLDER ROOT`.
The example reads TFRecords of floats and says nothing of where they come from, hence `convert`.
"""

import os
import sys
from pathlib import Path


def convert(idx_folder: Path, data_folder: Path) -> None:
    """Writes every image as the example wants it: `image_floats` float32 (784,) from -0.5 to 0.5, and `image_class` int64."""
    import numpy as np
    import tensorflow as tf

    from components.example_gen.readers import idx

    data_folder.mkdir(parents=True)
    with tf.io.TFRecordWriter(str(data_folder / "mnist.tfrecord")) as writer:
        for part in idx.open_images(str(idx_folder)):
            for chunk in part.chunks(10_000):
                floats = chunk.images.reshape(len(chunk.images), -1).astype(np.float32) / 255 - 0.5
                for values, label in zip(floats, chunk.labels, strict=True):
                    feature = {
                        "image_floats": tf.train.Feature(float_list=tf.train.FloatList(value=values)),
                        "image_class": tf.train.Feature(int64_list=tf.train.Int64List(value=[label])),
                    }
                    writer.write(tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString())


def run(data_folder: Path, root: Path) -> None:
    """Runs the example's own pipeline with TFX's LocalDagRunner; everything it sets is left as it is but for the runner of Beam.

    Its Beam arguments ask for several processes: on two cores and data that fits in memory one process is faster, and the
    reference gets the faster one.
    """
    from tfx import v1 as tfx
    from tfx.examples.mnist import mnist_pipeline_native_keras, mnist_utils_native_keras

    pipeline = mnist_pipeline_native_keras._create_pipeline(
        pipeline_name="mnist_native_keras",
        pipeline_root=str(root / "pipeline"),
        data_root=str(data_folder),
        module_file=mnist_utils_native_keras.__file__,
        serving_model_dir=str(root / "serving"),
        metadata_path=str(root / "metadata.sqlite"),
        beam_pipeline_args=["--direct_running_mode=in_memory", "--runner=FnApiRunner"],
    )
    tfx.orchestration.LocalDagRunner().run(pipeline)
    if not list((root / "serving").glob("*/saved_model.pb")):
        raise SystemExit("The example has pushed no model.")


if __name__ == "__main__":
    os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
    os.environ.setdefault("UNSUPPORTED_DO_NOT_PACKAGE_USER_MODULES", "1")  # TFX would call pip, which the environment need not have
    {"convert": convert, "run": run}[sys.argv[1]](Path(sys.argv[2]), Path(sys.argv[3]))

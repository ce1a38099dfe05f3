"""Small networks as others save them: a file of Keras, and a SavedModel with TF Hub's conventions, with an archive of it."""

import tarfile

import keras
import tensorflow as tf
from keras import layers

from trainer.config import TrainerConfig
from trainer.features import names
from trainer.models import build_model
from trainer.tasks import Multiclass

PIXELS = {names.PIXELS: tf.io.FixedLenFeature((8, 8, 1), tf.float32)}


def network(size=(8, 8, 3), seed=5):
    """Pictures -> maps of 16 features, with batch normalisation."""
    keras.utils.set_random_seed(seed)
    return keras.Sequential(
        [
            keras.Input(size),
            layers.Conv2D(16, 3, padding="same", name="lower"),
            layers.BatchNormalization(name="normal"),
            layers.ReLU(),
            layers.Conv2D(16, 3, 2, padding="same", activation="relu", name="upper"),
        ],
        name="trained_elsewhere",
    )


def hub_module(folder, seed=3):
    """Saves the module to `folder`, and gives it."""
    module = tf.train.Checkpoint()  # trackable, and nothing else
    draw = tf.random.Generator.from_seed(seed)
    kernel = tf.Variable(draw.normal((3, 3, 3, 16), stddev=0.3), name="conv/kernel")
    scale = tf.Variable(tf.ones(16), name="conv/scale")  # is not in the list of what to train
    mean = tf.Variable(tf.zeros(16), trainable=False, name="conv/mean")

    @tf.function(input_signature=[tf.TensorSpec((None, None, None, 3), tf.float32), tf.TensorSpec((), tf.bool)])
    def features(pictures, training):
        maps = tf.nn.conv2d(pictures, kernel, 1, "SAME") * scale
        of_batch = tf.reduce_mean(maps, (0, 1, 2))
        if training:
            mean.assign(0.9 * mean + 0.1 * of_batch)
        return tf.reduce_mean(tf.nn.relu(maps - tf.where(training, of_batch, mean)), (1, 2))

    module.__call__ = features
    module.variables, module.trainable_variables, module.regularization_losses = [kernel, scale, mean], [kernel], []
    tf.saved_model.save(module, str(folder))
    return module


def packed(folder, file):
    """An archive of what is in `folder`, as TF Hub packs it."""
    with tarfile.open(file, "w:gz") as archive:
        archive.add(folder, ".")
    return file


def built(place, classes=10, inputs=PIXELS, **settings):
    """The model that is trained on what lies at `place`."""
    config = {"backbone": {"path": str(place), **settings.pop("backbone", {})}, **settings}
    return build_model(TrainerConfig(**config), Multiclass(classes=classes), inputs)

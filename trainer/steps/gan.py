"""A generative adversarial network (arXiv:1406.2661) of pictures by their class, from which the model that is trained learns as well.

noise and a class -> generator -> a picture -> the discriminator, which sees real ones too, and the classifier -> one persistent tape, three
    gradients: the discriminator's and the generator's, which this step applies itself, and the classifier's, which the loop does
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, PrivateAttr

from trainer.errors import ConfigError
from trainer.lazy import keras, tf
from trainer.steps.step import Outcome, Step, classes_fault, input_names, listed_inputs, loss_of, scaled

if TYPE_CHECKING:
    from trainer.steps.step import Inputs, LeastTask

_NOISE = 32  # numbers that a picture is made of, beside its class
_SIDES = (8, 64)  # pixels
_IN_A_ROW = 8  # pictures of each class, to look at


class Gan(Step):
    """The loss of real pictures and, once the generator has learnt something, of generated ones."""

    NO_WEIGHTS: ClassVar[str] = "whose generated pictures have none"

    kind: Literal["gan"] = Field("gan", description="Learns from generated pictures too; trains what generates them beside the model.")
    share: float = Field(
        0.2, ge=0.0, lt=1.0, description="Of the generated pictures' loss, after the warm-up; that of the others has the rest."
    )
    warm_up: int = Field(10, ge=0, le=100_000, description="Epochs in which the model learns from real pictures alone.")
    recognised: float = Field(
        0.1,
        ge=0.0,
        le=1000.0,
        description="Of the model's own loss in the generator's, so that pictures show the class that they are to show.",
    )
    generator_rate: float = Field(0.0005, gt=0.0, le=1.0, description="Learning rate of the generator and of the discriminator, by Adam.")
    pictures: int = Field(10, ge=1, le=100_000, description="After so many epochs each, generated pictures are written beside the logs.")

    _parts: Any = PrivateAttr(None)  # generator, discriminator and their optimizers
    _warm_up_steps: int = PrivateAttr(0)

    def fault(self, task: LeastTask, loss: str) -> str | None:
        """See `Step`."""
        return classes_fault(task, self.kind)

    def check(self, x: Inputs) -> None:
        """Raises ConfigError where there is anything but one picture that can be generated."""
        shapes = [tuple(part.shape[1:]) for part in (x.values() if isinstance(x, dict) else [x])]
        if len(shapes) != 1 or len(shapes[0]) != 3:
            raise ConfigError(
                f"Expected one picture as the only feature for `trainer.step: gan`, which generates it. Received: "
                f"{listed_inputs(input_names(x))}, {', '.join(map(str, shapes))}. Set `trainer.step: standard`."
            )
        if any(side % 4 or not _SIDES[0] <= side <= _SIDES[1] for side in shapes[0][:2]):
            raise ConfigError(
                f"Expected pictures for `trainer.step: gan` whose sides are multiples of 4, from {_SIDES[0]} to {_SIDES[1]} pixels. "
                f"Received: {shapes[0][0]} x {shapes[0][1]}. Resize them: `size: [32, 32]` of the feature."
            )

    def with_models(self, x: Inputs, seed: int, steps: int) -> Step:
        """See `Step`."""
        self.check(x)
        [shape] = [tuple(part.shape[1:]) for part in (x.values() if isinstance(x, dict) else [x])]
        step, seeds = self.model_copy(), itertools.count(seed)
        models = _generator(shape, self._task.outputs, seeds), _discriminator(shape, self._task.outputs, seeds)
        optimizers = tuple(keras.optimizers.Adam(self.generator_rate, beta_1=0.5) for _ in models)
        for model, optimizer in zip(models, optimizers, strict=True):
            optimizer.build(model.trainable_variables)
        step._parts, step._warm_up_steps = (*models, *optimizers), self.warm_up * steps
        return step

    @property
    def variables(self) -> list[keras.Variable]:
        """See `Step`."""
        return [variable for part in self._parts for variable in part.variables]

    def callbacks(self, model_run_dir: str) -> list[keras.callbacks.Callback]:
        """See `Step`."""
        from trainer.generated_pictures import GeneratedPictures  # it imports Keras

        classes = tf.repeat(tf.range(self._task.outputs), _IN_A_ROW)
        noise = tf.random.stateless_normal([self._task.outputs * _IN_A_ROW, _NOISE], [0, 0])
        return [GeneratedPictures(lambda: self._parts[0]([noise, classes], training=False), _IN_A_ROW, self.pictures, model_run_dir)]

    def __call__(self, model: keras.Model, x: Inputs, y: tf.Tensor, seed: tf.Tensor) -> Outcome:
        """See `Step`. The loss is the weighted sum, the predictions are those of the real pictures; it moves its own models itself."""
        generator, discriminator, *optimizers = self._parts
        [real] = x.values() if isinstance(x, dict) else [x]
        replicas, rows = tf.distribute.get_strategy().num_replicas_in_sync, tf.shape(real)[0]
        labels = tf.cast(y if y.shape.rank == 1 else tf.argmax(y, axis=-1), tf.int32)
        drawn = tf.random.stateless_uniform([rows], seed + 1, maxval=self._task.outputs, dtype=tf.int32)
        share = tf.where(optimizers[0].iterations >= self._warm_up_steps, self.share, 0.0)
        with tf.GradientTape(persistent=True) as tape:
            loss, predictions = loss_of(model, x, y)
            made = generator([tf.random.stateless_normal([rows, _NOISE], seed), drawn], training=True)
            with keras.StatelessScope():  # what batch normalisation remembers is of real pictures
                answers = model(dict.fromkeys(x, made) if isinstance(x, dict) else made, training=True)
            targets = tf.cast(drawn, y.dtype) if y.shape.rank == 1 else tf.one_hot(drawn, self._task.outputs, dtype=y.dtype)
            made_loss = model.compute_loss(x, targets, answers, training=True)
            of_real, of_made = (discriminator(each, training=True) for each in ([real, labels], [made, drawn]))
            discriminators = tf.reduce_mean(tf.nn.softplus(-of_real) + tf.nn.softplus(of_made)) / replicas
            generators = tf.reduce_mean(tf.nn.softplus(-of_made)) / replicas + self.recognised * made_loss
            total = (1 - share) * loss + share * made_loss
            scaled_total = scaled(model, total)
        for part, optimizer, own in zip((generator, discriminator), optimizers, (generators, discriminators), strict=True):
            optimizer.apply(tape.gradient(own, part.trainable_variables), part.trainable_variables)
        return Outcome(total, tape.gradient(scaled_total, model.trainable_variables), predictions)


def _generator(shape: tuple[int, ...], classes: int, seeds: itertools.count[int]) -> keras.Model:
    """Noise (batch, 32) and classes (batch,) -> pictures (batch, *shape), as Transform makes them, without bounds."""
    height, width, channels = shape
    noise, label = keras.Input((_NOISE,)), keras.Input((), dtype="int32")
    embedded = keras.layers.Embedding(classes, _NOISE, embeddings_initializer=keras.initializers.RandomNormal(seed=next(seeds)))(label)
    x = keras.layers.Multiply()([noise, 1.0 + 10.0 * embedded])
    x = keras.layers.Concatenate()([x, embedded])
    x = keras.layers.Dense(height // 4 * (width // 4) * 64, kernel_initializer=_drawn(seeds))(x)
    x = keras.layers.Reshape((height // 4, width // 4, 64))(keras.layers.LeakyReLU(0.2)(x))
    x = keras.layers.LeakyReLU(0.2)(keras.layers.Conv2DTranspose(32, 4, 2, "same", kernel_initializer=_drawn(seeds))(x))
    return keras.Model([noise, label], keras.layers.Conv2DTranspose(channels, 4, 2, "same", kernel_initializer=_drawn(seeds))(x))


def _discriminator(shape: tuple[int, ...], classes: int, seeds: itertools.count[int]) -> keras.Model:
    """Pictures (batch, *shape) and classes (batch,) -> logits (batch, 1) of their being real."""
    height, width, _ = shape
    picture, label = keras.Input(shape), keras.Input((), dtype="int32")
    plane = keras.layers.Embedding(classes, height * width, embeddings_initializer=keras.initializers.RandomNormal(seed=next(seeds)))(label)
    x = keras.layers.Concatenate()([picture, keras.layers.Reshape((height, width, 1))(plane)])
    for filters in (32, 64):
        x = keras.layers.LeakyReLU(0.2)(keras.layers.Conv2D(filters, 4, 2, "same", kernel_initializer=_drawn(seeds))(x))
    return keras.Model([picture, label], keras.layers.Dense(1, kernel_initializer=_drawn(seeds))(keras.layers.Flatten()(x)))


def _drawn(seeds: itertools.count[int]) -> keras.initializers.Initializer:
    return keras.initializers.GlorotUniform(seed=next(seeds))

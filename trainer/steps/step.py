"""What a step has to say: a new step is one file with a subclass of `Step`, and its line in `trainer.steps`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol

from pydantic import PrivateAttr

from trainer.errors import ConfigError
from trainer.lazy import keras, tf
from trainer.settings import Settings

if TYPE_CHECKING:
    Inputs = tf.Tensor | dict[str, tf.Tensor]

_OF_CLASSES = ("binary", "multiclass")  # tasks whose rows have one class each


class Outcome(NamedTuple):
    """What a step found on its replica's part of a batch. The loop applies the gradients and updates the metrics."""

    loss: tf.Tensor  # float scalar, as `model.compute_loss` gives it: divided by the number of replicas, not scaled
    gradients: list[tf.Tensor | tf.IndexedSlices | None]  # of each of `model.trainable_variables`, of the loss as the optimizer scales it
    predictions: tf.Tensor  # what the model gave, (batch, ...)


class LeastTask(Protocol):
    """What a step asks of the task, which is one of `trainer.tasks`."""

    kind: Any

    def activated(self, logits: tf.Tensor) -> tf.Tensor:
        """See `Multiclass`."""

    def distance(self, answers: tf.Tensor, logits: tf.Tensor, temperature: float) -> tf.Tensor:
        """See `Multiclass`."""


class Step(Settings):
    """One step's settings; called with a batch it says what the model's weights should be moved by.

    It knows nothing of epochs, files and checkpoints. What it draws at random it draws by the seed that it is given, so that a step
    that is done again after an interruption is the same one.
    """

    HAS_TEACHER: ClassVar[bool] = False  # whether it learns from another model, which the pipeline finds

    NO_WEIGHTS: ClassVar[str] = ""  # why rows with weights of their own cannot be learnt from, a clause; empty where they can

    kind: Any = None  # each subclass's own literal

    _task: Any = PrivateAttr(None)  # a LeastTask, once it is known

    def with_code(self, code: Mapping[str, str]) -> Step:
        """The step, able to run; `code` is the text of the user's own files."""
        del code
        return self

    def for_task(self, task: LeastTask) -> Step:
        """The step, which knows what is predicted; `task` has its classes and weights. Raises ConfigError where it cannot train that."""
        step = self.model_copy()
        step._task = task
        return step

    def fault(self, task: LeastTask, loss: str) -> str | None:
        """What of the task does not go with this step, or `loss`, its name in a config: a sentence from its key on; None for neither.

        It is asked before a run, when a task whose classes have names may not know them yet, and again when it does.
        """
        del task, loss
        return None

    def taught_by(self, answers: Callable[[Inputs], tf.Tensor]) -> Step:
        """The step with the model that it learns from: `answers` gives `task.activated` outputs (batch, outputs) of a batch's inputs."""
        del answers
        return self

    def with_models(self, x: Inputs, seed: int, steps: int) -> Step:
        """The step with the models of its own that it trains, for inputs like the specs `x` and `steps` an epoch; in a strategy's scope."""
        del x, seed, steps
        return self

    @property
    def variables(self) -> list[keras.Variable]:
        """Of its own models and their optimizers, which it moves itself: a checkpoint keeps them, and the exported model has none."""
        return []

    def callbacks(self, model_run_dir: str) -> list[keras.callbacks.Callback]:
        """What it wants to see the epochs' ends; `model_run_dir` is where the logs go."""
        del model_run_dir
        return []

    def check(self, x: Inputs) -> None:
        """Raises ConfigError where this step cannot train on inputs like `x`, tensors or their specs; before the first batch."""

    def __call__(self, model: keras.Model, x: Inputs, y: tf.Tensor, seed: tf.Tensor) -> Outcome:
        """What a replica's part of a batch gives.

        Args:
          model: the compiled model.
          x: inputs (batch, ...), by name where the model has several.
          y: labels (batch, ...) as the model's loss takes them; behind them each row's weight, where there is one.
          seed: int32 (2,), another one for each step and replica.
        """
        raise NotImplementedError


def loss_of(model: keras.Model, x: Inputs, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The training loss and the predictions."""
    predictions = model(x, training=True)
    return model.compute_loss(x, y, predictions, training=True), predictions


def scaled(model: keras.Model, loss: tf.Tensor) -> tf.Tensor:
    """What the gradients must be of, so that float16's small ones do not become 0; `optimizer.apply` undoes it."""
    return model.optimizer.scale_loss(loss)


def sum_of_rows(loss: tf.Tensor, predictions: tf.Tensor) -> tf.Tensor:
    """The sum of the losses of the replica's rows, of what `loss_of` gives. Its gradient by a row's inputs is that of the row's own loss.

    The mean's is smaller by the number of rows, and may be 0 in float16. `scaled` is not for gradients that become part of the loss:
    where they overflow the step is left out, but its loss is counted.
    """
    replicas = tf.distribute.get_strategy().num_replicas_in_sync
    return loss * tf.cast(tf.shape(predictions)[0] * replicas, loss.dtype)


def mean_of_rows(model: keras.Model, y: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
    """The mean over the rows of what else a loss has of each, (batch, ...); a row counts as its label's loss does."""
    weights_in = getattr(model.loss, "weights_in", None)  # of `tasks.row_weights`, where rows have weights
    if weights_in is None:
        return tf.reduce_mean(values)
    return tf.reduce_mean(values * tf.reshape(tf.cast(weights_in(y), values.dtype), [-1] + [1] * (values.shape.rank - 1)))


def at(model: keras.Model, values: Iterable[tf.Tensor], compute: Callable[[], Any]) -> Any:
    """What `compute` gives where the trainable variables have these values; no variable is changed, on no replica.

    A tape that watches the values sees through it, so that gradients with respect to them can be taken, also of gradients.
    """
    with keras.StatelessScope(list(zip(model.trainable_variables, values, strict=True))):
        return compute()


def classes_fault(task: LeastTask, step: str) -> str | None:
    """What is wrong with a task whose rows do not have one class each, for a step that needs that."""
    if task.kind in _OF_CLASSES:
        return None
    return (
        f"trainer.step: Expected a task of classes, `binary` or `multiclass`, for `{step}`. Received: `task: {task.kind}`. "
        "Set `trainer.step: standard`."
    )


def class_names(task: Any) -> list[str] | None:
    """The classes by their numbers, as text where they are numbers themselves; None as long as they are not known."""
    return None if task.classes is None else list(task.names or map(str, range(task.classes)))


def smooth_inputs(x: Inputs) -> list[str | None]:
    """The names of the inputs that are floats, such as pixels and numbers; [None] where the only input is one.

    What else there is, numbers of categories and of n-grams, has nothing between two values and no gradient.
    """
    if isinstance(x, dict):
        return [name for name, values in x.items() if values.dtype.is_floating]
    return [None] if x.dtype.is_floating else []


def input_names(x: Inputs) -> list[str | None]:
    """All of them; [None] where there is but one."""
    return list(x) if isinstance(x, dict) else [None]


def listed_inputs(names: Iterable[str | None]) -> str:
    """For a message."""
    return ", ".join(name or "one input of whole numbers" for name in names)


def check_smooth(x: Inputs, step: str) -> None:
    """Raises ConfigError where no input is a float."""
    if not smooth_inputs(x):
        raise ConfigError(
            f"Expected pictures or numbers among the features for `trainer.step: {step}`, which changes them a little. "
            f"Received: {listed_inputs(input_names(x))}. Set `trainer.step: standard`."
        )


def split_smooth(x: Inputs) -> tuple[list[tf.Tensor], Callable[[list[tf.Tensor]], Inputs]]:
    """The float inputs, and what makes the whole `x` again, with others in their place."""
    names = smooth_inputs(x)
    if names == [None]:
        return [x], lambda values: values[0]
    return [x[name] for name in names], lambda values: {**x, **dict(zip(names, values, strict=True))}

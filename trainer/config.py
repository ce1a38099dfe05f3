"""What can be set of preprocessing and training: the `preprocessing` and `trainer` sections of a config file."""

from typing import Any, Literal, Self

import pydantic
from pydantic import Field

from trainer.backbone_config import BackboneConfig
from trainer.features.image import Fit, ImageFeature, Size
from trainer.reference import is_reference, or_reference
from trainer.settings import FOUND, Settings
from trainer.steps import Standard, StepSetting
from trainer.tensorboard_config import TensorBoardConfig


def _described(field: str) -> str:
    return ImageFeature.model_fields[field].description or ""


class PreprocessingConfig(Settings):
    """How Transform turns a picture into what the model sees."""

    image_size: Size = Field((28, 28), description=_described("size"))
    fit: Fit = Field("resize", description=_described("fit"))
    channels: Literal[1, 3] = Field(1, description=_described("channels"))
    normalize: Literal["scale", "standardize"] = Field("scale", description=_described("normalize"))


class EarlyStoppingConfig(Settings):
    """When to stop before the last epoch."""

    metric: str = Field("loss", description="What has to improve on the eval split: `loss`, or a metric that is shown for every epoch.")
    patience: int = Field(3, ge=1, description="Epochs without improvement of the eval split's metric before training stops.")
    min_delta: float = Field(0.0, ge=0.0, description="The least change of the metric for the better that counts as improvement.")


class CheckpointsConfig(Settings):
    """When a training's state is kept, so that one that was interrupted goes on from there; whichever comes first."""

    epochs: int | None = Field(None, ge=1, description="After so many epochs.")
    minutes: float | None = Field(5.0, gt=0.0, description="After so many minutes, at the end of the call of TensorFlow under way.")
    steps: int | None = Field(
        None,
        ge=1,
        description="After so many training steps. A call of TensorFlow has no more of them then, and with `trainer.loop: fit` the "
        "greatest number of steps up to this one that divides an epoch's.",
    )


Augmentation = Literal["flip", "shift", "crop", "rotate", "colour"]
PictureModel = Literal["mlp", "cnn", "resnet", "vit", "backbone"]  # one picture, and nothing else
RowModel = Literal["tabular", "linear", "wide_deep"]  # columns of any kind but series
TextModel = Literal["text", "embedding_bag"]  # nothing but texts
SequenceModel = Literal["conv", "lstm", "transformer"]  # nothing but texts, each with `sequence`; or series, with columns of any kind
_Model = or_reference(Literal["auto", PictureModel, RowModel, TextModel, SequenceModel])
_Loss = or_reference(
    Literal[
        "auto",
        "sparse_categorical_crossentropy",
        "categorical_crossentropy",
        "categorical_focal_crossentropy",
        "binary_crossentropy",
        "binary_focal_crossentropy",
        "mean_squared_error",
        "mean_absolute_error",
        "huber",
    ]
)
_Metric = or_reference(Literal["accuracy", "top_3_accuracy", "top_5_accuracy", "mae"])


LAST = "last"  # of `start_from`
BACKBONE = "backbone"  # the model, and the layer of it


class TrainerConfig(Settings):
    """What is trained, by which loop, for how long."""

    loop: Literal["fit", "gradient_tape"] = Field("fit", description="`model.fit`, or the project's own `tf.GradientTape` loop.")
    model: _Model = Field(
        "auto",
        description="A file of `trainer/models/`; `auto` is `lstm` where there is a series, `text` for texts, `tabular` for other columns, "
        "`mlp` for one picture in numbered classes and `resnet`, a small residual network, for one in named classes. `cnn` and `vit` are "
        "for pictures, too, and `backbone`, which `trainer.backbone` alone implies; `linear` and `wide_deep` for columns; "
        "`embedding_bag`, another name of `text`, for texts; `conv`, `lstm` and `transformer` for texts with `sequence` and for series. "
        "`my_model.py:build` is a function of your own.",
    )
    step: StepSetting = Field(
        Standard(),
        description="What one training step does: `standard`, or one of the steps below, which only the loop `gradient_tape` can do; "
        "`{kind: sam, rho: 0.1}` sets more of it, `my_steps.py:step` is a function of your own.",
    )
    without_gradient: Literal["stop", "ignore"] = Field(
        "stop", description="What happens where a trainable variable gets no gradient: the training stops and names it, or goes on."
    )
    classes: int = Field(10, ge=2, le=100_000, description="Number of classes. Labels run from 0 to one less; any other is an anomaly.")
    epochs: int = Field(10, ge=1, le=100_000, description="The most passes over the training split.")
    minutes: float | None = Field(
        None,
        gt=0.0,
        description="The most minutes of training and validation, at the end of the call of TensorFlow under way, those before an "
        "interruption included. Validation and export follow. The schedule is of all epochs nevertheless.",
    )
    batch_size: int = Field(64, ge=1, le=65_536, description="Examples per training step, over all replicas together.")
    seed: int = Field(42, ge=0, le=2**31 - 1, description="Seed of the weights, the dropout and the order of the examples.")
    precision: Literal["float32", "mixed_float16", "mixed_bfloat16"] = Field(
        "float32",
        description="What the model computes in. `mixed_float16` and `mixed_bfloat16` compute in 16 bits, which suits newer GPUs and "
        "TPUs, and keep weights, logits and losses in float32. With float16 the loss is scaled; a step whose gradients "
        "overflow is left out and halves the scale.",
    )
    jit_compile: bool = Field(
        False,
        description="Whether XLA compiles the training step, on one replica and without texts: that takes seconds at the start, may save "
        "time on a GPU, took longer on a CPU, and gives other last bits. A TPU's step is always compiled.",
    )
    optimizer: Literal["adam", "adamw", "sgd", "rmsprop"] = Field("adam", description="The Keras optimizer.")
    learning_rate: float = Field(0.001, gt=0.0, le=10.0, description="Step size of the optimizer, at the start.")
    schedule: Literal["constant", "step", "exponential", "cosine", "one_cycle", "plateau"] = Field(
        "constant",
        description="How the learning rate goes on over all steps: as it is; `step`, a tenth from half of them on and a hundredth from "
        "three quarters on; `exponential`, evenly down to a hundredth; `cosine`, down to 0 along half of one; `one_cycle`, up from a 25th "
        "for three tenths of them, then down to nearly 0; `plateau`, to half whenever the metric that `early_stopping` watches, else "
        "`best_by`, has not improved on the eval split for half of `early_stopping.patience`, without early stopping for 2 epochs.",
    )
    warmup: float = Field(
        0.0, ge=0.0, lt=1.0, description="Share of the steps in which the learning rate first rises from 0; `one_cycle` has its own."
    )
    weight_decay: float | None = Field(
        None,
        ge=0.0,
        le=1.0,
        description="Share of each weight taken off a step, times the learning rate; the optimizer's own by default.",
    )
    clip_norm: float | None = Field(
        None, gt=0.0, description="The most that the gradients' common norm may be; larger ones are scaled down."
    )
    clip_each_norm: float | None = Field(None, gt=0.0, description="The same for the gradient of each variable by itself.")
    clip_value: float | None = Field(None, gt=0.0, description="The most that each value of a gradient may be from 0.")
    accumulate: int = Field(
        1,
        ge=1,
        le=10_000,
        description="Batches whose gradients are averaged for one update of the weights, as if they were one batch; on one replica.",
    )
    ema: float | None = Field(
        None,
        gt=0.0,
        lt=1.0,
        description="Momentum of a moving average of the weights: after each update it is `ema` times itself plus the rest of the new "
        "weights. The eval split judges the average of each epoch, and the average is exported; the training goes on with the weights "
        "themselves. Batch normalisation's own averages stay as they are.",
    )
    loss: _Loss = Field(
        "auto",
        description="The Keras loss, on logits; labels are one-hot encoded where the loss wants it. `auto` is "
        "`sparse_categorical_crossentropy` for classes, `binary_crossentropy` for several labels and `mean_squared_error` for numbers, "
        "which are standardised. `my_losses.py:loss` is a loss of your own.",
    )
    label_smoothing: float = Field(
        0.0,
        ge=0.0,
        lt=1.0,
        description="Share of the label spread over all classes, or of each of several labels over yes and no; for `categorical_*` and "
        "`binary_*` losses.",
    )
    metrics: list[_Metric] | None = Field(
        None,
        description="Metrics shown for every epoch, the task's own where not given; `my_metrics.py:metric` is one of your own. "
        "The gate's are the evaluator's.",
    )
    dropout: float = Field(0.2, ge=0.0, lt=1.0, description="Share of the units dropped while training.")
    augment: list[Augmentation] = Field(
        [],
        description="What is done to pictures at random while training, so that few of them teach more: `flip` left and right, `shift` by "
        "a tenth of the sides at most, `crop` to a part, `rotate` by a few degrees, `colour` in another light. Nothing of it is served. "
        "None by default.",
    )
    early_stopping: EarlyStoppingConfig | None = Field(EarlyStoppingConfig(), description="Early stopping; `null` turns it off.")
    weights: Literal["best", "last"] = Field(
        "best",
        description="Which weights are exported: `best`, those of the epoch that did best on the eval split, or `last`, those at the end, "
        "where the eval split is so small that its best is chance.",
    )
    best_by: str = Field(
        "loss", description="By what an epoch's weights are the best on the eval split: `loss`, or a metric that is shown for every epoch."
    )
    metric_modes: dict[str, Literal["min", "max"]] = Field(
        {},
        description="Whether less or more of a metric of your own is better, `{f2: max}`: to stop early by it or to keep the best weights.",
    )
    must_learn: bool = Field(
        True,
        description="Whether a model is refused that has not learnt: whose loss on the eval split is not below that of the same answer for "
        "every row, as the train split's labels have it best. `false` exports it nevertheless.",
    )
    checkpoints: CheckpointsConfig | None = Field(
        CheckpointsConfig(),
        description="When the training's state is kept until it has ended. Started again with the same settings and data, an interrupted "
        "training goes on from there, to the same weights. `null` keeps none.",
    )
    tensorboard: TensorBoardConfig = Field(TensorBoardConfig(), description="What TensorBoard shows beside each epoch's metrics.")
    strategy: Literal["auto", "cpu", "gpu", "one_device", "mirrored", "multi_worker", "tpu"] = Field(
        "auto",
        description="`cpu` is one CPU, even where there is a GPU; `gpu` is one GPU, and refused where there is none. `auto` is `mirrored` "
        "where there are several GPUs, else `one_device`, which is a GPU where there is one. On Kubeflow `accelerator` decides it. "
        "`tpu` leaves out each split's last, smaller batch, because shapes on a TPU are fixed. `multi_worker` is several machines, which "
        "`TF_CONFIG` names, with `loop: gradient_tape`.",
    )
    workers_minutes: float = Field(
        10.0, gt=0.0, le=1440.0, description="The most minutes that workers wait for each other at the start, with `multi_worker`."
    )
    workers: int = Field(
        1,
        ge=1,
        le=64,
        description="How many workers train, with `multi_worker` on Kubeflow: the Trainer's pod is one and starts the others, as a JobSet. "
        "Where `TF_CONFIG` is set, it alone says who trains.",
    )
    cache: Literal["auto", "memory", "none"] = Field(
        "auto",
        description="Where transformed examples are kept. `memory` keeps them in memory, `none` in a temporary file on the local disk. "
        "`auto` keeps them in memory where they fit a quarter of what is free, a container's limit included, and else in the file. "
        "Pictures wait as one byte a value. The batches are the same. Where half of the disk's free space is too "
        "small, examples are read again each epoch, from up to 16 files at once, and shuffled within 256 MiB.",
    )
    start_from: str | None = Field(
        None,
        description="Weights that the training starts from, instead of random ones: a `.weights.h5` or `.keras` file, the folder of a "
        "SavedModel that this project has exported, or `last`, the version that is served (the stable one, or else the last) of those "
        "that this pipeline has pushed; before the first one, `last` starts from random weights. The model must be the same.",
    )
    start_without: list[str] = Field(
        [],
        description="Layers that `start_from` does not reach, which start from random weights, as the last one for other classes: their "
        "names, as `tapeline show model` prints them, or patterns such as `dense*`.",
    )
    backbone: BackboneConfig | None = Field(
        None,
        description="A network that was trained elsewhere and is the lower part of the model, for one picture as the only feature. "
        "`start_rate` holds for its weights, too.",
    )
    freeze: list[str] | None = Field(
        None,
        description="Layers whose weights stay as they are, by names or patterns. A frozen batch normalisation uses its moving averages. "
        "By default none, with `backbone` all of it; `[]` trains all of it from the start.",
    )
    thaw_after: int | None = Field(
        None, ge=1, description="Epochs after which the layers of `freeze` are trained, too; `null` keeps them frozen to the end."
    )
    start_rate: float = Field(
        1.0,
        gt=0.0,
        le=1.0,
        description="Share of the learning rate at which the weights from `start_from` and those of `backbone` are trained, so that they "
        "change less than those that start anew.",
    )
    code: dict[str, str] = Field(
        {},
        description="The text of the files of the user's own that are named above, and of those beside them that they import.",
        json_schema_extra=FOUND,
        exclude_if=lambda code: not code,
    )

    @property
    def frozen(self) -> list[str]:
        """The names or patterns of `freeze`, given or not."""
        return self.freeze if self.freeze is not None else [BACKBONE] if self.backbone else []

    @property
    def can_smooth(self) -> bool:
        """Whether the loss takes `label_smoothing`."""
        return self.is_one_hot or (self.loss.startswith("binary") and not is_reference(self.loss))

    @property
    def is_one_hot(self) -> bool:
        """Whether the loss takes the labels of classes one-hot encoded."""
        return self.loss.startswith("categorical") and not is_reference(self.loss)

    @pydantic.field_validator("strategy", mode="before")
    @classmethod
    def _strategy_has_an_order(cls, value: Any) -> Any:
        if value == "parameter_server":
            raise ValueError(
                "trainer.strategy: Expected a strategy whose workers wait for each other. Received: 'parameter_server', whose workers "
                "change the weights in no fixed order, and which `model.fit` of Keras 3 cannot feed. Set `trainer.strategy: mirrored` for "
                "several GPUs of one machine, or `multi_worker` for several machines."
            )
        return value

    @pydantic.model_validator(mode="after")
    def _workers_can_train(self) -> Self:
        if self.strategy != "multi_worker":
            if self.workers > 1:
                raise ValueError(
                    f"trainer.workers: Expected 1 without `trainer.strategy: multi_worker`. Received: {self.workers}, with "
                    f"`strategy: {self.strategy}`. Set `trainer.strategy: multi_worker`, or leave it out."
                )
            return self
        if self.loop == "fit":
            raise ValueError(
                "trainer.loop: Expected 'gradient_tape' with `trainer.strategy: multi_worker`, for `model.fit` of Keras 3 fails with it. "
                "Received: 'fit'. Set `trainer.loop: gradient_tape`."
            )
        if self.precision == "mixed_float16":
            raise ValueError(
                "trainer.precision: Expected 'float32' or 'mixed_bfloat16' with `trainer.strategy: multi_worker`, for Keras has each "
                "worker find by itself that gradients overflow. Received: 'mixed_float16'. Set `trainer.precision: mixed_bfloat16`."
            )
        return self

    @pydantic.model_validator(mode="after")
    def _loop_has_the_step(self) -> Self:
        if self.loop == "fit" and self.step.kind != "standard":
            received = getattr(self.step, "function", self.step.kind)
            raise ValueError(
                f"trainer.step: Expected 'standard' with `trainer.loop: fit`, for `model.fit` takes one gradient of one loss a step. "
                f"Received: {received!r}. Set `trainer.loop: gradient_tape`."
            )
        return self

    @pydantic.model_validator(mode="after")
    def _starts_from_something(self) -> Self:
        if self.start_without and self.start_from is None:
            raise ValueError(
                "trainer.start_without: Expected none without `trainer.start_from`. "
                f"Received: {', '.join(self.start_without)}. Remove it, or set `trainer.start_from`."
            )
        if self.start_rate != 1.0 and self.start_from is None and self.backbone is None:
            raise ValueError(
                "trainer.start_rate: Expected 1 without `trainer.start_from` and `trainer.backbone`, for no weight is from there. "
                f"Received: {self.start_rate:g}. Remove it, or set `trainer.start_from`."
            )
        if self.thaw_after is not None and not self.frozen:
            raise ValueError(
                "trainer.thaw_after: Expected none without `trainer.freeze`, for nothing is frozen. "
                f"Received: {self.thaw_after}. Remove it, or set `trainer.freeze`."
            )
        if self.thaw_after is not None and self.thaw_after >= self.epochs:
            raise ValueError(
                f"trainer.thaw_after: Expected fewer epochs than the {self.epochs} of `trainer.epochs`, for no others follow. "
                f"Received: {self.thaw_after}. Remove it, or set `trainer.epochs: {self.thaw_after + 1}` or more."
            )
        return self

    @pydantic.model_validator(mode="after")
    def _backbone_is_the_model(self) -> Self:
        if self.backbone and self.model not in ("auto", BACKBONE):
            raise ValueError(
                f"trainer.backbone: Expected none with `trainer.model: {self.model}`, which has no such part. Received: "
                f"'{self.backbone.path}'. Leave one of them out."
            )
        if self.model == BACKBONE and not self.backbone:
            raise ValueError(
                "trainer.backbone: Expected a network with `trainer.model: backbone`. Received: none. "
                "Set `trainer.backbone: {path: FILE.keras}`, or leave `trainer.model` out."
            )
        return self

    @pydantic.model_validator(mode="after")
    def _clips_in_one_way(self) -> Self:
        given = [name for name in ("clip_norm", "clip_each_norm", "clip_value") if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"trainer: Expected one of the ways to clip a gradient. Received: {', '.join(given)}. Leave one of them.")
        return self

    @pydantic.model_validator(mode="after")
    def _one_cycle_warms_up_by_itself(self) -> Self:
        if self.schedule == "one_cycle" and self.warmup:
            raise ValueError(
                f"trainer.warmup: Expected 0 with `trainer.schedule: one_cycle`, which begins with a rise of its own. "
                f"Received: {self.warmup:g}. Leave it out."
            )
        return self

    @pydantic.model_validator(mode="after")
    def _plateau_has_no_warmup(self) -> Self:
        if self.schedule == "plateau" and self.warmup:
            raise ValueError(
                f"trainer.warmup: Expected 0 with `trainer.schedule: plateau`, which knows epochs and no steps. "
                f"Received: {self.warmup:g}. Leave it out, or set `trainer.schedule: cosine`."
            )
        return self

    @pydantic.model_validator(mode="after")
    def _smoothing_has_a_loss(self) -> Self:
        if self.label_smoothing and not self.can_smooth:
            raise ValueError(
                f"trainer.label_smoothing: Expected 0 with `trainer.loss: {self.loss}`, which cannot smooth labels. "
                f"Received: {self.label_smoothing:g}. Remove it, or set `trainer.loss: categorical_crossentropy`, for several classes, "
                "or `binary_crossentropy`, for several labels."
            )
        return self

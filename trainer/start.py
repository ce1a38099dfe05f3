"""Weights to start from (`trainer.start_from`), and the layers that keep theirs (`trainer.freeze`), for a time or to the end.

weights that Keras has saved, by its own names of layers; or a SavedModel of this project, by the order of its variables
    -> does each of them fit? -> into the model, without the layers of `trainer.start_without`
"""

import fnmatch
import logging
import os
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import h5py
import keras
import numpy as np
import tensorflow as tf

from trainer.cause import one_line
from trainer.config import BACKBONE, LAST, TrainerConfig
from trainer.errors import ConfigError, did_you_mean, listed
from trainer.settings import Settings

KEY = "start"  # in the Trainer's `custom_config`
FILES = (".weights.h5", ".keras")
NOTHING = "nothing_pushed_yet"  # the only file of a folder of weights in which there are none
_IN_ARCHIVE = "model.weights.h5"  # of a .keras file; nothing else of it is read, and so no code that it might bring
_OPTIMIZER = "optimizer"  # the group of its state
_VALUE = "_values/{}/.ATTRIBUTES/VARIABLE_VALUE"  # what `trainer.export.served.Served` keeps the model's variables as
_NEXT = "Set `trainer.model` and the features to what it was trained with, or leave `trainer.start_from` out."

_log = logging.getLogger(__name__)

Shape = tuple[int, ...]


class Start(Settings):
    """What a run has found of `trainer.start_from`.

    Attributes:
      place: a file of weights, or the folder of a SavedModel.
      digest: of its content, for the cache.
    """

    place: str
    digest: str


def is_handed_on(config: TrainerConfig) -> bool:
    """Whether the Trainer's `base_model` is what `start_from` names, where nobody has found it before the run, and not a teacher."""
    return config.start_from is not None and not config.step.HAS_TEACHER


def handed_on(folder: str) -> Start | None:
    """The weights in the folder of the Trainer's `base_model`, on a cluster; another content is a copy in another folder."""
    names = [name.rstrip("/") for name in tf.io.gfile.listdir(folder)]
    if names == [NOTHING]:
        return None
    file = next((name for name in names if name.endswith(FILES)), None)
    return Start(place=os.path.join(folder, file) if file else folder, digest=folder)


def freeze(model: keras.Model, patterns: Sequence[str]) -> None:
    """Keeps the layers that `patterns` name from being trained, until `thaw`; before the model is compiled.

    Raises:
      ConfigError: a pattern names no layer that has weights, or nothing is left to train.
    """
    layers = [inner for layer in _named(model, patterns, "freeze") for inner in layer._flatten_layers()]
    for layer in layers:
        layer.trainable_when_thawed = layer.trainable  # a model of the user's own may have frozen some of them itself
    for layer in layers:
        layer.trainable = False
    if patterns and not model.trainable_variables:
        raise ConfigError(f"Expected `trainer.freeze` to leave a layer to train. Received: {listed(patterns)}, all of them. Leave one out.")


def thaw(model: keras.Model, config: TrainerConfig, epoch: int) -> bool:
    """Has the layers of `trainer.freeze` trained where `epoch`, counted from 0, is one behind `trainer.thaw_after`.

    Returns:
      Whether they were frozen before, so that the training step must be traced anew.
    """
    if config.thaw_after is None or epoch < config.thaw_after:
        return False
    layers = [inner for layer in _named(model, config.frozen, "freeze") for inner in layer._flatten_layers()]
    if all(layer.trainable == layer.trainable_when_thawed for layer in layers):
        return False
    for layer in layers:  # the outer ones first, for they tell those inside
        layer.trainable = layer.trainable_when_thawed
    model.optimizer.begin_late()
    _log.info("From epoch %d on the layers of `trainer.freeze` are trained, too.", epoch + 1)
    return True


def load(model: keras.Model, start: Start | None, config: TrainerConfig) -> None:
    """Puts the weights of `start` into the model; call it under the strategy's scope.

    Random generators keep the state that the seed gives them.

    Raises:
      ConfigError: they cannot be read or do not fit.
    """
    without = {id(variable) for layer in _named(model, config.start_without, "start_without") for variable in layer.variables}
    trained = {id(variable) for layer in model.layers if config.backbone and layer.name == BACKBONE for variable in layer.variables}
    if start:
        _read(model, start, config, without)
        trained |= {id(variable) for variable in model.variables} - without
    else:
        if config.start_from == LAST:
            _log.info("No model was pushed yet for `trainer.start_from: last`: the training starts from fresh weights.")
        elif config.start_from:
            raise ConfigError(
                f"Expected weights for `trainer.start_from`. Received: none of '{config.start_from}'. Start by `tapeline run`."
            )
    if trained and config.start_rate != 1.0:
        model.optimizer.slow_down([weight for weight in model.weights if id(weight) in trained], config.start_rate)


def _read(model: keras.Model, start: Start, config: TrainerConfig, without: set[int]) -> None:
    try:
        if start.place.endswith(FILES):
            _load_file(model, start.place, config.start_without)
        else:
            _load_saved_model(model, start.place, without)
    except (OSError, KeyError, ValueError, zipfile.BadZipFile, tf.errors.OpError) as error:
        raise ConfigError(f"Expected weights that can be read in '{start.place}'. Received: {one_line(error)}. {_NEXT}") from None
    _log.info("The training starts from the weights of %s.", start.place)


def _named(model: keras.Model, patterns: Sequence[str], key: str) -> list[keras.Layer]:
    """The layers that have weights and a name like one of `patterns`, those inside of others included."""
    layers = [layer for layer in model._flatten_layers(include_self=False) if layer.weights]  # Keras has no other way into layers of layers
    names = list(dict.fromkeys(layer.name for layer in layers))
    for pattern in patterns:
        if not fnmatch.filter(names, pattern):
            raise ConfigError(
                f"Expected `trainer.{key}` to name layers that have weights, of {listed(names)}, or patterns of names. "
                f"Received: '{pattern}'.{did_you_mean(pattern, names)}"
            )
    return [layer for layer in layers if _is_like(layer.name, patterns)]


def _is_like(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def _load_saved_model(model: keras.Model, folder: str, without: set[int]) -> None:
    reader = tf.train.load_checkpoint(f"{folder}/variables/variables")
    shapes = {name: tuple(shape) for name, shape in reader.get_variable_to_shape_map().items() if name.startswith("_values/")}
    if len(shapes) != len(model.variables):
        raise _other_number(len(model.variables), str(len(shapes)), folder)
    weights = {id(variable) for variable in model.weights}
    own = {_VALUE.format(number): variable for number, variable in enumerate(model.variables)}
    left_out = {name for name, variable in own.items() if id(variable) in without}
    _check(
        {name: tuple(variable.shape) for name, variable in own.items()},
        shapes,
        left_out,
        {name: variable.path for name, variable in own.items()},
        folder,
    )
    for name, variable in own.items():
        if name not in left_out and id(variable) in weights:  # and no state of a random generator
            variable.assign(reader.get_tensor(name))


def _load_file(model: keras.Model, file: str, without: Sequence[str]) -> None:
    """Writes what the model has, puts the file's values in their places, and has Keras read that."""
    with tempfile.TemporaryDirectory() as folder:
        mixed, given = os.path.join(folder, "mixed.weights.h5"), os.path.join(folder, "given")
        tf.io.gfile.copy(file, given)  # from wherever it is
        if file.endswith(".keras"):
            with zipfile.ZipFile(given) as archive:
                given = archive.extract(_IN_ARCHIVE, folder)
        model.save_weights(mixed)
        with h5py.File(mixed, "r+") as ours, h5py.File(given, "r") as theirs:
            own, found = _datasets(ours), _datasets(theirs)
            layers = {path: _layers(ours, path) for path in own}
            left_out = {path for path, inside in layers.items() if any(_is_like(name, without) for name in inside)}
            shapes = ({path: dataset.shape for path, dataset in each.items()} for each in (own, found))
            _check(*shapes, left_out, {path: "/".join(inside) for path, inside in layers.items()}, file)
            for path in own.keys() - left_out:
                own[path][...] = np.asarray(found[path])
        model.load_weights(mixed)


def _datasets(file: h5py.File) -> dict[str, h5py.Dataset]:
    """The weights by their paths. Links, which h5py does not follow here, may lead out of the file, as may what is refused."""
    found: dict[str, h5py.Dataset] = {}

    def visit(path: str, entry: h5py.Group | h5py.Dataset) -> None:
        if isinstance(entry, h5py.Dataset) and not path.startswith(f"{_OPTIMIZER}/"):
            if entry.external or entry.is_virtual:
                raise ValueError(f"values that lie in another file, at {path}")
            found[path] = entry

    file.visititems(visit)
    return found


def _layers(file: h5py.File, path: str) -> list[str]:
    """The names of the layers that the weight at `path` is in, from the outermost one."""
    parts = path.split("/")[:-2]
    places = ["/".join([*parts[:length], "vars"]) for length in range(1, len(parts) + 1)]
    return [str(file[place].attrs["name"]) for place in places if place in file and "name" in file[place].attrs]


def _check(own: Mapping[str, Shape], found: Mapping[str, Shape], left_out: set[str], said: Mapping[str, str], place: str) -> None:
    """Raises ConfigError where a weight of the model is not there, or has another shape, or there are others."""
    wanted, given = own.keys() - left_out, found.keys() - left_out
    if wanted != given:
        missing, more = sorted(wanted - given), sorted(given - wanted)
        clause = f"none for {listed([said[path] for path in missing])}" if missing else f"more of them, such as {listed(more[:1])}"
        raise _other_number(len(wanted), f"{len(given)}, {clause}", place)
    for path in own:
        if path not in left_out and own[path] != found[path]:
            raise ConfigError(
                f"Expected weights of the shape {own[path]} for '{said[path]}', as the model has it. "
                f"Received: {found[path]} in '{Path(place).name}'. Name the layer in `trainer.start_without`, and it starts anew."
            )


def _other_number(wanted: int, received: str, place: str) -> ConfigError:
    return ConfigError(
        f"Expected the model's {wanted} variables in '{Path(place).name}', for `trainer.start_from`. Received: {received}. {_NEXT}"
    )

"""`--model_config_file`, looked at again every so often: what it says is served, whatever was asked for in between."""

import contextlib
from collections.abc import Callable
from pathlib import Path

from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from serving.errors import ServingError
from serving.server.model_config import read_config_file
from serving.server.models import Models


class ConfigFile:
    """`tell` gets the line about an edit that cannot be served, once, and then everything goes on as before.

    `alongside` gives what changes together with the set of models: it is entered before anything is replaced, and may refuse the edit by
    a ServingError; it changes when the new set serves, and not where that fails.
    """

    def __init__(
        self,
        path: Path,
        models: Models,
        tell: Callable[[str], None],
        alongside: Callable[[ModelServerConfig], contextlib.AbstractContextManager[None]] = lambda config: contextlib.nullcontext(),
    ) -> None:
        self._path, self._models, self._tell, self._alongside = path, models, tell, alongside
        self._told = ""

    def poll(self) -> None:
        """One look. A model that has no version yet is not waited for: the next look may find it."""
        try:
            config = read_config_file(self._path)
            with self._alongside(config):
                self._models.reload(config, patience=0)
        except ServingError as error:
            if str(error) != self._told:
                self._told = str(error)
                self._tell(self._told)
        else:
            self._told = ""

"""The data plane over REST: routes, and what a ServingError becomes.

request line -> route -> DataPlane's method -> JSON; a ServingError becomes its status here and nowhere else
"""

import asyncio
import json
import logging
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import unquote

import numpy as np

from serving.errors import DeadlineExceededError, InvalidArgumentError, NotFoundError, ServingError, shortened
from serving.server.data_plane import DataPlane
from serving.server.grpc_transport import Log, Observers
from serving.server.logged_requests import logged_classify, logged_predict, logged_regress
from serving.server.model_spec import ModelSpec
from serving.server.reading import LARGE_BYTES, MANY_EXAMPLES, in_thread_if, read
from serving.server.rest_inference import read_examples, write_classification, write_metadata, write_regression
from serving.server.rest_json import is_row_format, parse_body, read_inputs, write_outputs
from serving.server.saved_model import DEFAULT_SIGNATURE, SavedModel, Signature

# A code that is not here is 500.
HTTP_STATUS = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "OUT_OF_RANGE": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "ABORTED": 409,
    "RESOURCE_EXHAUSTED": 429,
    "CANCELLED": 499,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}
JSON = "application/json"
_VERSION = r"(?:/versions/(?P<version>\d+)|/labels/(?P<label>[^/:]+))?"
_POST = re.compile(rf"/v1/models/(?P<name>[^/:]+){_VERSION}:(?P<method>classify|regress|predict)", re.IGNORECASE | re.ASCII)
_GET = re.compile(rf"/v1/models(?:/(?P<name>[^/:]+))?{_VERSION}(?:/(?P<method>metadata))?", re.IGNORECASE | re.ASCII)
_log = logging.getLogger(__name__)

Reply = tuple[int, str, bytes]
_Handle = Callable[[DataPlane, ModelSpec, bytes, Log | None], Awaitable[bytes]]
# Paths outside /v1/ that answer something of their own, such as the metrics.
Pages = Mapping[str, Callable[[], tuple[str, bytes]]]


async def predict(plane: DataPlane, spec: ModelSpec, body: bytes, log: Log | None) -> bytes:
    """POST /v1/models/NAME[/versions/V|/labels/L]:predict."""
    parsed = await read(len(body), parse_body, body)
    inputs: dict[str, np.ndarray] = {}

    async def read_named(signature: Signature) -> dict[str, np.ndarray]:
        inputs.update(await read(len(body), read_inputs, parsed, signature))
        return inputs

    named = _with_signature(spec, parsed)
    prediction = await plane.predict(named, read_named, find_signature=_find_signature)
    if log is not None:
        log.offer(spec.name, lambda: logged_predict(named, inputs, prediction.spec, prediction.outputs), len(body))
    values = sum(array.size for array in prediction.outputs.values())
    with plane.serializing(spec.name):
        return await in_thread_if(values > LARGE_BYTES, write_outputs, prediction.outputs, is_row_format(parsed))


async def classify(plane: DataPlane, spec: ModelSpec, body: bytes, log: Log | None) -> bytes:
    """POST /v1/models/NAME[/versions/V|/labels/L]:classify."""
    parsed = await read(len(body), parse_body, body)
    named, examples = _with_signature(spec, parsed), await read(len(body), read_examples, parsed)
    done = await plane.classify(named, examples)
    if log is not None:
        log.offer(spec.name, lambda: logged_classify(named, examples, done.specs[0], done.results[0]), len(body))
    return await in_thread_if(len(examples) > MANY_EXAMPLES, write_classification, done.results[0])


async def regress(plane: DataPlane, spec: ModelSpec, body: bytes, log: Log | None) -> bytes:
    """POST /v1/models/NAME[/versions/V|/labels/L]:regress."""
    parsed = await read(len(body), parse_body, body)
    named, examples = _with_signature(spec, parsed), await read(len(body), read_examples, parsed)
    done = await plane.regress(named, examples)
    if log is not None:
        log.offer(spec.name, lambda: logged_regress(named, examples, done.specs[0], done.results[0]), len(body))
    return await in_thread_if(len(examples) > MANY_EXAMPLES, write_regression, done.results[0])


async def get_model_status(plane: DataPlane, spec: ModelSpec, body: bytes, log: Log | None) -> bytes:
    """GET /v1/models/NAME[/versions/V|/labels/L]."""
    statuses = [
        {
            "version": str(status.version),
            "state": status.state.name,
            "status": {"error_code": status.error_code, "error_message": status.error_message},
        }
        for status in plane.get_model_status(spec)
    ]
    return json.dumps({"model_version_status": statuses}, indent=1).encode() + b"\n"


async def get_model_metadata(plane: DataPlane, spec: ModelSpec, body: bytes, log: Log | None) -> bytes:
    """GET /v1/models/NAME[/versions/V|/labels/L]/metadata."""
    return write_metadata(*plane.get_model_metadata(spec)) + b"\n"


_POSTED = {"predict": predict, "classify": classify, "regress": regress}


class RestTransport:
    """Answers requests by method, path and body; `pages` are told apart by their path, whatever the method."""

    def __init__(self, plane: DataPlane, observers: Observers, pages: Pages, answer_seconds: float | None = None) -> None:
        self._plane, self._observers, self._pages, self._answer_seconds = plane, observers, pages, answer_seconds

    async def answer(self, method: str, path: str, body: bytes) -> Reply:
        """HTTP status, content type and body of one request, whatever it is. `path` as it was sent."""
        if path.partition("?")[0] in self._pages:
            return (200, *self._pages[path.partition("?")[0]]())
        started = time.monotonic()
        api, spec, code = "", ModelSpec(""), "OK"
        try:
            with self._observers.door:
                handle, spec = _route(method, path)
                api = handle.__name__
                return 200, JSON, await self._in_time(handle(self._plane, spec, body, self._observers.log))
        except ServingError as error:
            code = error.code
            return HTTP_STATUS.get(code, 500), JSON, _error_body(str(error))
        except Exception as error:  # noqa: BLE001 - a bug in one answer must be that caller's 500, not a traceback on the screen
            _log.debug("request failed", exc_info=True)
            code = "INTERNAL"
            return 500, JSON, _error_body(f"{type(error).__name__}: {error}")
        finally:
            self._observers.watch.request(spec.name, api, "REST", code, time.monotonic() - started)

    async def _in_time(self, answer: Awaitable[bytes]) -> bytes:
        """What is answered; a run of the model that has begun goes on when time is over. Raises DeadlineExceededError."""
        try:
            async with asyncio.timeout(self._answer_seconds) as scope:
                return await answer
        except TimeoutError as error:
            if not scope.expired():
                raise
            raise DeadlineExceededError(f"Timed out after {1000 * self._answer_seconds:g} ms (--rest_api_timeout_in_ms).") from error


def _route(method: str, path: str) -> tuple[_Handle, ModelSpec]:
    if not path.lower().startswith("/v1/"):
        raise NotFoundError(f"Not found: {path}")
    method = "GET" if method == "HEAD" else method  # the answer's headers are the same, and the server leaves its body out
    match = {"POST": _POST, "GET": _GET}[method].fullmatch(path) if method in ("POST", "GET") else None
    if match is None or (method == "POST" and match["method"] not in _POSTED):  # paths in any case, methods only in lower case
        raise InvalidArgumentError(f"Malformed request: {method} {path}")
    if match["name"] is None:
        raise InvalidArgumentError("Missing model name in request.")
    spec = ModelSpec(unquote(match["name"]), _version(match["version"]), version_label=unquote(match["label"] or ""))
    if method == "GET":
        return (get_model_metadata if match["method"] else get_model_status), spec
    return _POSTED[match["method"]], spec


def _version(text: str | None) -> int | None:
    """The digits' number; so many that Python will not convert them are none either."""
    if text is None:
        return None
    digits = text.lstrip("0")
    if len(digits) > len(str(2**63)) or int(digits or "0") >= 2**63:
        raise InvalidArgumentError(f"Failed to convert version: {text} to numeric.")
    return int(digits or "0")


def _find_signature(model: SavedModel, name: str) -> Signature:
    """As over gRPC, but an unknown one is told with other words."""
    if (name or DEFAULT_SIGNATURE) not in model.signature_defs:
        raise InvalidArgumentError(f'Serving signature name: "{name or DEFAULT_SIGNATURE}" not found in signature def')
    return model.signature(name)


def _with_signature(spec: ModelSpec, parsed: Mapping[str, Any]) -> ModelSpec:
    return ModelSpec(spec.name, spec.version, parsed.get("signature_name", ""), spec.version_label)


def _error_body(message: str) -> bytes:
    return json.dumps({"error": shortened(message)}, ensure_ascii=False).encode("utf-8", "replace")

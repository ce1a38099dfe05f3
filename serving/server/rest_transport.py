"""The data plane over REST: routes, and what a ServingError becomes.

request line -> route -> DataPlane's method -> JSON; a ServingError becomes its status here and nowhere else
"""

import json
import logging
import re
from collections.abc import Callable

from serving.errors import InvalidArgumentError, NotFoundError, ServingError
from serving.server.data_plane import DataPlane, ModelSpec
from serving.server.rest_json import is_row_format, parse_body, read_inputs, write_outputs

# A code that is not here is 500.
HTTP_STATUS = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "NOT_FOUND": 404,
    "RESOURCE_EXHAUSTED": 429,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}
_MODEL = r"/v1/models/(?P<name>[^/:]+)(?:/versions/(?P<version>\d+))?"
_log = logging.getLogger(__name__)


def predict(plane: DataPlane, spec: ModelSpec, body: bytes) -> bytes:
    """POST /v1/models/NAME[/versions/V]:predict."""
    parsed = parse_body(body)
    named = ModelSpec(spec.name, spec.version, parsed.get("signature_name", ""))
    prediction = plane.predict(named, lambda signature: read_inputs(parsed, signature))
    return write_outputs(prediction.outputs, row=is_row_format(parsed))


def get_model_status(plane: DataPlane, spec: ModelSpec, body: bytes) -> bytes:
    """GET /v1/models/NAME[/versions/V]."""
    statuses = [
        {
            "version": str(status.version),
            "state": status.state.name,
            "status": {"error_code": status.error_code, "error_message": status.error_message},
        }
        for status in plane.get_model_status(spec)
    ]
    return json.dumps({"model_version_status": statuses}, indent=1).encode()


_ROUTES: list[tuple[str, re.Pattern[str], Callable[[DataPlane, ModelSpec, bytes], bytes]]] = [
    ("POST", re.compile(_MODEL + ":predict"), predict),
    ("GET", re.compile(_MODEL), get_model_status),
]


def answer(plane: DataPlane, method: str, path: str, body: bytes) -> tuple[int, bytes]:
    """The HTTP status and the JSON body of one request, whatever it is."""
    try:
        return 200, _route(plane, method, path, body)
    except ServingError as error:
        return HTTP_STATUS.get(error.code, 500), _error_body(str(error))
    except Exception as error:  # noqa: BLE001 - a bug in one answer must be that caller's 500, not a traceback on the screen
        _log.debug("request failed", exc_info=True)
        return 500, _error_body(f"{type(error).__name__}: {error}")


def _error_body(message: str) -> bytes:
    return json.dumps({"error": message}, ensure_ascii=False).encode("utf-8", "replace")


def _route(plane: DataPlane, method: str, path: str, body: bytes) -> bytes:
    for verb, pattern, handle in _ROUTES:
        match = pattern.fullmatch(path)
        if verb == method and match:
            return handle(plane, ModelSpec(match["name"], _version(match["version"])), body)
    if not path.startswith("/v1/"):
        raise NotFoundError(f"Not found: {path}")
    raise InvalidArgumentError(f"Malformed request: {method} {path}")


def _version(text: str | None) -> int | None:
    if text is not None and int(text) >= 2**63:
        raise InvalidArgumentError(f"Failed to convert version: {text} to numeric.")
    return None if text is None else int(text)

"""The one rooted error family of serving, shared by the server (which raises) and the client (which gets them back).

An error knows its status: `code` is the name of a canonical gRPC status code. What a code becomes on the wire is decided by each
transport in one place (`grpc.StatusCode[error.code]`, `serving.server.rest_transport.HTTP_STATUS`), and read back by `error_for_code`.
"""

_MOST_MESSAGE_BYTES = 4096


class ServingError(Exception):
    """A failure that its message explains in one line; shown without a traceback. `exit_status` is what a command ends with."""

    code = "INTERNAL"
    exit_status = 1


class InvalidArgumentError(ServingError):
    """The request cannot be answered as it is: inputs, dtypes, shapes or bytes are wrong."""

    code = "INVALID_ARGUMENT"


class NotFoundError(ServingError):
    """No such model, or no such version of it."""

    code = "NOT_FOUND"


class FailedPreconditionError(ServingError):
    """The model is there but cannot do what is asked: no such signature."""

    code = "FAILED_PRECONDITION"


class PermissionDeniedError(ServingError):
    """The server does not do this for its callers."""

    code = "PERMISSION_DENIED"


class ResourceExhaustedError(ServingError):
    """The server or the machine has run out of room for this request."""

    code = "RESOURCE_EXHAUSTED"


class UnimplementedError(ServingError):
    """The server does not know this method or cannot represent this type."""

    code = "UNIMPLEMENTED"


class UnavailableError(ServingError):
    """No server answers at the address, or it is shutting down."""

    code = "UNAVAILABLE"


class DeadlineExceededError(ServingError):
    """The answer did not come within the deadline."""

    code = "DEADLINE_EXCEEDED"


class InputFileError(ServingError):
    """A file that was named for prediction is missing or is no image."""

    code = "INVALID_ARGUMENT"
    exit_status = 2


class NoSuchModelError(ServingError):
    """No model was named, and the server has none of those that it could be."""

    code = "NOT_FOUND"
    exit_status = 2


class StartError(ServingError):
    """The server cannot start as asked: a busy port, an address that is not this machine's."""

    code = "FAILED_PRECONDITION"
    exit_status = 2


_BY_CODE = {
    error.code: error
    for error in (
        InvalidArgumentError,
        NotFoundError,
        FailedPreconditionError,
        PermissionDeniedError,
        ResourceExhaustedError,
        UnimplementedError,
        UnavailableError,
        DeadlineExceededError,
    )
}


def shortened(message: str) -> str:
    """At most so much of it as gRPC's trailing metadata (8 KB) holds, where every byte that is no printable ASCII takes three."""
    if len(message) <= _MOST_MESSAGE_BYTES // 12:  # four bytes of UTF-8, each as %XX
        return message
    room = _MOST_MESSAGE_BYTES
    for position, character in enumerate(message):
        room -= 1 if " " <= character <= "~" and character != "%" else 3 * len(character.encode("utf-8", "surrogatepass"))
        if room < 0:
            return message[:position] + "..."
    return message


def error_for_code(code: str, message: str) -> ServingError:
    """The error of a status code's name (`"NOT_FOUND"`); one that has no class of its own is a plain `ServingError` with that code."""
    if code in _BY_CODE:
        return _BY_CODE[code](message)
    error = ServingError(message)
    error.code = code
    return error

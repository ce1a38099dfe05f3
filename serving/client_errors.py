"""gRPC's errors as this family's: typed, and in the server's own words."""

import shlex

import grpc

from serving.errors import DeadlineExceededError, ServingError, UnavailableError, error_for_code

_SHUTTING_DOWN = "shutting down"


def client_error(error: grpc.RpcError, address: str, model_name: str, deadline: float) -> ServingError:
    """The ServingError of a failed call."""
    code, details = error.code(), error.details() or error.code().name
    # A request that reaches a server in the moment it goes may be CANCELLED by gRPC; this client waits for all it sends.
    if code == grpc.StatusCode.CANCELLED or (code == grpc.StatusCode.UNAVAILABLE and _is_grpcs_own(details)):
        return UnavailableError(
            f"No server answers at {address}. Start one: tapeline serve --model_name {shlex.quote(model_name)}; or name another address."
        )
    if code == grpc.StatusCode.DEADLINE_EXCEEDED:
        return DeadlineExceededError(f"No answer from {address} within {deadline:g} seconds.")
    return error_for_code(code.name, details)


def _is_grpcs_own(details: str) -> bool:
    """Whether gRPC could not connect, as opposed to a server that says it cannot answer now."""
    return any(
        text in details for text in ("failed to connect", "Connection refused", "Socket closed", "DNS", "connections to all", "GOAWAY")
    )

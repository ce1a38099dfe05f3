"""How a client reaches its server: the channel's options, retries and credentials.

Retries and round-robin are gRPC's own: only UNAVAILABLE is tried again, with exponential back-off and jitter, and never past the deadline.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import grpc

_RETRY_BUFFER = 64 * 1024 * 1024  # bytes of a request that are kept to be sent again; gRPC's own 256 KiB is one large image


@dataclass(frozen=True)
class Retries:
    """A request that finds no server is sent `attempts` times in all, 0.05 s, 0.1 s ... 1 s apart, each with jitter."""

    attempts: int = 4
    initial_backoff: float = 0.05
    max_backoff: float = 1.0


@dataclass(frozen=True)
class Tls:
    """PEM text or paths of PEM files. `ca`: who signed the server's certificate (the system's authorities by default)."""

    ca: bytes | str | Path | None = None
    cert: bytes | str | Path | None = None
    key: bytes | str | Path | None = None

    def credentials(self) -> grpc.ChannelCredentials:
        """Raises OSError for a file that cannot be read."""
        return grpc.ssl_channel_credentials(_pem(self.ca), _pem(self.key), _pem(self.cert))


def channel_options(address: str, retries: Retries) -> list[tuple[str, int | str]]:
    """Messages of any size, requests spread over all addresses that the name stands for, retries."""
    options: list[tuple[str, int | str]] = [
        ("grpc.max_send_message_length", -1),
        ("grpc.max_receive_message_length", -1),
        ("grpc.service_config", json.dumps(_service_config(retries))),
        ("grpc.per_rpc_retry_buffer_size", _RETRY_BUFFER),
    ]
    if address.startswith(("127.", "localhost:", "[::1]:")):  # a proxy from the environment cannot reach this machine's own server
        options.append(("grpc.enable_http_proxy", 0))
    return options


def _service_config(retries: Retries) -> dict:
    config: dict = {"loadBalancingConfig": [{"round_robin": {}}]}
    if retries.attempts > 1:
        policy = {
            "maxAttempts": min(retries.attempts, 5),  # gRPC allows no more
            "initialBackoff": f"{retries.initial_backoff:.3f}s",
            "maxBackoff": f"{retries.max_backoff:.3f}s",
            "backoffMultiplier": 2,
            "retryableStatusCodes": ["UNAVAILABLE"],
        }
        config["methodConfig"] = [{"name": [{}], "retryPolicy": policy}]
    return config


def _pem(value: bytes | str | Path | None) -> bytes | None:
    if value is None or isinstance(value, bytes):
        return value
    return value.encode() if isinstance(value, str) and value.lstrip().startswith("-----BEGIN") else Path(value).read_bytes()

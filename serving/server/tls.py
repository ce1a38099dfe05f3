"""TLS for the gRPC port: `--ssl_config_file`, an SSLConfig text file as tensorflow_model_server reads it -> keys and certificates, checked.

The values are PEM text, as there; the name of a PEM file is taken as well. Imports neither TensorFlow nor gRPC, so that a mistake is
said at once.
"""

import ssl
import tempfile
from dataclasses import dataclass
from pathlib import Path

from serving.errors import StartError
from serving.server import text_file
from serving.server.server_config_pb2 import SSLConfig

_PEM = "-----BEGIN"
_EXAMPLE = r'server_key: "-----BEGIN PRIVATE KEY-----\n..." server_cert: "..."'


@dataclass(frozen=True)
class Tls:
    """PEM bytes. With `client_verify` only clients whose certificate `custom_ca` signed are served (mutual TLS)."""

    server_key: bytes
    server_cert: bytes
    custom_ca: bytes | None = None
    client_verify: bool = False


def read_ssl_config(path: Path) -> Tls:
    """Raises StartError for a file that cannot be read, and for keys and certificates that do not fit each other."""
    message = text_file.read("--ssl_config_file", path, SSLConfig(), _EXAMPLE)
    tls = Tls(
        _pem(path, "server_key", message.server_key),
        _pem(path, "server_cert", message.server_cert),
        _pem(path, "custom_ca", message.custom_ca) if message.custom_ca or message.client_verify else None,
        message.client_verify,
    )
    try:
        _check(tls)
    except (ssl.SSLError, ValueError) as error:
        raise StartError(
            f"--ssl_config_file {path}: the server's key, its certificate and custom_ca do not make a TLS server: {error}"
        ) from error
    return tls


def _pem(config: Path, field: str, value: str) -> bytes:
    if value.lstrip().startswith(_PEM):
        return value.encode()
    try:
        content = Path(value).read_bytes() if value else b""
    except (OSError, ValueError) as error:
        raise StartError(f"--ssl_config_file {config}: {field} is neither PEM text nor a file that can be read: {value[:80]!r}") from error
    if _PEM.encode() not in content:
        raise StartError(f"--ssl_config_file {config}: expected {field} to be PEM text ({_PEM} ...), received {value[:80]!r}")
    return content


def _check(tls: Tls) -> None:
    """Raises what Python says of it; gRPC would take anything and then close every connection. Python wants the key in a file."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        key, certificate = Path(folder, "key.pem"), Path(folder, "cert.pem")
        key.touch(mode=0o600)
        key.write_bytes(tls.server_key)
        certificate.write_bytes(tls.server_cert)
        context.load_cert_chain(certificate, key, password=_no_password)
    if tls.custom_ca:
        context.load_verify_locations(cadata=tls.custom_ca.decode())


def _no_password() -> str:
    raise ValueError("the key is encrypted; expected one without a password")

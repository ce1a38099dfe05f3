"""How Kubeflow Pipelines is reached, checked before anything is sent: its address, and what proves who we are.

A token is only ever read and sent; no message holds it.
"""

import ipaddress
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from pipeline.plain import command
from trainer.errors import ConfigError, TapelineError

HOST_VARIABLE = "TAPELINE_KFP_HOST"
TOKEN_VARIABLE = "KF_PIPELINES_SA_TOKEN_PATH"  # noqa: S105 - KFP's own name for the path of a token
_TOKEN = re.compile(r"[\x21-\x7e]+")  # anything else would end up in http.client's message about a bad header


@dataclass(frozen=True)
class Connection:
    """Where KFP is and as whom to ask.

    Attributes:
      host: base URL of the API, without a slash at its end.
      namespace: the profile's; None where KFP has no profiles.
      token_file: file that is read anew for each request, since Kubernetes replaces it.
      gke_identity: ask as Google's Application Default Credentials.
    """

    host: str
    namespace: str | None = None
    token_file: Path | None = None
    gke_identity: bool = False

    @property
    def is_nobody(self) -> bool:
        """Whether it asks without any proof of who it is."""
        return not (self.gke_identity or self.token_file)

    @property
    def who(self) -> str:
        """As whom it asks, in words."""
        if self.gke_identity:
            return "the token of GKE's identity"
        return f"the token in {self.token_file}" if self.token_file else "no token"

    def command(self, *words: str) -> str:
        """A command line that asks the same KFP."""
        options = ["--host", self.host] if os.environ.get(HOST_VARIABLE, "").rstrip("/") != self.host else []
        options += ["--namespace", self.namespace] if self.namespace else []
        if self.gke_identity:
            options.append("--gke-identity")
        elif self.token_file and str(self.token_file) != os.environ.get(TOKEN_VARIABLE):
            options += ["--token-file", str(self.token_file)]
        return command("kubeflow", *words, *options)


def connection(
    host: str | None, namespace: str | None = None, token_file: Path | None = None, gke_identity: bool = False, insecure: bool = False
) -> Connection:
    """The connection that the options and the environment describe.

    Args:
      host: TAPELINE_KFP_HOST's if None.
      namespace: of the runs; None where KFP has no profiles.
      token_file: KF_PIPELINES_SA_TOKEN_PATH's if None, which is where a pod finds it.
      gke_identity: use Google's Application Default Credentials instead; not together with `token_file`.
      insecure: send a token over plain HTTP all the same.

    Raises:
      ConfigError: it does not add up, or would show a token to the network.
    """
    url = _url(host or os.environ.get(HOST_VARIABLE) or "")
    if token_file is None and not gke_identity and os.environ.get(TOKEN_VARIABLE):
        token_file = Path(os.environ[TOKEN_VARIABLE])
    if token_file:
        _read(token_file)
    if (token_file or gke_identity) and not insecure and not _is_private(url):
        raise ConfigError(
            f"Expected --host with https://, since a token is sent to it. Received: '{url}'. Plain HTTP is for this machine and for names "
            "inside a cluster; --insecure sends the token all the same."
        )
    return Connection(url, namespace or None, token_file, gke_identity)


def token_source(given: Connection) -> Callable[[], str] | None:
    """What gives the token of now, asked before each request; None where nothing is to be proved. Raises ConfigError, TapelineError."""
    if given.gke_identity:
        return _google_tokens()
    if given.token_file:
        return lambda: _read(given.token_file)
    return None


def _url(host: str) -> str:
    if not host:
        raise ConfigError(f"Expected --host URL of Kubeflow Pipelines, or {HOST_VARIABLE}. Received: none. http://127.0.0.1:8888 is that "
                          "of `kubectl port-forward -n kubeflow svc/ml-pipeline 8888`.")  # fmt: skip
    try:
        parts = urlsplit(host)
        is_right = parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.query and not parts.fragment
        is_right = is_right and (parts.port is None or parts.port > 0)
    except ValueError:
        is_right = False
    if not is_right:
        raise ConfigError(f"Expected --host as a URL, like http://127.0.0.1:8888 or https://HOST/pipeline. Received: '{host}'.")
    if "@" in parts.netloc:
        raise ConfigError("Expected --host without a user and a password; --token-file proves who you are.")
    return host.rstrip("/")


def _is_private(url: str) -> bool:
    """Whether what is sent there is encrypted, or stays on this machine or in the cluster."""
    parts = urlsplit(url)
    name = (parts.hostname or "").rstrip(".")
    if parts.scheme == "https" or name == "localhost" or name.endswith((".svc", ".cluster.local")):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        # SERVICE, and in a pod SERVICE.NAMESPACE: elsewhere that may be a name of the internet.
        return "." not in name or ("KUBERNETES_SERVICE_HOST" in os.environ and name.count(".") == 1)


def _read(file: Path | None) -> str:
    try:
        token = Path(file or "").read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise ConfigError(
            f"Expected --token-file, or {TOKEN_VARIABLE}, to name a file with a token. Received: '{file}': {reason}."
        ) from None
    if not _TOKEN.fullmatch(token):
        raise ConfigError(f"Expected one token in '{file}'. Received: {'nothing' if not token else 'spaces or lines in it'}.")
    return token


def _google_tokens() -> Callable[[], str]:
    """Tokens of the Application Default Credentials: on GKE those of the pod's service account, fresh when the last has run out."""
    import google.auth
    import google.auth.transport.requests
    from google.auth import exceptions

    try:
        found, _ = google.auth.default(scopes=["https://www.googleapis.com/auth/cloud-platform"])
    except exceptions.GoogleAuthError as error:
        raise ConfigError(f"Expected Google's Application Default Credentials with --gke-identity. Received: {_line(error)}") from None

    def token() -> str:
        try:
            if not found.valid:
                found.refresh(google.auth.transport.requests.Request())
        except exceptions.GoogleAuthError as error:
            raise TapelineError(f"Expected a token of GKE's identity. Received: {_line(error)}") from None
        return found.token

    return token


def _line(error: Exception) -> str:
    return " ".join(str(error.args[0] if error.args else error).split())[:300]

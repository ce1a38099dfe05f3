"""Who may ask for other models: a HandleReloadConfigRequest names folders, and a model may read any file that the server may.

Imports nothing slow.
"""

import ipaddress


def refusal(*, allowed: bool | None, bind_address: str) -> str:
    """What such a request is answered, `""` where it is taken. `allowed`: None where the operator has not said; then only on loopback."""
    if is_loopback(bind_address) if allowed is None else allowed:
        return ""
    return (
        "Expected models to be listed by the operator, in --model_config_file, which is looked at again every "
        f"--model_config_file_poll_wait_seconds. Received: a HandleReloadConfigRequest; this server listens on {bind_address} and does not "
        "take it. --allow_reload_requests takes it from everybody who reaches the gRPC port."
    )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens there. Of names only `localhost` is known to be such."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

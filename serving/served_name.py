"""Which of the models that were pushed here a server has, so that nobody asks it for another one."""

from collections.abc import Sequence

from serving.channel import Tls
from serving.client import Client
from serving.errors import NoSuchModelError, NotFoundError, ServingError


def served_name(names: Sequence[str], server: str, deadline: float, tls: Tls | None = None) -> str:
    """The first of `names` that the server at HOST:PORT knows. Where it does not answer, the first of all: who asks it then is told why.

    Raises NoSuchModelError for none.
    """
    for name in names:
        try:
            with Client(server, model_name=name, deadline=deadline, tls=tls) as client:
                client.status()
        except NotFoundError:
            continue
        except ServingError:
            return names[0]
        return name
    raise NoSuchModelError(
        f"Expected --model_name: the server at {server} has none of the models that were pushed here: {', '.join(names)}."
    )

"""How clients reach their servers: TLS, mutual TLS, and several addresses behind one name."""

import asyncio
from concurrent import futures

import grpc
import pytest

from serving import prediction_pb2 as pb
from serving.aio_client import AsyncClient
from serving.channel import Tls
from serving.client import Client
from serving.errors import UnavailableError
from tests.serving.server.test_tls import Authority


@pytest.fixture(scope="module")
def authority():
    """Who signs the certificates that count."""
    return Authority("authority")


@pytest.fixture
def server():
    """server(credentials=None): port of a server that knows the status of every model, and a list with an entry a request."""
    started = []

    def start(credentials=None):
        asked = []

        def answer(request, context):
            asked.append(request)
            return pb.GetModelStatusResponse(model_version_status=[{"version": 7, "state": 30}]).SerializeToString()

        handler = grpc.method_handlers_generic_handler(
            "tensorflow.serving.ModelService", {"GetModelStatus": grpc.unary_unary_rpc_method_handler(answer)}
        )
        here = grpc.server(futures.ThreadPoolExecutor(2), handlers=[handler])
        port = here.add_secure_port("127.0.0.1:0", credentials) if credentials else here.add_insecure_port("127.0.0.1:0")
        here.start()
        started.append(here)
        return port, asked

    yield start
    for here in started:
        here.stop(None)


def _statuses(address, tls, of):
    """What `of`, a client's class, answers."""
    if of is Client:
        with Client(address, model_name="m", tls=tls, deadline=5) as client:
            return client.status()

    async def ask():
        async with AsyncClient(address, model_name="m", tls=tls, deadline=5) as client:
            return await client.status()

    return asyncio.run(ask())


BOTH = pytest.mark.parametrize("of", [Client, AsyncClient])


@BOTH
@pytest.mark.parametrize("as_file", [False, True], ids=["text", "file"])
def test_a_client_that_knows_the_servers_authority_is_answered(server, authority, tmp_path, of, as_file):
    key, certificate = (text.encode() for text in authority.pair("server"))
    port, _ = server(grpc.ssl_server_credentials([(key, certificate)]))
    ca = authority.certificate
    if as_file:
        ca = tmp_path / "ca.pem"
        ca.write_text(authority.certificate)
    [status] = _statuses(f"127.0.0.1:{port}", Tls(ca=ca), of)
    assert status.version == 7


@BOTH
def test_a_server_signed_by_another_authority_is_not_trusted(server, authority, of):
    key, certificate = (text.encode() for text in Authority("other").pair("server"))
    port, asked = server(grpc.ssl_server_credentials([(key, certificate)]))
    with pytest.raises(UnavailableError):
        _statuses(f"127.0.0.1:{port}", Tls(ca=authority.certificate), of)
    assert asked == []


@BOTH
def test_mutual_tls_answers_only_a_client_with_a_certificate(server, authority, of):
    key, certificate = (text.encode() for text in authority.pair("server"))
    mutual = grpc.ssl_server_credentials([(key, certificate)], authority.certificate.encode(), require_client_auth=True)
    port, asked = server(mutual)
    own_key, own_certificate = authority.pair("client")
    with pytest.raises(UnavailableError):
        _statuses(f"127.0.0.1:{port}", Tls(ca=authority.certificate), of)
    assert asked == []
    [status] = _statuses(f"127.0.0.1:{port}", Tls(ca=authority.certificate, key=own_key, cert=own_certificate), of)
    assert status.version == 7


@BOTH
def test_requests_are_spread_over_all_addresses(server, of):
    servers = [server() for _ in range(3)]
    address = "ipv4:" + ",".join(f"127.0.0.1:{port}" for port, _ in servers)
    requests = 30

    async def ask_all():
        async with AsyncClient(address, model_name="m") as client:
            for _ in range(requests):
                await client.status()

    if of is Client:
        with Client(address, model_name="m") as client:
            for _ in range(requests):
                client.status()
    else:
        asyncio.run(ask_all())
    assert sum(len(asked) for _, asked in servers) == requests
    assert min(len(asked) for _, asked in servers) > 0


def test_a_server_that_goes_away_is_passed_over(server):
    servers = [server() for _ in range(2)]
    address = "ipv4:" + ",".join(f"127.0.0.1:{port}" for port, _ in servers) + ",127.0.0.1:1"  # nobody listens there
    with Client(address, model_name="m", deadline=5) as client:
        assert [client.status()[0].version for _ in range(10)] == [7] * 10

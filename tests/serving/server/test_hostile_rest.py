"""What the REST port refuses of callers that it does not know, over a real socket; the next request is answered all the same."""

import asyncio
import contextlib
import gzip
import http.client
import json
import socket
import threading
import tracemalloc

import pytest

from serving.server import rest_server, rest_transport
from serving.server.descriptors import connections_per_port
from serving.server.event_loop import EventLoop
from serving.server.ports import bind_rest
from serving.server.rest_limits import RestLimits
from serving.server.rest_server import RestServer


@pytest.fixture
def serve():
    """Called with limits: the port of a server that answers with the body's length."""
    running = []

    async def answer(method, path, body):
        return 200, "application/json", json.dumps(len(body)).encode()

    def start(address="127.0.0.1", **limits):
        listener, loop = bind_rest(address, 0), EventLoop()

        async def make():
            server = RestServer(listener, answer, RestLimits(**limits))
            await server.start()
            return server

        running.append((loop, loop.run(make())))
        return listener.getsockname()[1]

    yield start
    for loop, server in running:
        loop.run(server.stop())
        loop.stop()


def post(port, body, **headers):
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
        connection.request("POST", "/", body, headers)
        response = connection.getresponse()
        return response.status, json.loads(response.read())


def ask(port, data):
    """Everything that comes until the server closes the connection."""
    with socket.create_connection(("127.0.0.1", port), 20) as connection:
        connection.sendall(data)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_a_body_has_a_size_whether_or_not_it_says_so(serve):
    port = serve(body_bytes=1000)
    assert post(port, b"a" * 1000) == (200, 1000)
    assert post(port, b"a" * 1001)[0] == 413
    assert post(port, iter([b"a" * 600] * 2))[0] == 413
    assert b" 413 " in ask(port, b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n")


@pytest.mark.parametrize(("size", "status"), [(1000, 200), (1001, 413), (2**16, 413)])
def test_a_compressed_body_is_measured_while_it_is_inflated(serve, size, status):
    packed = gzip.compress(b"a" * size)
    assert len(packed) < 1000
    assert post(serve(body_bytes=1000), packed, **{"Content-Encoding": "gzip"})[0] == status


def test_of_a_compressed_body_no_more_is_inflated_than_a_body_may_have(serve):
    packed, port = gzip.compress(b"\0" * 2**26), serve(body_bytes=2**20)
    tracemalloc.start()
    try:
        assert post(port, packed, **{"Content-Encoding": "gzip"})[0] == 413
        assert tracemalloc.get_traced_memory()[1] < 2**24
    finally:
        tracemalloc.stop()


def test_a_compressed_body_that_is_none_is_the_callers_fault(serve):
    port, packed = serve(), gzip.compress(b"abc")
    assert post(port, packed, **{"Content-Encoding": "gzip"}) == (200, 3)
    for body, encoding in ((packed[:-1], "gzip"), (packed + b"x", "gzip"), (b"abc", "gzip"), (packed, "br")):
        status, answer = post(port, body, **{"Content-Encoding": encoding})
        assert (status, list(answer)) == (400, ["error"])


def test_large_bodies_under_way_are_bounded_together_and_small_ones_go_on(serve):
    port = serve(body_bytes=100_000)
    with contextlib.ExitStack() as held:
        for _ in range(3):
            connection = held.enter_context(socket.create_connection(("127.0.0.1", port), 20))
            connection.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 90000\r\n\r\n" + b"a" * 89_999)
        assert connection.recv(100).startswith(b"HTTP/1.1 503")
        assert post(port, b"a") == (200, 1)


def test_a_connection_without_a_request_and_a_body_that_never_comes_are_ended(serve):
    port = serve(idle_seconds=0.2, body_seconds=0.2)
    assert ask(port, b"") == b""
    assert ask(port, b"GET / HTTP/1.1\r\nHo") == b""
    assert b" 408 " in ask(port, b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nab")
    assert b" 200 " in ask(port, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")


@pytest.mark.parametrize(
    "said", [b"", b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n"], ids=["silent", "half a request"]
)
def test_a_new_connection_takes_the_place_of_the_one_that_has_been_idle_longest(serve, said):
    port = serve(connections=4)
    with contextlib.ExitStack() as held:
        connections = []
        for _ in range(12):
            connections.append(held.enter_context(socket.create_connection(("127.0.0.1", port), 20)))
            connections[-1].sendall(said)
        assert post(port, b"abc") == (200, 3)
        assert all(closed(connection) for connection in connections[:8])


def closed(connection):
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def test_both_ports_leave_descriptors_to_the_models():
    assert connections_per_port(1024) * 2 + 200 < 1024
    assert connections_per_port(1_000_000) == 4096


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", b"200"),
        ("LOCALHOST:8501", b"200"),
        ("localhost.", b"200"),
        ("127.0.0.1:1", b"200"),
        ("127.1.2.3", b"200"),
        ("[::1]:8501", b"200"),
        ("models.example", b"200"),
        ("evil.example", b"403"),
        ("evil.example:8501", b"403"),
        ("127.0.0.1.evil.example", b"403"),
        ("10.0.0.1", b"403"),
        ("", b"403"),
    ],
)
def test_on_a_loopback_address_only_this_machines_names_are_answered_and_those_that_are_allowed(serve, host, status):
    port = serve(hosts=["models.example"])
    request = f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
    assert ask(port, request).split()[1] == status


@pytest.mark.parametrize(
    ("target", "host", "status"),
    [
        ("http://localhost:8501/", "evil.example", b"200"),
        ("HTTP://127.0.0.1", "evil.example", b"200"),
        ("http://evil.example/", "localhost", b"403"),
        ("http://evil.example", "localhost", b"403"),
        ("http://localhost@evil.example/", "localhost", b"403"),
        ("https://evil.example?localhost/", "localhost", b"403"),
    ],
)
def test_the_host_of_a_whole_url_counts_before_that_of_the_header(serve, target, host, status):
    request = f"GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
    assert ask(serve(), request).split()[1] == status


@pytest.mark.parametrize(("host", "size", "status"), [("localhost", 1001, b"413"), ("evil.example", 1000, b"403")])
def test_who_is_refused_is_not_told_to_send_its_body_before(serve, host, size, status):
    request = f"POST / HTTP/1.1\r\nHost: {host}\r\nExpect: 100-continue\r\nContent-Length: {size}\r\n\r\n".encode()
    assert ask(serve(body_bytes=1000), request).split()[1] == status


def test_on_another_address_any_name_is_answered_unless_names_are_given(serve):
    request = b"GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n"
    assert b" 200 " in ask(serve("0.0.0.0"), request)  # noqa: S104 - that is what is tested
    assert b" 403 " in ask(serve("0.0.0.0", hosts=["models.example"]), request)  # noqa: S104


def test_head_is_answered_like_get_without_its_body_and_waits_for_none(served):
    port = int(served.rest.rpartition(":")[2])
    for path, status in (("/v1/models/digits", b"200"), ("/v1/models/digits/metadata", b"200"), ("/v1/models/x", b"404"), ("/x", b"404")):
        for more in ("Connection: close\r\n", "Content-Length: 5\r\n"):
            head, _, body = ask(port, f"HEAD {path} HTTP/1.1\r\nHost: localhost\r\n{more}\r\n".encode()).partition(b"\r\n\r\n")
            assert (head.split()[1], body) == (status, b"")


DEEP = b"[" * 40 + b"1" + b"]" * 40
CALLERS_FAULTS = {
    "a version of 4,300 digits": (f"digits/versions/{'1' * 4301}:predict", b"{}"),
    "more than 32 dimensions, rows": ("digits:predict", b'{"signature_name": "add", "inputs": {"b": 1, "a": ' + DEEP + b"}}"),
    "more than 32 dimensions, columns": ("digits:predict", b'{"signature_name": "echo", "instances": ' + DEEP + b"}"),
    "-10^400": ("digits:classify", b'{"examples": [{"x": -1' + b"0" * 400 + b"}]}"),
    "half a surrogate pair": ("digits:classify", b'{"examples": [{"\\ud800": 1.0}]}'),
    "half a surrogate pair in the context": ("digits:regress", b'{"context": {"\\udfff": 1.0}, "examples": [{}]}'),
    "a number of 5,000 digits": ("digits:predict", b'{"instances": [' + b"1" * 5000 + b"]}"),
    "a signature's name of a megabyte": ("digits:predict", b'{"signature_name": "' + b"a" * 2**20 + b'", "instances": [1]}'),
}


@pytest.mark.parametrize(("path", "body"), CALLERS_FAULTS.values(), ids=CALLERS_FAULTS)
def test_what_is_wrong_with_a_callers_bytes_is_the_callers_fault_in_few_words(served, path, body):
    with contextlib.closing(http.client.HTTPConnection(served.rest, timeout=20)) as connection:
        connection.request("POST", f"/v1/models/{path}", body)
        response = connection.getresponse()
        text = response.read()
    assert (response.status, list(json.loads(text))) == (400, ["error"])
    assert len(text) < 8192


@pytest.fixture
def readers(monkeypatch):
    """The names of the threads that read JSON, inflate, and make arrays, by what they do."""
    threads = {}

    def watch(module, name):
        function = getattr(module, name)

        def watched(*arguments):
            threads.setdefault(name, set()).add(threading.current_thread().name)
            return function(*arguments)

        monkeypatch.setattr(module, name, watched)

    for module, name in ((rest_transport, "parse_body"), (rest_transport, "read_inputs"), (rest_server, "_inflate")):
        watch(module, name)
    return threads


@pytest.mark.parametrize(("count", "reader"), [(1, "event-loop"), (100_000, "read_")])
def test_a_large_body_is_read_in_a_readers_thread_and_a_small_one_where_it_comes(served, readers, count, reader):
    body = b'{"signature_name": "add", "inputs": {"a": [' + b"1.5," * count + b'1], "b": [1]}}'
    with contextlib.closing(http.client.HTTPConnection(served.rest, timeout=60)) as connection:
        connection.request("POST", "/v1/models/digits:predict", gzip.compress(body), {"Content-Encoding": "gzip"})
        assert connection.getresponse().status == 200
    assert {name[: len(reader)] for name in readers["parse_body"] | readers["read_inputs"]} == {reader}
    assert {name[:5] for name in readers["_inflate"]} == {"read_"}  # a small one may be large inside


@pytest.mark.parametrize("case", ["more than 32 dimensions, rows", "more than 32 dimensions, columns"])
def test_a_tensor_has_at_most_32_dimensions_whatever_numpy_there_is(served, case):
    path, body = CALLERS_FAULTS[case]
    with contextlib.closing(http.client.HTTPConnection(served.rest, timeout=20)) as connection:
        connection.request("POST", f"/v1/models/{path}", body)
        assert "Expected a shape of at most 32 dimensions. Received: " in json.loads(connection.getresponse().read())["error"]


def test_a_features_name_that_is_no_text_is_called_so(served):
    with contextlib.closing(http.client.HTTPConnection(served.rest, timeout=20)) as connection:
        connection.request("POST", "/v1/models/digits:classify", CALLERS_FAULTS["half a surrogate pair"][1])
        assert json.loads(connection.getresponse().read()) == {"error": "Feature: ? has a name that is no UTF-8."}


def test_the_event_loop_is_left_to_others_while_a_large_body_is_read(served):
    """A small request is answered while a large one is still being read."""

    async def both():
        reader, writer = await asyncio.open_connection(*served.rest.split(":"))
        body = b'{"signature_name": "add", "inputs": {"a": [' + b"1.5," * 10**6 + b'1], "b": [1]}}'
        writer.write(b"POST /v1/models/digits:predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()
        large = asyncio.create_task(reader.readline())
        answers = 0
        while not large.done():
            other, out = await asyncio.open_connection(*served.rest.split(":"))
            out.write(b"GET /v1/models/digits HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            assert b" 200 " in await other.readline()
            out.close()
            answers += 1
        writer.close()
        return await large, answers

    line, answers = asyncio.run(asyncio.wait_for(both(), 60))
    assert b" 200 " in line
    assert answers > 2

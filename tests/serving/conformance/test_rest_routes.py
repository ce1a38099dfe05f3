"""Routes and HTTP: which paths there are, what else is answered, and how requests may come."""

import gzip
import http.client
import json
import socket

import pytest

from tests.serving.conformance.target import TIMEOUT, ask

_PREDICT = "/v1/models/half_plus_two:predict"
_BODY = b'{"instances": [2.0]}'
_REPLY = {"predictions": [3.0]}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/foo"),
        ("POST", "/v1/foo"),
        ("POST", "/v1/models"),
        ("GET", "/v1/models/debug/model_name"),
        ("GET", "/v1/models/half_plus_two:predict"),
        ("GET", "/v1/models/half_plus_two/version/123"),
        ("POST", "/v1/models/half_plus_two/version/123:regress"),
        ("POST", "/v1/models/half_plus_two/versions/HELLO:regress"),
        ("POST", "/v1/models/half_plus_two/versions/-1:predict"),
        ("POST", "/v1/models/half_plus_two/versions/:predict"),
        ("POST", "/v1/models/half_plus_two/metadata"),
        ("POST", "/v1/models/half_plus_two"),
        ("POST", "/v1/models/half_plus_two:guess"),
        ("POST", "/v1/models/half_plus_two:PREDICT"),
        ("POST", "/v1/models/half_plus_two:predict/"),
        ("POST", "/v1/models/half_plus_two/label/some:regress"),
        ("POST", "/v1/models/half_plus_two/versions/123/labels/some:regress"),
        ("POST", "/v1/models/:predict"),
        ("POST", "/v1/models/half_plus_two:predict?x=1"),
        ("PUT", "/v1/models/half_plus_two:predict"),
        ("DELETE", "/v1/models/half_plus_two"),
        ("GET", "/v1/"),
    ],
)
def test_a_bad_route_below_v1_is_malformed(target, method, path):
    answer = target.rest(method, path, b"{}" if method != "GET" else None)
    assert (answer.status, answer.headers["content-type"]) == (400, "application/json")
    assert answer.error == f"Malformed request: {method} {path}"


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/"), ("GET", "/statuspage"), ("GET", "/v2/models/half_plus_two"), ("POST", "/v1"), ("GET", "/v1x/models")]
)
def test_any_other_path_is_not_found(target, method, path):
    assert target.rest(method, path, b"{}" if method == "POST" else None).status == 404


def test_the_model_must_be_named(target):
    answer = target.get("/v1/models")
    assert (answer.status, answer.error) == (400, "Missing model name in request.")


@pytest.mark.parametrize(("method", "suffix"), [("POST", ":predict"), ("POST", ":regress"), ("GET", ""), ("GET", "/metadata")])
def test_a_version_beyond_int64_is_refused(target, method, suffix):
    answer = target.rest(method, f"/v1/models/half_plus_two/versions/18446744073709551615{suffix}", b"{}" if method == "POST" else None)
    assert (answer.status, answer.error) == (400, "Failed to convert version: 18446744073709551615 to numeric.")


@pytest.mark.parametrize("path", ["/V1/MODELS/half_plus_two:predict", "/v1/models/half%5Fplus_two:predict"], ids=["case", "escapes"])
def test_routes_are_read_generously(target, path):
    assert target.rest("POST", path, _BODY).json == _REPLY


def test_model_names_keep_their_case(target):
    assert target.rest("POST", "/v1/models/Half_Plus_Two:predict", _BODY).status == 404


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "application/json",
        "application/json; charset=utf-8",
        "text/plain",
        "application/x-www-form-urlencoded",
        "image/png",
        "nonsense",
    ],
)
def test_any_content_type_is_taken(target, content_type):
    answer = target.rest("POST", _PREDICT, _BODY, {"Content-Type": content_type} if content_type else {})
    assert (answer.status, answer.json) == (200, _REPLY)


def test_gzip_bodies_are_taken(target):
    answer = target.rest("POST", _PREDICT, gzip.compress(_BODY), {"Content-Encoding": "gzip"})
    assert (answer.status, answer.json) == (200, _REPLY)


def test_large_gzip_bodies_are_taken(target):
    values = [0.5] * 100_000
    body = gzip.compress(json.dumps({"inputs": values}).encode())
    assert target.rest("POST", "/v1/models/echo:predict", body, {"Content-Encoding": "gzip"}).json == {"outputs": values}


def test_a_broken_gzip_body_is_a_bad_request(target):
    assert target.rest("POST", _PREDICT, b"\x1f\x8b this is no gzip", {"Content-Encoding": "gzip"}).status == 400


def test_chunked_bodies_are_taken(target):
    connection = http.client.HTTPConnection(target.rest_address, timeout=TIMEOUT)
    connection.request("POST", _PREDICT, iter([_BODY[:5], _BODY[5:]]), encode_chunked=True, headers={"Transfer-Encoding": "chunked"})
    assert json.loads(connection.getresponse().read()) == _REPLY
    connection.close()


@pytest.mark.parametrize("between", ["nothing", "a bad request", "a missing model", "a path elsewhere"])
def test_connections_are_kept_alive(target, between):
    connection = http.client.HTTPConnection(target.rest_address, timeout=TIMEOUT)
    connection.connect()
    socket_ = connection.sock
    assert ask(connection, "POST", _PREDICT, _BODY, {}).json == _REPLY
    if between == "a bad request":
        assert ask(connection, "POST", _PREDICT, b"{", {}).status == 400
    elif between == "a missing model":
        assert ask(connection, "GET", "/v1/models/nobody", None, {}).status == 404
    elif between == "a path elsewhere":
        assert ask(connection, "GET", "/nowhere", None, {}).status == 404
    assert ask(connection, "POST", _PREDICT, _BODY, {}).json == _REPLY
    assert connection.sock is socket_, "the server closed the connection"
    connection.close()


def test_http_1_0_is_answered(target):
    host, _, port = target.rest_address.rpartition(":")
    with socket.create_connection((host, int(port)), TIMEOUT) as connection:
        connection.sendall(b"POST %s HTTP/1.0\r\nContent-Length: %d\r\n\r\n%s" % (_PREDICT.encode(), len(_BODY), _BODY))
        received = b"".join(iter(lambda: connection.recv(65536), b""))
    assert received.split(b"\r\n", 1)[0].split(b" ")[1] == b"200"
    assert json.loads(received.partition(b"\r\n\r\n")[2]) == _REPLY


def test_a_body_is_not_read_as_text_of_another_encoding(target):
    assert target.rest("POST", _PREDICT, b'{"instances": [\xff]}').status == 400


@pytest.mark.parametrize("authority", ["", "user:password@"], ids=["plain", "with a user"])
def test_the_whole_url_may_be_the_target(target, authority):
    url = f"http://{authority}{target.rest_address}"
    assert target.rest("POST", url + _PREDICT, _BODY).json == _REPLY
    assert target.rest("GET", f"{url}/v1/models/half_plus_two").status == 200
    assert target.rest("GET", f"{url}/v1/models").error == "Missing model name in request."
    assert target.rest("GET", url).status == 404


def _expecting(target, expectation, body):
    """The server's first line on headers alone, and everything that it says when the body has come."""
    host, _, port = target.rest_address.rpartition(":")
    headers = f"Host: {target.rest_address}\r\nContent-Length: {len(body)}\r\nExpect: {expectation}\r\nConnection: close\r\n"
    with socket.create_connection((host, int(port)), TIMEOUT) as connection, connection.makefile("rb") as answer:
        connection.sendall(f"POST {_PREDICT} HTTP/1.1\r\n{headers}\r\n".encode())
        line = answer.readline()
        if b" 100 " in line:
            connection.sendall(body)
        return line, answer.read()


@pytest.mark.parametrize("expectation", ["100-continue", "100-Continue"])
@pytest.mark.parametrize("spaces", [0, 2_000_000], ids=["small", "large"])
def test_a_client_that_waits_is_told_to_send_its_body(target, expectation, spaces):
    line, rest = _expecting(target, expectation, _BODY + b" " * spaces)
    assert line == b"HTTP/1.1 100 Continue\r\n"
    nothing, answer = rest[:2], rest[2:]
    assert (nothing, answer.split(b" ")[1]) == (b"\r\n", b"200")
    assert json.loads(answer.partition(b"\r\n\r\n")[2]) == _REPLY


def test_another_expectation_fails(target):
    assert _expecting(target, "200-ok", _BODY)[0].startswith(b"HTTP/1.1 417 ")


def test_a_request_without_a_body_is_answered_whatever_it_expects(target):
    answer = target.rest("GET", "/v1/models/half_plus_two", None, {"Expect": "100-continue"})
    assert answer.status == 200

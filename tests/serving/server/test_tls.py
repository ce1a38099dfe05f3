"""The gRPC port speaks TLS, and mutual TLS, with certificates made here; what is wrong with a config file is said at once."""

import datetime
import ipaddress

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from serving.errors import StartError
from serving.server.event_loop import EventLoop
from serving.server.ports import bind_grpc
from serving.server.tls import read_ssl_config


class Authority:
    """Signs certificates for 127.0.0.1."""

    def __init__(self, name):
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(name)
        self.certificate = self._sign(self._name, self._key, is_authority=True)

    def pair(self, name):
        """(key, certificate), both PEM text."""
        key = ec.generate_private_key(ec.SECP256R1())
        text = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        return text.decode(), self._sign(_name(name), key, is_authority=False)

    def _sign(self, subject, key, *, is_authority):
        now = datetime.datetime.now(datetime.UTC)
        builder = x509.CertificateBuilder(
            issuer_name=self._name,
            subject_name=subject,
            public_key=key.public_key(),
            serial_number=x509.random_serial_number(),
            not_valid_before=now - datetime.timedelta(days=1),
            not_valid_after=now + datetime.timedelta(days=1),
        )
        address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        builder = builder.add_extension(address, critical=False)
        builder = builder.add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        return builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def _name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


@pytest.fixture(scope="module")
def authority():
    return Authority("authority")


@pytest.fixture(scope="module")
def pair(authority):
    return authority.pair("server")


@pytest.fixture
def write(tmp_path):
    def write_config(**fields):
        lines = [f"{name}: {str(value).lower() if isinstance(value, bool) else quoted(value)}" for name, value in fields.items()]
        path = tmp_path / "ssl.config"
        path.write_text("\n".join(lines))
        return path

    return write_config


def quoted(text):
    return '"' + text.replace("\n", "\\n") + '"'


@pytest.fixture
def echo():
    """Called with a Tls it starts a gRPC server that echoes, and gives its address."""
    loop, servers = EventLoop(), []

    async def answer(tls):
        async def echoed(body, context):
            return body

        server, port = await bind_grpc("127.0.0.1", 0, tls=tls)
        handler = grpc.unary_unary_rpc_method_handler(echoed)
        server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("test", {"Echo": handler})])
        await server.start()
        servers.append(server)
        return f"127.0.0.1:{port}"

    yield lambda tls: loop.run(answer(tls))
    for server in servers:
        loop.run(server.stop(0))
    loop.stop()


def call(address, credentials):
    channel = grpc.secure_channel(address, credentials) if credentials else grpc.insecure_channel(address)
    with channel:
        return channel.unary_unary("/test/Echo")(b"hello", timeout=20)


def is_refused(address, credentials):
    with pytest.raises(grpc.RpcError) as raised:
        call(address, credentials)
    return raised.value.code() == grpc.StatusCode.UNAVAILABLE


def test_a_client_that_trusts_the_authority_is_answered_and_no_other(authority, pair, write, echo):
    address = echo(read_ssl_config(write(server_key=pair[0], server_cert=pair[1])))
    assert call(address, grpc.ssl_channel_credentials(authority.certificate.encode())) == b"hello"
    assert is_refused(address, grpc.ssl_channel_credentials(Authority("other").certificate.encode()))
    assert is_refused(address, None)


def test_with_client_verify_only_clients_with_a_certificate_of_the_authority_are_answered(authority, pair, write, echo):
    path = write(server_key=pair[0], server_cert=pair[1], custom_ca=authority.certificate, client_verify=True)
    address = echo(read_ssl_config(path))

    def credentials(pair):
        key, certificate = (text.encode() for text in pair)
        return grpc.ssl_channel_credentials(authority.certificate.encode(), key, certificate)

    assert call(address, credentials(authority.pair("client"))) == b"hello"
    assert is_refused(address, grpc.ssl_channel_credentials(authority.certificate.encode()))
    assert is_refused(address, credentials(Authority("other").pair("client")))


def test_the_values_may_name_files(tmp_path, authority, pair, write):
    for name, text in zip(("key.pem", "cert.pem", "ca.pem"), (*pair, authority.certificate), strict=True):
        (tmp_path / name).write_text(text)
    path = write(server_key=f"{tmp_path}/key.pem", server_cert=f"{tmp_path}/cert.pem", custom_ca=f"{tmp_path}/ca.pem")
    tls = read_ssl_config(path)
    assert (tls.server_key.decode(), tls.server_cert.decode(), tls.custom_ca.decode()) == (*pair, authority.certificate)
    assert not tls.client_verify


def test_what_is_wrong_is_said_in_one_line(authority, pair, write, tmp_path):
    key, certificate = pair
    cases = [
        ({"server_key": key}, "expected server_cert to be PEM text"),
        ({"server_key": "/no/such/file", "server_cert": certificate}, "server_key is neither PEM text nor a file that can be read"),
        ({"server_key": authority.pair("other")[0], "server_cert": certificate}, "do not make a TLS server"),
        ({"server_key": key, "server_cert": certificate, "client_verify": True}, "expected custom_ca to be PEM text"),
        ({"server_key": key, "server_cert": certificate, "custom_ca": "-----BEGIN nothing"}, "do not make a TLS server"),
        ({"key": key}, "is no SSLConfig"),
    ]
    for fields, text in cases:
        with pytest.raises(StartError, match=text) as raised:
            read_ssl_config(write(**fields))
        assert "\n" not in str(raised.value)
    with pytest.raises(StartError, match="cannot be read: No such file"):
        read_ssl_config(tmp_path / "none")

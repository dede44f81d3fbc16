"""The Kubernetes endpoint over TLS, asked by the real kubectl: tokens and certificates count there. And what keeps it from being abused."""

from __future__ import annotations

import base64
import json
import socket
import ssl
import stat
import urllib.error
import urllib.request
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionLost
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from clusterlab.web.tls import certificates, listener
from tests.server import Server, ServerLab, free_port

LOGGED_OUT = "You must be logged in to the server"
PEM, NOW = serialization.Encoding.PEM, datetime(2026, 5, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("tls"), CLUSTERLAB_TLS_PORT=str(free_port())).start()
    yield server
    server.stop()


def over_tls(server: Server, **body: Any) -> ServerLab:
    """A lab whose kubectl speaks TLS."""
    lab = server.lab(**body)
    with urllib.request.urlopen(lab.kube + "/kubeconfig?tls=1", timeout=20) as answer:
        lab.kubeconfig.write_bytes(answer.read())
    return lab


def whoami(lab: ServerLab, *flags: str) -> dict[str, Any]:
    done = lab.kubectl(["auth", "whoami", "-o", "json", *flags])
    return json.loads(done.stdout)["status"]["userInfo"] if done.returncode == 0 else {"error": done.stderr}


def keys_of(folder: Path, name: str, *groups: str) -> tuple[Path, bytes]:
    """(the file of a private key, the request for a certificate) as `openssl genrsa` and `openssl req` make them."""
    key = rsa.generate_private_key(65537, 2048)
    file = folder / f"{name}.key"
    file.write_bytes(key.private_bytes(PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()))
    names = [x509.NameAttribute(NameOID.COMMON_NAME, name), *(x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups)]
    return file, x509.CertificateSigningRequestBuilder().subject_name(x509.Name(names)).sign(key, hashes.SHA256()).public_bytes(PEM)


def certificate_of(lab: ServerLab, name: str, request: bytes, file: Path) -> Path:
    """The certificate that a lab issues."""
    csr = {"apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest", "metadata": {"name": name}, "spec": {
        "request": base64.b64encode(request).decode(), "signerName": "kubernetes.io/kube-apiserver-client", "usages": ["client auth"]}}
    assert lab.kubectl(["apply", "-f", "-"], stdin=json.dumps(csr)).returncode == 0
    assert lab.kubectl(f"certificate approve {name}").returncode == 0
    lab.settle()
    file.write_bytes(base64.b64decode(lab.get(f"csr {name}")["status"]["certificate"]))
    return file


def test_tokens_count(secure: Server) -> None:
    lab = over_tls(secure, nodes=1)
    assert whoami(lab)["username"] == whoami(lab, "--as=kubernetes-admin")["username"] == "kubernetes-admin"
    lab.kubectl("create serviceaccount reader")
    token = lab.kubectl("create token reader --duration=10m").stdout
    assert whoami(lab, f"--token={token}")["username"] == "system:serviceaccount:default:reader"
    refused = lab.kubectl(["get", "pods", f"--token={token}"])
    assert 'User "system:serviceaccount:default:reader" cannot list resource "pods"' in refused.stderr
    assert LOGGED_OUT in lab.kubectl(["get", "pods", f"--token={token}x"]).stderr
    lab.kubectl(["config", "set-credentials", "reader", f"--token={token}"])
    lab.kubectl("config set-context reader --cluster=clusterlab --user=reader")
    assert whoami(lab, "--context=reader")["username"] == "system:serviceaccount:default:reader"
    lab.call("POST", "/run", {"until": {"time": lab.call("GET")["time"] + 700_000}})
    assert LOGGED_OUT in lab.kubectl("get pods --context=reader").stderr
    assert lab.kubectl("get pods").returncode == 0


def test_certificates_count(secure: Server, tmp_path: Path) -> None:
    lab, other = over_tls(secure, nodes=1, seed=1), over_tls(secure, nodes=0, seed=2)
    key, request = keys_of(tmp_path, "bob", "dev")
    shown = [f"--client-certificate={certificate_of(lab, 'bob', request, tmp_path / 'bob.crt')}", f"--client-key={key}"]
    issued = x509.load_pem_x509_certificate((tmp_path / "bob.crt").read_bytes())
    assert issued.subject.rfc4514_string() == x509.load_pem_x509_csr(request).subject.rfc4514_string() and issued.issuer.rfc4514_string() == "CN=kubernetes"
    user = whoami(lab, *shown)
    assert user["username"] == "bob" and user["groups"] == ["dev", "system:authenticated"]
    for words in (["config", "set-credentials", "bob", *shown, "--embed-certs"], ["config", "set-context", "bob", "--cluster=clusterlab", "--user=bob"]):
        assert lab.kubectl(words).returncode == 0
    assert 'pods is forbidden: User "bob" cannot list resource "pods"' in lab.kubectl("get pods --context=bob").stderr
    lab.kubectl("create rolebinding dev --clusterrole=edit --group=dev")
    assert lab.kubectl("run web --image=nginx:1.25 --context=bob").stdout == "pod/web created\n"
    lab.settle()
    assert lab.kubectl("exec web --context=bob -- echo hello").stdout == "hello\n"
    assert lab.kubectl("logs web --context=bob").returncode == 0
    assert 'User "bob" cannot impersonate' in lab.kubectl("get pods --context=bob --as=jane").stderr
    assert 'cannot list resource "nodes"' in lab.kubectl("get nodes --context=bob").stderr
    assert LOGGED_OUT in other.kubectl(["get", "pods", *shown]).stderr, "another lab's certificate opens nothing"
    stranger = x509.load_pem_x509_csr(request)
    mine = serialization.load_pem_private_key(key.read_bytes(), None)
    forged = (x509.CertificateBuilder().subject_name(stranger.subject).issuer_name(issued.issuer).public_key(stranger.public_key()).serial_number(1)
              .not_valid_before(NOW - timedelta(days=400)).not_valid_after(NOW + timedelta(days=4000)).sign(mine, hashes.SHA256()))  # type: ignore[arg-type]
    (tmp_path / "forged.crt").write_bytes(forged.public_bytes(PEM))
    assert LOGGED_OUT in lab.kubectl(["get", "pods", f"--client-certificate={tmp_path / 'forged.crt'}", f"--client-key={key}"]).stderr


def test_what_is_offered(secure: Server, server: Server) -> None:
    lab = secure.lab(nodes=0)
    assert "server: http://" in lab.kubeconfig.read_text(), "the plain one stays what is given unasked"
    asked = urllib.request.Request(f"{secure.url}/api/labs/{lab.id}/kubeconfig?tls=1", headers={"Authorization": f"Bearer {lab.key}"})
    with urllib.request.urlopen(asked, timeout=20) as answer:
        config = yaml.safe_load(answer.read())
    assert config["clusters"][0]["cluster"]["server"] == f"https://127.0.0.1:{secure.env['CLUSTERLAB_TLS_PORT']}/kube/{lab.key}"
    with urllib.request.urlopen(lab.kube + "/kubeconfig?tls=1", timeout=20) as answer:
        assert yaml.safe_load(answer.read()) == config
    plain = server.lab(nodes=0)
    status, answer = server.call("GET", f"/api/labs/{plain.id}/kubeconfig?tls=1", key=plain.key)
    assert status == 404 and answer["error"]["field"] == "tls" and "CLUSTERLAB_TLS_PORT" in answer["error"]["message"]


def test_what_a_client_writes_of_itself_counts_for_nothing(secure: Server) -> None:
    """Nobody is somebody by a header."""
    lab = secure.lab(nodes=0)
    for headers in ({"Client-Cert": ":AAAA:"}, {"X-Clusterlab-Tls": base64.b64encode(b'{"chain":["x"]}').decode()}):
        asked = urllib.request.Request(lab.kube + "/api/v1/nodes", headers=headers)
        with urllib.request.urlopen(asked, timeout=20) as answer:
            assert answer.status == 200


def test_the_door_is_narrow(secure: Server) -> None:
    """TLS 1.2 at least, by names of loopback, for kubectl alone, and no key but the server's own is needed to reach no lab."""
    port = int(secure.env["CLUSTERLAB_TLS_PORT"])
    trusting = ssl.create_default_context(cafile=str(secure.folder / "tls" / "ca.crt"))
    for path, code in (("/healthz", 404), ("/", 404), ("/kube/nothing/api", 404)):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"https://localhost:{port}{path}", timeout=20, context=trusting)
        assert refused.value.code == code
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings(action="ignore"):
        old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    with socket.create_connection(("127.0.0.1", port), timeout=20) as raw, pytest.raises(ssl.SSLError):
        old.wrap_socket(raw)
    for name in ("tls", "tls/ca.key", "tls/server.key"):
        assert stat.S_IMODE((secure.folder / name).stat().st_mode) & 0o077 == 0


def test_a_taken_port_stops_nothing(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        server = Server(tmp_path, CLUSTERLAB_TLS_PORT=str(port)).start()
        try:
            assert server.lab(nodes=0).kubectl("get nodes").returncode == 0
            assert f"No TLS for kubectl: port {port} cannot be listened on" in (tmp_path / "server.log").read_text()
        finally:
            server.stop()


# Certificates.


def test_certificates_are_kept_until_they_run_out(tmp_path: Path) -> None:
    first = certificates.kept(tmp_path, ["localhost", "127.0.0.1"], NOW)
    again = certificates.kept(tmp_path, ["127.0.0.1", "localhost"], NOW + timedelta(days=200))
    assert (again.certificate, again.ca, again.key) == (first.certificate, first.ca, first.key)
    renewed = certificates.kept(tmp_path, ["localhost"], first.renew + timedelta(minutes=1))
    assert renewed.certificate != first.certificate and renewed.ca == first.ca
    named = certificates.kept(tmp_path, ["localhost", "labs.example.com"], NOW + timedelta(days=310))
    assert named.certificate != renewed.certificate and named.ca == first.ca
    (tmp_path / "server.crt").write_text("broken")
    assert certificates.kept(tmp_path, ["localhost"], NOW + timedelta(days=311)).ca == first.ca
    late = certificates.kept(tmp_path, ["localhost"], NOW + timedelta(days=3400))
    assert late.ca != first.ca
    made = x509.load_pem_x509_certificate(late.certificate)
    made.verify_directly_issued_by(x509.load_pem_x509_certificate(late.ca.encode()))


def test_names_of_a_certificate() -> None:
    names = certificates.names_for(["0.0.0.0", "*", ".example.com", "[::1]", "labs.test", ""])
    assert names == ("localhost", "127.0.0.1", "::1", "example.com", "*.example.com", "labs.test")
    assert certificates.covers(names, "a.example.com") and certificates.covers(names, "[::1]") and not certificates.covers(names, "b.a.example.com")


# What strangers may cost.


class Doors:
    """A factory of connections over TLS without a network."""

    def __init__(self, folder: Path) -> None:
        self.clock = Clock()
        kept = certificates.kept(folder, certificates.LOOPBACK, datetime.now(UTC))
        self.factory = listener.TlsFactory(listener.Contexts(kept), False, Factory.forProtocol(Protocol), self.clock)

    def knock(self, address: str) -> tuple[Any, StringTransport] | None:
        made = self.factory.buildProtocol(IPv4Address("TCP", address, 1))
        if made is None:
            return None
        transport = StringTransport(peerAddress=IPv4Address("TCP", address, 1))
        made.makeConnection(transport)
        return made, transport


def test_who_greets_and_says_no_more_is_let_go(tmp_path: Path) -> None:
    doors = Doors(tmp_path)
    opened = [doors.knock("203.0.113.7") for _ in range(listener.MAX_UNDER_WAY)]
    assert all(opened) and doors.knock("203.0.113.7") is None, "one address may not have more handshakes under way"
    assert doors.knock("203.0.113.8") is not None, "but another one may"
    doors.clock.advance(listener.HANDSHAKE_S + 1)
    assert all(each is not None and each[1].disconnecting for each in opened)
    for each in opened:
        assert each is not None
        each[0].connectionLost(Failure(ConnectionLost()))
    assert doors.knock("203.0.113.7") is not None, "and the address may come again"


def test_one_address_cannot_take_all_connections(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "MAX_OF_ONE", 3)
    doors = Doors(tmp_path)
    opened = [doors.knock("203.0.113.10") for _ in range(4)]
    assert [each is not None for each in opened] == [True, True, True, False]
    assert opened[0] is not None
    opened[0][0].connectionLost(Failure(ConnectionLost()))
    assert doors.knock("203.0.113.10") is not None


def test_handshakes_of_an_address_are_counted(tmp_path: Path, settings: Any) -> None:
    settings.CLUSTERLAB = {**settings.CLUSTERLAB, "HANDSHAKES_PER_MINUTE": 3}
    doors = Doors(tmp_path)
    assert [doors.knock("203.0.113.9") is not None for _ in range(6)].count(True) <= 4  # the minute may turn meanwhile
    assert all(doors.knock("127.0.0.1") for _ in range(6)), "the page's terminals come from here"

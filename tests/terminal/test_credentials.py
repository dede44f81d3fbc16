"""Tokens, keys and certificates in the page's terminal: the exercise of the textbooks, and openssl."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from clusterlab.web.jail import openssl_filter, openssl_text
from clusterlab.web.terminal.tools_openssl import subject_of
from tests.server import Server
from tests.terminal.typist import Visit

CSR = """cat <<EOF | kubectl apply -f -
apiVersion: certificates.k8s.io/v1
kind: CertificateSigningRequest
metadata:
  name: bob
spec:
  request: $(cat bob.csr | base64 | tr -d '\\n')
  signerName: kubernetes.io/kube-apiserver-client
  expirationSeconds: 86400
  usages:
  - client auth
EOF"""
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
def visit(server: Server) -> Visit:
    return Visit(server, nodes=1, pace=0, seed=5)


async def test_a_user_with_a_certificate(visit: Visit) -> None:
    async with visit.terminal() as typist:
        assert await typist.run("openssl genrsa -out bob.key 2048; head -1 bob.key") == "-----BEGIN PRIVATE KEY-----\n"
        assert await typist.run('openssl req -new -key bob.key -out bob.csr -subj "/CN=bob/O=dev"; openssl req -in bob.csr -noout -subject') == "subject=CN = bob, O = dev\n"
        assert await typist.run(CSR) == "certificatesigningrequest.certificates.k8s.io/bob created\n"
        assert "approved" in await typist.run("kubectl certificate approve bob; settle > /dev/null")
        await typist.run("kubectl get csr bob -o jsonpath='{.status.certificate}' | base64 -d > bob.crt")
        told = await typist.run("openssl x509 -in bob.crt -noout -text")
        for line in ("        Issuer: CN = kubernetes\n", "        Subject: CN = bob, O = dev\n", "                Public-Key: (2048 bit)\n",
                     "            X509v3 Extended Key Usage: \n                TLS Web Client Authentication\n", "                CA:FALSE\n"):
            assert line in told, told
        assert "Key Usage: critical" not in told
        assert await typist.run("kubectl get cm kube-root-ca.crt -o jsonpath='{.data.ca\\.crt}' > ca.crt; openssl verify -CAfile ca.crt bob.crt") == "bob.crt: OK\n"
        await typist.run("kubectl config set-credentials bob --client-certificate=bob.crt --client-key=bob.key; kubectl config set-context bob --cluster=clusterlab --user=bob")
        assert 'pods is forbidden: User "bob" cannot list resource "pods"' in await typist.run("kubectl --context=bob get pods")
        await typist.run("kubectl create rolebinding dev --clusterrole=edit --group=dev; kubectl config use-context bob")
        assert "No resources found" in await typist.run("kubectl get pods")
        assert await typist.run("kubectl auth whoami -o jsonpath='{.status.userInfo.username} {.status.userInfo.groups}'") == 'bob ["dev","system:authenticated"]'
        typist.edit = lambda text: text.replace("kind: ConfigMap", "data: {a: b}\nkind: ConfigMap", 1)
        assert await typist.run("kubectl create cm mine >/dev/null; kubectl edit cm mine | tail -1; kubectl get cm mine -o jsonpath='{.data}'") == 'configmap/mine edited\n{"a":"b"}'
        assert 'User "bob" cannot get resource "nodes"' in await typist.run("kubectl edit node node-1")
        assert await typist.run("kubectl config use-context clusterlab >/dev/null; kubectl auth whoami -o jsonpath='{.status.userInfo.username}'") == "kubernetes-admin"
    async with Visit(visit.server, nodes=0, seed=6).terminal() as other:
        await other.run(f"cat > bob.crt <<'EOF'\n{(visit.folder / 'files' / 'bob.crt').read_text()}EOF")
        await other.run(f"cat > bob.key <<'EOF'\n{(visit.folder / 'files' / 'bob.key').read_text()}EOF")
        assert "You must be logged in" in await other.run("kubectl get ns --client-certificate=bob.crt --client-key=bob.key")


async def test_what_learners_do_to_their_kubeconfig_stays(visit: Visit) -> None:
    """An address that is wrong on purpose is not mended behind their back; `reset-config` is how it is made anew."""
    async with visit.terminal() as typist:
        assert await typist.run("kubectl config view -o jsonpath='{.clusters[0].cluster.server}' | cut -d/ -f1,2,3") == "https://127.0.0.1:6443\n"
        await typist.run("kubectl config set-cluster clusterlab --server=https://127.0.0.1:6444")
    async with visit.terminal() as typist:
        assert "127.0.0.1:6444" in await typist.run("kubectl get ns")
        await typist.send(type="reset-config")
        assert "kube-system" in await typist.run("kubectl get ns")
    marker = visit.folder / "door"
    marker.write_text("where an older server was")
    config = visit.folder / "home" / ".kube" / "config"
    config.write_text(f"apiVersion: v1\nkind: Config\ncurrent-context: other\nclusters:\n- name: clusterlab\n  cluster: {{server: 'http://127.0.0.1:1/kube/{visit.key}'}}\n"
                      "contexts:\n- name: other\n  context: {cluster: clusterlab, user: clusterlab, namespace: kube-public}\nusers:\n- name: clusterlab\n  user: {}\n")
    async with visit.terminal() as typist:
        assert "kube-public" in await typist.run("kubectl get sa default -o jsonpath='{.metadata.namespace}'")


async def test_openssl_on_the_command_line(visit: Visit) -> None:
    async with visit.terminal() as typist:
        await typist.run('openssl req -x509 -nodes -days 365 -newkey rsa:2048 -keyout tls.key -out tls.crt -subj "/CN=shop.example.com/O=shop" -addext "subjectAltName=DNS:shop.example.com,IP:10.0.0.1"')
        assert await typist.run("kubectl create secret tls shop --cert=tls.crt --key=tls.key") == "secret/shop created\n"
        told = await typist.run("kubectl get secret shop -o jsonpath='{.data.tls\\.crt}' | base64 -d | openssl x509 -noout -subject -ext subjectAltName")
        assert told.startswith("subject=CN = shop.example.com, O = shop\n") and "    DNS:shop.example.com, IP Address:10.0.0.1\n" in told
        assert await typist.run("openssl x509 -in tls.crt -noout -checkend 86400") == "Certificate will not expire\n"
        assert await typist.run("openssl rand -hex 8 | wc -c; openssl version | cut -d' ' -f1") == "17\nOpenSSL\n"
        for line, said in (
            ("openssl req -new -key none.key -subj /CN=x", "No such file or directory"), ("openssl req -new -key tls.key -subj CN=x", "-subj \"/CN=bob/O=dev\""),
            ("openssl req -new -key tls.crt -subj /CN=x", "Could not read private key from tls.crt"), ("openssl x509 -in tls.key -noout -text", "Unable to load certificate"),
            ("openssl genrsa 100000", "1024 to 4096 bits"), ("openssl genrsa -aes256 2048", "no passphrase"), ("openssl s_client", "Invalid command"),
            ("openssl x509 -in /etc/passwd", "No such file"), ("openssl req -config x -new -key tls.key -subj /CN=x", "-addext"),
        ):
            assert said in await typist.run(line) and typist.exit == 1, line


# The cryptography, without walls.


def ask(**order: Any) -> dict[str, Any]:
    return openssl_filter.answer({"now": NOW.isoformat(), **order})


@pytest.fixture(scope="module")
def keys() -> Iterator[dict[str, str]]:
    yield {kind: ask(do="key", kind=kind, bits=2048, curve="prime256v1")["pem"] for kind in ("rsa", "ec", "ed25519")}


@pytest.mark.parametrize("kind", ["rsa", "ec", "ed25519"])
def test_an_authority_of_ones_own(keys: dict[str, str], kind: str) -> None:
    ca = ask(do="request", key=keys[kind], subject=[["C", "DE"], ["CN", "ca, the first"]], extensions=[], days=10)["pem"]
    csr = ask(do="request", key=keys["ec"], subject=[["CN", "web"], ["FOO", "x"]], extensions=["subjectAltName=DNS:web", "extendedKeyUsage=serverAuth"])
    assert csr["err"] == 'req warning: Skipping unknown subject name attribute "FOO"\n'
    made = ask(do="sign", request=csr["pem"], key=keys[kind], ca=ca, days=2, extensions=["keyUsage=critical,digitalSignature"])
    assert ask(do="verify", ca=ca, pem=made["pem"], pem_name="web.crt")["out"] == "web.crt: OK\n"
    assert "certificate has expired" in ask(do="verify", ca=ca, pem=made["pem"], now=NOW.replace(day=9).isoformat())["err"]
    other = ask(do="request", key=keys["ec" if kind != "ec" else "rsa"], subject=[["CN", "other"]], extensions=[], days=10)["pem"]
    assert "unable to get local issuer" in ask(do="verify", ca=other, pem=made["pem"])["err"]
    assert "do not match" in ask(do="sign", request=csr["pem"], key=keys[kind], ca=other, days=2, extensions=[])["err"]
    shown = ask(do="show", pem=made["pem"], show=["text"], **{"as": "x509"})["out"]
    assert '        Issuer: C = DE, CN = "ca, the first"\n' in shown and "            X509v3 Key Usage: critical\n                Digital Signature\n" in shown
    asked = ask(do="show", pem=csr["pem"], show=["text", "verify"], **{"as": "req"})
    assert "                X509v3 Subject Alternative Name: \n                    DNS:web\n" in asked["out"] and "verify OK" in asked["err"]


def test_a_certificate_as_openssl_shows_it() -> None:
    """Made and shown by OpenSSL 3.0 of Debian 12."""
    pem, mark, text = (Path(__file__).parent / "openssl.txt").read_text().partition("-----END CERTIFICATE-----\n")
    assert openssl_text.certificate(x509.load_pem_x509_certificate((pem + mark).encode())) == text


@pytest.mark.parametrize(("text", "pairs"), [
    ("/CN=bob/O=dev/O=qa", [["CN", "bob"], ["O", "dev"], ["O", "qa"]]), (r"/CN=a\/b=c", [["CN", "a/b=c"]]), ("/CN=a=b", [["CN", "a=b"]]), ("/O=/CN=x", [["CN", "x"]]),
])
def test_subjects(text: str, pairs: list[list[str]]) -> None:
    assert subject_of(text) == pairs


@pytest.mark.parametrize("text", ["", "CN=bob", "/bob", "/=x", "/CN=a//b"])
def test_what_is_no_subject(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the text itself is all there is to say
        subject_of(text)

"""Client certificates: whom one makes, and which are no good. TLS itself is tried in tests/web/test_tls.py."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID, ObjectIdentifier

from clusterlab.machinery import pki
from tests.apiserver.conftest import Http

REVIEWS, PODS = "/apis/authentication.k8s.io/v1/selfsubjectreviews", "/api/v1/namespaces/default/pods"
UID = ObjectIdentifier("1.3.6.1.4.1.57683.2")


def shown(web: Http, names: list[tuple[Any, str]], usages: tuple[str, ...] = ("client auth",), seed: int | None = None, since_s: int = 0) -> str:
    """A certificate of the lab's authority (or that of another seed) as the server gets it from TLS."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(oid, value) for oid, value in names])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    sim = web.sim
    made = pki.sign(request, list(usages), 3600, sim.now() - timedelta(seconds=since_s), 7, sim.seed if seed is None else seed, sim.epoch)
    der = x509.load_pem_x509_certificate(made.encode()).public_bytes(serialization.Encoding.DER)
    return f":{base64.b64encode(der).decode()}:"


def bob(*groups: str) -> list[tuple[Any, str]]:
    return [(NameOID.COMMON_NAME, "bob"), *((NameOID.ORGANIZATION_NAME, group) for group in groups)]


def whoami(web: Http, **headers: str) -> Any:
    return web("POST", REVIEWS, {}, **headers).json["status"]["userInfo"]


def test_a_certificate_makes_the_user_of_its_subject(web: Http) -> None:
    user = whoami(web, client_cert=shown(web, [*bob("dev", "qa"), (UID, "17")]))
    digest = user.pop("extra")["authentication.kubernetes.io/credential-id"]
    assert user == {"username": "bob", "uid": "17", "groups": ["dev", "qa", "system:authenticated"]}
    assert len(digest) == 1 and digest[0].startswith("X509SHA256=") and len(digest[0]) == len("X509SHA256=") + 64
    refused = web("GET", PODS, client_cert=shown(web, bob("dev")))
    assert refused.code == 403 and refused.json["message"].startswith('pods is forbidden: User "bob" cannot list resource "pods"')


def test_a_group_of_a_certificate_has_its_rights(web: Http) -> None:
    masters = shown(web, bob("system:masters"))  # the signer would not issue it; who has the authority's key may
    assert web("GET", "/api/v1/secrets", client_cert=masters).code == 200
    assert whoami(web, client_cert=masters, impersonate_user="jane")["username"] == "jane"


@pytest.mark.parametrize("wrong", [
    {"seed": 99}, {"usages": ("server auth",)}, {"since_s": 4000}, {"since_s": -1000}, {"names": [*bob(), (UID, "1"), (UID, "2")]},
], ids=str)
def test_a_certificate_that_is_no_good_is_refused(web: Http, wrong: dict[str, Any]) -> None:
    """Of another lab, for servers, after or before its time, with two uids."""
    given = shown(web, **{"names": bob(), **wrong})
    answer = web("GET", PODS, client_cert=given)
    assert (answer.code, answer.json["reason"]) == (401, "Unauthorized")
    web("POST", "/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": "robot"}})
    token = web("POST", "/api/v1/namespaces/default/serviceaccounts/robot/token", {"spec": {}}).json["status"]["token"]
    assert whoami(web, client_cert=given, authorization=f"Bearer {token}")["username"] == "system:serviceaccount:default:robot"


def test_a_certificate_goes_before_a_token(web: Http) -> None:
    assert whoami(web, client_cert=shown(web, bob()), authorization="Bearer nonsense")["username"] == "bob"


def test_a_certificate_without_a_name_is_nobodys(web: Http) -> None:
    given = shown(web, [(NameOID.ORGANIZATION_NAME, "system:masters")])
    assert 'User "system:anonymous" cannot list resource "pods"' in web("GET", PODS, client_cert=given).json["message"]


@pytest.mark.parametrize("text", ["", "::", ":AAAA:", "nonsense", ":" + base64.b64encode(b"\x30\x82" * 500).decode() + ":"])
def test_what_is_no_certificate_is_refused(web: Http, text: str) -> None:
    assert web("GET", PODS, client_cert=text).code == 401

"""An OpenID Connect provider and a learning platform, simulated on loopback in the test's own process."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from jwcrypto.jwk import JWK

__all__ = ["Platform", "Provider"]


class _Served:
    """A web server whose answers are functions of (path, query, form, headers) -> (status, headers, body)."""

    def __init__(self) -> None:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                url = urlsplit(self.path)
                raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, headers, body = outer.serve(url.path, parse_qs(url.query), raw, dict(self.headers))
                data = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                for name, value in {"Content-Type": "application/json", "Content-Length": str(len(data)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = answer

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.key = JWK.generate(kty="RSA", size=2048, kid="k1", alg="RS256", use="sig")
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def serve(self, path: str, query: dict[str, list[str]], raw: bytes, headers: dict[str, str]) -> tuple[int, dict[str, str], Any]:
        raise NotImplementedError

    def jwks(self) -> dict[str, Any]:
        return {"keys": [json.loads(self.key.export_public())]}

    def signed(self, claims: dict[str, Any], key: JWK | None = None) -> str:
        pem = (key or self.key).export_to_pem(private_key=True, password=None)
        return jwt.encode(claims, pem, algorithm="RS256", headers={"kid": "k1"})

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


class Provider(_Served):
    """An OpenID Connect provider at which `person` is signed in."""

    def __init__(self) -> None:
        super().__init__()
        self.person: dict[str, Any] = {"sub": "1", "preferred_username": "ada", "email": "ada@example.org", "email_verified": True}
        self.asked: dict[str, str] = {}

    def serve(self, path: str, query: dict[str, list[str]], raw: bytes, headers: dict[str, str]) -> tuple[int, dict[str, str], Any]:
        if path == "/.well-known/openid-configuration":
            return 200, {}, {
                "issuer": self.url, "authorization_endpoint": f"{self.url}/authorize", "token_endpoint": f"{self.url}/token",
                "userinfo_endpoint": f"{self.url}/userinfo", "jwks_uri": f"{self.url}/keys", "response_types_supported": ["code"],
                "subject_types_supported": ["public"], "id_token_signing_alg_values_supported": ["RS256"],
                "token_endpoint_auth_methods_supported": ["client_secret_post"],
            }
        if path == "/authorize":
            self.asked = {name: values[0] for name, values in query.items()}
            back = f"{self.asked['redirect_uri']}?{urlencode({'code': 'c0de', 'state': self.asked['state']})}"
            return 302, {"Location": back}, b""
        if path == "/token":
            form = parse_qs(raw.decode())
            if form["client_secret"] != ["s3cret"] or form["code"] != ["c0de"] or not form.get("code_verifier"):
                return 401, {}, {"error": "invalid_client"}
            now = int(time.time())
            claims = {**self.person, "iss": self.url, "aud": "clusterlab", "iat": now, "exp": now + 60, "nonce": self.asked.get("nonce", "")}
            return 200, {}, {"access_token": "t0ken", "token_type": "Bearer", "expires_in": 60, "id_token": self.signed(claims)}
        if path == "/userinfo":
            return 200, {}, self.person
        return 200, {}, self.jwks()


CLAIM = "https://purl.imsglobal.org/spec/lti/claim/"
MEMBERS = "https://purl.imsglobal.org/spec/lti-nrps/scope/contextmembership.readonly"
DEEP = "https://purl.imsglobal.org/spec/lti-dl/claim/"
SCORE = "https://purl.imsglobal.org/spec/lti-ags/scope/score"


class Platform(_Served):
    """A learning platform: launches, tokens for who proves to be the tool, a gradebook."""

    def __init__(self, fetch: Callable[[str], Any]) -> None:
        super().__init__()
        self.fetch = fetch  # reads the tool's keys
        self.scores: list[dict[str, Any]] = []
        self.people: list[dict[str, Any]] = []
        self.down = False

    def configuration(self) -> dict[str, Any]:
        return {self.url: {
            "default": True, "client_id": "clusterlab", "auth_login_url": f"{self.url}/authorize", "auth_token_url": f"{self.url}/token",
            "auth_audience": None, "key_set_url": f"{self.url}/keys", "key_set": None, "deployment_ids": ["1"],
        }}

    def serve(self, path: str, query: dict[str, list[str]], raw: bytes, headers: dict[str, str]) -> tuple[int, dict[str, str], Any]:
        if path == "/keys":
            return 200, {}, self.jwks()
        if self.down:
            return 503, {}, {}
        if path == "/token":
            form = parse_qs(raw.decode())
            key = JWK.from_json(json.dumps(self.fetch("/lti/keys")["keys"][0]))
            claims = jwt.decode(form["client_assertion"][0], key.export_to_pem(), algorithms=["RS256"], audience=f"{self.url}/token")
            assert claims["sub"] == "clusterlab" and form["scope"][0] in (SCORE, MEMBERS)
            token = "grades" if form["scope"] == [SCORE] else "members"
            return 200, {}, {"access_token": token, "token_type": "Bearer", "expires_in": 60, "scope": form["scope"][0]}
        if path.startswith("/members") and headers.get("Authorization") == "Bearer members":  # two on a page
            at = int(path.rpartition("/")[2] or 0)
            more = {"Link": f'<{self.url}/members/{at + 2}>; rel="next"'} if at + 2 < len(self.people) else {}
            return 200, more, {"id": self.url, "context": {"id": "c-1"}, "members": self.people[at : at + 2]}
        if path == "/line/1/scores" and headers.get("Authorization") == "Bearer grades":
            self.scores.append(json.loads(raw))
            return 200, {}, {}
        return 404, {}, {}

    def course(self) -> dict[str, Any]:
        """What a launch from a course says more, where the tool may ask who is in it."""
        return {
            CLAIM + "context": {"id": "c-1", "title": "Kubernetes 101 <b>"},
            "https://purl.imsglobal.org/spec/lti-nrps/claim/namesroleservice": {
                "context_memberships_url": f"{self.url}/members/0", "service_versions": ["2.0"]},
        }

    def asks_for_links(self, **settings: Any) -> dict[str, Any]:
        """What makes a launch a request for links."""
        return {CLAIM + "message_type": "LtiDeepLinkingRequest", DEEP + "deep_linking_settings": {
            "deep_link_return_url": f"{self.url}/links", "accept_types": ["ltiResourceLink"],
            "accept_presentation_document_targets": ["window"], "data": "csrf-of-the-platform", **settings}}

    def links(self, token: str) -> dict[str, Any]:
        """The links that came back, after the checks that a platform makes."""
        key = JWK.from_json(json.dumps(self.fetch("/lti/keys")["keys"][0]))
        found: dict[str, Any] = jwt.decode(token, key.export_to_pem(), algorithms=["RS256"], audience=self.url)
        return found

    def claims(self, nonce: str, lesson: str = "a-pod-is-born", role: str = "Learner", **more: Any) -> dict[str, Any]:
        now = int(time.time())
        return {
            "iss": self.url, "aud": "clusterlab", "sub": "u-1", "iat": now, "exp": now + 60, "nonce": nonce, "name": "Ada Lovelace",
            CLAIM + "message_type": "LtiResourceLinkRequest", CLAIM + "version": "1.3.0", CLAIM + "deployment_id": "1",
            CLAIM + "target_link_uri": "http://tool/", CLAIM + "resource_link": {"id": "r1"},
            CLAIM + "roles": [f"http://purl.imsglobal.org/vocab/lis/v2/membership#{role}"], CLAIM + "custom": {"lesson": lesson},
            "https://purl.imsglobal.org/spec/lti-ags/claim/endpoint": {
                "scope": [SCORE], "lineitems": f"{self.url}/lines", "lineitem": f"{self.url}/line/1",
            },
            **more,
        }

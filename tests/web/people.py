"""People as tests know them: a browser's cookies, forms filled in and sent."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
from typing import Any

import httpx

from tests.server import ROOT, Server

PASSWORD = "correct horse battery"

__all__ = ["PASSWORD", "Person", "manage", "promote"]


def manage(server: Server, *words: str) -> str:
    """Runs a management command on the server's database; its output."""
    done = subprocess.run([sys.executable, "manage.py", *words], cwd=ROOT, env=server.env, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def promote(server: Server, name: str, role: str) -> None:
    """Gives an account a role, as the management command does, but without starting a program."""
    with sqlite3.connect(server.folder / "clusterlab.sqlite3", timeout=20) as database:
        fields = (role != "learner", role == "administrator", role == "administrator", name)
        database.execute("UPDATE accounts_user SET instructor = ?, is_superuser = ?, is_staff = ? WHERE username = ?", fields)


class Person:
    """Somebody with a browser of their own."""

    def __init__(self, server: Server, name: str = "") -> None:
        self.server, self.name = server, name
        self.http = httpx.Client(base_url=server.url, timeout=60, trust_env=False, verify=False)  # no TLS here: reading certificates takes long

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.http.get(path, **options)

    def token(self, path: str) -> str:
        found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', self.get(path, follow_redirects=True).text)
        assert found, f"no form at {path}"
        return found[1]

    def send(self, path: str, fields: dict[str, Any] | None = None, form: str = "") -> httpx.Response:
        """Sends a form, with the token of the page that it stands on."""
        data = {"csrfmiddlewaretoken": self.token(form or path), **(fields or {})}
        return self.http.post(path, data=data, headers={"Referer": self.server.url + path})

    def sign_up(self, email: str = "") -> Person:
        answer = self.send("/accounts/sign-up", {"username": self.name, "email": email, "password1": PASSWORD, "password2": PASSWORD})
        assert answer.status_code == 302, answer.text
        return self

    def sign_in(self, password: str = PASSWORD, name: str = "") -> httpx.Response:
        return self.send("/accounts/sign-in", {"username": name or self.name, "password": password})

    def call(self, method: str, path: str, body: Any = None) -> httpx.Response:
        """A call of the API that rides on the session."""
        token = self.http.cookies.get("csrftoken") or self.token("/")
        return self.http.request(method, path, json=body, headers={"X-CSRFToken": token, "Referer": self.server.url + "/"})

    def cookie(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self.http.cookies.items())

    def instructor(self) -> Person:
        """Signs up, and is made an instructor by the administrator of the server."""
        self.sign_up()
        promote(self.server, self.name, "instructor")
        return self

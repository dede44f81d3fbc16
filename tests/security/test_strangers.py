"""Every address with an id in it, asked by somebody whose it is not: what changes something is refused, and nothing changes."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator

from clusterlab.web.urls import urlpatterns
from tests.server import Server
from tests.web.classes import join, open_class
from tests.web.people import Person
from tests.web.test_urls import routes

CHANGING = ("POST", "PUT", "PATCH", "DELETE")
VALUES = {"file": "a.png", "name": "first", "fault_id": "fault-1", "number": "1", "kind": "node", "replay_id": "x" * 24, "key": "nodes/node-1"}


def addresses(**ids: str) -> Iterator[str]:
    """Every address that takes one of the ids."""
    for route in routes(urlpatterns):
        plain = re.sub(r"\(\?P<(\w+)>(?:[^()]|\([^()]*\))*\)", r"<\1>", route).strip("^$")
        if any(re.search(rf"[<:]{name}>", plain) for name in ids):
            yield "/" + re.sub(r"<(?:\w+:)?(\w+)>", lambda found: {**VALUES, **ids}[found[1]], plain)


def test_nobody_changes_a_lab_without_its_key(server: Server) -> None:
    lab, other = server.lab(nodes=1), server.lab(nodes=1)
    before = lab.call("GET", "/export")["commands"]
    stranger = Person(server)
    assert stranger.call("POST", "/api/labs", {"nodes": 1}).status_code == 201  # with a session that holds another lab's key
    asked = [path for path in addresses(lab_id=lab.id) if path.startswith("/api/")]
    assert len(asked) > 40
    for path in asked:
        for method in CHANGING:
            answer = stranger.call(method, path, {})
            assert answer.status_code in (403, 405), (method, path, answer.status_code, answer.text[:200])
        status, answer = server.call("POST", path, {}, other.key)
        assert status in (403, 405), (path, status, answer)
    assert lab.call("GET", "/export")["commands"] == before


def test_a_class_is_not_there_for_others(server: Server) -> None:
    teacher, room = open_class(server, "idor-anna")
    other, elsewhere = open_class(server, "idor-bert")
    with sqlite3.connect(server.folder / "clusterlab.sqlite3", timeout=20) as database:
        (code,) = database.execute("SELECT code FROM classroom_classroom WHERE id = ?", (elsewhere,)).fetchone()
    learner = join(server, code, "Bo")
    asked = list(addresses(room_id=room, seat="x"))
    assert len(asked) > 7
    for person in (Person(server), learner, other):
        for path in asked:
            for method in ("GET", "POST"):
                answer = person.call(method, path, {} if method == "POST" else None)
                fine = answer.status_code in (404, 405) or (answer.status_code == 302 and answer.headers["location"] in ("/join", "/"))
                if answer.headers.get("location") == f"/accounts/sign-in?next={path}":  # as for a class that there is not
                    nowhere = path.replace(room, "a" * len(room))
                    fine = person.call(method, nowhere, {}).headers.get("location") == f"/accounts/sign-in?next={nowhere}"
                assert fine, (person.name, method, path, answer.status_code, answer.headers.get("location"))
    assert teacher.get(f"/classes/{room}/").status_code == 200


def test_a_lesson_is_not_there_for_others(server: Server) -> None:
    author = Person(server)
    begun = author.call("POST", "/author/new", {})
    assert begun.status_code == 302, begun.text
    lesson = re.search(r"/api/author/(own-\w+)|(own-\w+)", author.get("/author/").text)
    assert lesson
    name = lesson[1] or lesson[2].removesuffix("-draft")
    assert author.call("GET", f"/api/author/{name}").status_code == 200
    stranger = Person(server)
    asked = list(addresses(lesson_id=name))
    assert len(asked) > 7
    for path in asked:
        for method in ("GET", *CHANGING):
            answer = stranger.call(method, path, {} if method != "GET" else None)
            assert answer.status_code in (404, 405), (method, path, answer.status_code, answer.headers.get("location"))

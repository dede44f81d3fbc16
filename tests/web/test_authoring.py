"""Authors: from the example to a published lesson, and what others may see and do of it."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from clusterlab.lessons.package import from_zip, to_zip, write_folder
from clusterlab.web.management.commands.lesson import EXAMPLE
from tests.server import Server
from tests.web.classes import Page, open_class
from tests.web.people import Person


def begun(person: Person, **fields: Any) -> tuple[str, str]:
    """A new lesson of somebody's own: its id, and the page of its lab."""
    answer = person.send("/author/new", fields, form="/author/")
    assert answer.status_code == 302, answer.text
    page = person.get(answer.headers["location"]).text
    return page.partition('<cl-author lesson="')[2].partition('"')[0], page


def saved(person: Person, lesson: str, files: dict[str, str]) -> dict[str, Any]:
    answer = person.call("PUT", f"/api/author/{lesson}", {"files": files})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_visitor_writes_and_takes_the_lesson_along(server: Server) -> None:
    person = Person(server, "writer")
    lesson, page = begun(person)
    assert lesson.startswith("own-") and "A lesson of your own" in page
    files = person.call("GET", f"/api/author/{lesson}").json()["files"]
    assert files == EXAMPLE
    broken = {**files, "lesson.md": files["lesson.md"].replace("level: beginner", "level: easy")}
    state = saved(person, lesson, broken)
    assert state["version"] == 2 and state["page"] is None
    assert state["problems"][0]["file"] == "lesson.md" and "easy" in state["problems"][0]["message"]
    evil = files["lesson.md"].replace("Text in Markdown.", '<script>alert(1)</script> [x](javascript:alert(1)) **fine**')
    state = saved(person, lesson, {**files, "lesson.md": evil})
    assert "<script" not in state["page"]["html"] and "<strong>fine</strong>" in state["page"]["html"]
    assert "javascript:" not in state["page"]["html"].replace("[x](javascript:alert(1))", "")
    assert saved(person, lesson, {**files, "lesson.md": evil})["version"] == 3  # nothing new, no new version
    assert [one["number"] for one in person.call("GET", f"/api/author/{lesson}/versions").json()["versions"]] == [3, 2, 1]
    assert person.call("GET", f"/api/author/{lesson}/versions/1").json()["files"] == EXAMPLE
    assert from_zip(person.get(f"/api/author/{lesson}/zip").content)["lesson.md"] == evil
    assert person.call("POST", f"/api/author/{lesson}/publish", {"audience": "all"}).status_code == 403
    person.sign_up()
    assert person.call("GET", f"/api/author/{lesson}").status_code == 200  # it came along to the account
    person.call("DELETE", f"/api/author/{lesson}")
    assert person.call("GET", f"/api/author/{lesson}").status_code == 404


def test_what_is_being_written_is_looked_through_and_pictures_are_served_safely(server: Server) -> None:
    person = Person(server, "painter")
    lesson, _ = begun(person)
    svg = b'<svg xmlns="http://www.w3.org/2000/svg"><circle r="3"/></svg>'
    text = EXAMPLE["lesson.md"].replace("Text in Markdown.", "![A dot](images/dot.svg)")
    files = {**EXAMPLE, "lesson.md": text, "images/dot.svg": base64.b64encode(svg).decode()}
    found = person.call("POST", f"/api/author/{lesson}/check", {"files": {**files, "lesson.md": text.replace("A dot", "")}}).json()
    assert found["problems"] == [{"file": "lesson.md", "line": 14, "message": found["problems"][0]["message"]}]
    assert "has no words" in found["problems"][0]["message"] and found["tasks"] == ["three"]
    assert person.call("GET", f"/api/author/{lesson}").json()["version"] == 1  # nothing was saved
    person.http.headers["Accept-Language"] = "de"
    for old, new, line, told in (
        ("```task", "```tsk", 1, "hat keine Aufgabe: Fügen Sie eine ein"), ("  equals: 3", "  exsts: 3", 0, "exsts ist kein Feld davon; meinten Sie exists?"),
    ):
        found = person.call("POST", f"/api/author/{lesson}/check", {"files": {**files, "lesson.md": text.replace(old, new)}}).json()
        assert told in found["problems"][-1]["message"] and line in (0, found["problems"][-1]["line"])
    found = person.call("POST", f"/api/author/{lesson}/check", {"files": {**files, "scenario.yaml": "seed: 1\nnodes: [1,\n"}}).json()
    assert found["problems"][0]["file"] == "scenario.yaml" and found["problems"][0]["line"] > 1 and "kein YAML" in found["problems"][0]["message"]
    del person.http.headers["Accept-Language"]
    assert Person(server).call("POST", f"/api/author/{lesson}/check", {"files": files}).status_code == 404
    page = saved(person, lesson, files)["page"]["html"]
    source = page.partition('<img src="')[2].partition('"')[0]
    answer = person.get(source)
    assert answer.status_code == 200 and answer.content == svg and answer.headers["content-type"] == "image/svg+xml"
    assert "sandbox" in answer.headers["content-security-policy"] and answer.headers["x-content-type-options"] == "nosniff"
    assert person.get(source.replace("dot.svg", "..%2Flesson.md")).status_code == 404
    evil = base64.b64encode(svg.replace(b"<circle", b"<script/><circle")).decode()
    assert person.call("PUT", f"/api/author/{lesson}", {"files": {**files, "images/dot.svg": evil}}).status_code == 400


def test_nobody_else_may_read_or_change_it(server: Server) -> None:
    person, other = Person(server, "owner"), Person(server, "other")
    lesson, _ = begun(person)
    other.get("/author/")
    assert other.call("GET", f"/api/author/{lesson}").status_code == 404
    assert other.call("PUT", f"/api/author/{lesson}", {"files": EXAMPLE}).status_code == 404
    assert other.get(f"/api/author/{lesson}/zip").status_code == 404
    assert other.send("/labs/new", {"lesson": lesson}, form="/").status_code == 404
    without = person.http.put(f"/api/author/{lesson}", json={"files": EXAMPLE})
    assert without.status_code == 403 and "CSRF" in without.text


@pytest.mark.parametrize(("files", "said"), [
    ({"lesson.md": "x", "../x.md": "x"}, "does not belong"),
    ({"lesson.md": 5}, "must be text"),
    ({"lesson.md": "x" * 200_001}, "at most"),
    ({}, "no lesson.md"),
    ([], "object"),
])
def test_files_are_held_to_their_bounds(server: Server, files: Any, said: str) -> None:
    person = Person(server, "bounded")
    lesson, _ = begun(person)
    answer = person.call("PUT", f"/api/author/{lesson}", {"files": files})
    assert answer.status_code == 400 and said in answer.json()["error"]["message"]


def test_an_instructor_publishes_and_learners_find_it(server: Server) -> None:
    teacher, learner = Person(server, "teacher7").instructor(), Person(server, "learner7")
    lesson, _ = begun(teacher)
    marked = {**EXAMPLE, "lesson.md": EXAMPLE["lesson.md"].replace("A lesson of your own", "Published by a teacher")}
    saved(teacher, lesson, marked)
    assert "Published by a teacher" not in learner.get("/lessons/").text
    assert teacher.call("POST", f"/api/author/{lesson}/publish", {"audience": "all"}).json() == {"audience": "all", "published": 2}
    assert "Published by a teacher" in learner.get("/lessons/").text
    answer = learner.send("/labs/new", {"lesson": lesson}, form="/")
    page = learner.get(answer.headers["location"]).text
    assert "Published by a teacher" in page and "<cl-author" not in page
    saved(teacher, lesson, EXAMPLE)  # what learners see stays as it was published
    assert "Published by a teacher" in learner.get("/lessons/").text
    teacher.call("POST", f"/api/author/{lesson}/publish", {"audience": "private"})
    assert "Published by a teacher" not in learner.get("/lessons/").text


def test_a_page_follows_the_files_of_its_lesson(tmp_path: Path) -> None:
    write_folder(EXAMPLE, tmp_path / "lessons" / "mine")
    file = tmp_path / "lessons" / "mine" / "lesson.md"
    live = Server(tmp_path, CLUSTERLAB_LIVE="1", CLUSTERLAB_LESSONS=str(tmp_path / "lessons")).start()
    try:
        person = Person(live, "live")
        page = person.get(person.send("/labs/new", {"lesson": "mine"}, form="/").headers["location"]).text
        assert "<cl-live-lesson" in page
        lab_id = page.partition('data-lab-id="')[2].partition('"')[0]
        address = f"/api/labs/{lab_id}/lesson/text"
        first = person.get(address).json()
        assert "Text in Markdown." in first["page"]["html"]
        assert person.get(address, params={"stamp": first["stamp"]}).json() == {"stamp": first["stamp"]}
        file.write_text(EXAMPLE["lesson.md"].replace("Text in Markdown.", "Changed."))
        second = person.get(address, params={"stamp": first["stamp"]}).json()
        assert "Changed." in second["page"]["html"] and second["stamp"] != first["stamp"]
        file.write_text("no front matter")
        assert "front matter" in person.get(address, params={"stamp": second["stamp"]}).json()["problem"]
    finally:
        live.stop()


def test_a_zip_comes_in_and_a_bad_one_is_told(server: Server) -> None:
    person = Person(server, "zipper")
    token = person.token("/author/")

    def sent(data: bytes) -> Any:
        headers = {"Referer": server.url + "/author/"}
        return person.http.post("/author/new", data={"csrfmiddlewaretoken": token}, files={"zip": ("l.zip", data)}, headers=headers)

    answer = sent(to_zip({**EXAMPLE, "lesson.md": EXAMPLE["lesson.md"].replace("A lesson of your own", "From a zip")}, "x"))
    assert answer.status_code == 302 and "From a zip" in person.get(answer.headers["location"]).text
    assert sent(b"no zip").status_code == 400 and "not a zip" in sent(b"no zip").text


async def test_what_is_published_to_a_class_is_for_its_learners(server: Server) -> None:
    teacher, room = open_class(server, "teacher8")
    lesson, _ = begun(teacher)
    saved(teacher, lesson, {**EXAMPLE, "lesson.md": EXAMPLE["lesson.md"].replace("A lesson of your own", "For my class alone")})
    assert teacher.call("POST", f"/api/author/{lesson}/publish", {"audience": "class"}).json()["audience"] == "class"
    async with Page(server, teacher, room) as page:
        code = page.state["code"]
    member, stranger = Person(server, "member8").sign_up(), Person(server, "stranger8").sign_up()
    assert member.send("/join", {"code": code, "name": "member8"}).status_code == 302
    assert "For my class alone" in member.get("/lessons/").text
    assert "For my class alone" not in stranger.get("/lessons/").text

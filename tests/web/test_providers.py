"""Other ways in: OpenID Connect, and launches of a learning platform with the grade that goes back."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from jwcrypto.jwk import JWK

from tests.server import Server
from tests.waiting import LONG_S
from tests.web.classes import Page
from tests.web.people import Person
from tests.web.simulated import CLAIM, DEEP, Platform, Provider


@pytest.fixture(scope="module")
def connected(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Provider, Platform]]:
    """A server that knows a provider and a platform."""
    folder = tmp_path_factory.mktemp("connected")
    servers: list[Server] = []
    provider, platform = Provider(), Platform(lambda path: httpx.get(servers[0].url + path, trust_env=False, verify=False).json())
    trusted: Path = folder / "lti.json"
    trusted.write_text(json.dumps(platform.configuration()))
    server = Server(
        folder, CLUSTERLAB_OIDC_URL=provider.url, CLUSTERLAB_OIDC_CLIENT="clusterlab", CLUSTERLAB_OIDC_SECRET="s3cret",
        CLUSTERLAB_OIDC_NAME="The school", CLUSTERLAB_LTI=str(trusted),
    ).start()
    servers.append(server)
    yield server, provider, platform
    server.stop()
    provider.close()
    platform.close()


def by_provider(server: Server) -> Person:
    """Somebody who signs in with the provider."""
    person = Person(server)
    begun = person.send("/accounts/oidc/main/login/", form="/accounts/sign-in")
    assert begun.status_code == 302, begun.text
    back = httpx.get(begun.headers["location"], trust_env=False, verify=False)
    done = person.get(back.headers["location"])
    assert done.status_code == 302 and done.headers["location"] == "/accounts/", done.text
    return person


def test_signing_in_with_openid_connect(connected: tuple[Server, Provider, Platform]) -> None:
    server, provider, _ = connected
    assert "Sign in with The school" in Person(server).get("/accounts/sign-in").text
    provider.person = {"sub": "1", "preferred_username": "oidc-ada", "email": "oidc-ada@example.org", "email_verified": True}
    ada = by_provider(server)
    assert provider.asked["client_id"] == "clusterlab" and provider.asked["code_challenge_method"] == "S256"
    page = ada.get("/accounts/").text
    assert "<h1>oidc-ada</h1>" in page and "oidc-ada@example.org" in page and "Change the password" not in page
    made = ada.call("POST", "/api/labs", {"nodes": 1, "paused": True}).json()
    again = by_provider(server)
    assert made["id"] in again.get("/accounts/").text  # the same account


def test_a_provider_opens_nobodys_account(connected: tuple[Server, Provider, Platform]) -> None:
    server, provider, _ = connected
    Person(server, "oidc-grace").sign_up("oidc-grace@example.org")
    provider.person = {"sub": "2", "preferred_username": "oidc-grace", "email": "oidc-grace@example.org", "email_verified": True}
    other = by_provider(server).get("/accounts/").text
    assert "<h1>oidc-grace-2</h1>" in other and "oidc-grace@example.org" not in other
    provider.person = {"sub": "3", "preferred_username": "<b>\u202eEve</b>"}
    assert "<h1>bEveb</h1>" in by_provider(server).get("/accounts/").text


def test_a_forged_answer_of_the_provider(connected: tuple[Server, Provider, Platform]) -> None:
    server, _, _ = connected
    person = Person(server)
    assert person.get("/accounts/oidc/main/login/callback/?code=c0de&state=made-up", follow_redirects=True).status_code == 403
    assert person.get("/accounts/").status_code == 302


def begin(server: Server, platform: Platform, person: Person) -> dict[str, str]:
    """The login that comes before a launch; what the tool asks the platform."""
    answer = person.get(f"/lti/login?iss={platform.url}&login_hint=u-1&target_link_uri={server.url}/lti/launch&client_id=clusterlab")
    assert answer.status_code == 302, answer.text
    url = urlsplit(answer.headers["location"])
    assert f"{url.scheme}://{url.netloc}{url.path}" == f"{platform.url}/authorize"
    return {name: values[0] for name, values in parse_qs(url.query).items()}


def launch(server: Server, platform: Platform, person: Person, key: JWK | None = None, **more: Any) -> httpx.Response:
    asked = begin(server, platform, person)
    token = platform.signed(platform.claims(asked["nonce"], **more), key)
    return person.http.post("/lti/launch", data={"id_token": token, "state": asked["state"]})


def waiting(server: Server) -> int:
    """Grades whose sending has failed."""
    with sqlite3.connect(server.folder / "clusterlab.sqlite3", timeout=20) as database:
        return int(database.execute("SELECT count(*) FROM lti_outcome WHERE tries > 0 AND next IS NOT NULL").fetchone()[0])


def until(holds: Any) -> None:
    end = time.monotonic() + 90
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_launch_opens_the_lesson_and_the_grade_goes_back(connected: tuple[Server, Provider, Platform]) -> None:
    server, _, platform = connected
    ada = Person(server)
    answer = launch(server, platform, ada)
    assert answer.status_code == 302 and answer.headers["location"].startswith("/labs/"), answer.text
    lab = answer.headers["location"].split("/")[2]
    page = ada.get(f"/labs/{lab}/").text
    assert 'data-can-edit="true"' in page and "A pod is born" in page
    assert launch(server, platform, Person(server)).headers["location"] == f"/labs/{lab}/"  # the same lab from another browser
    until(lambda: platform.scores)
    assert platform.scores[0]["scoreGiven"] == 0 and platform.scores[0]["scoreMaximum"] == 2
    key = page.partition("/kube/")[2].partition("/")[0]
    pod = {"metadata": {"name": "hello"}, "spec": {"containers": [{"name": "hello", "image": "nginx:1.25"}]}}
    assert ada.http.post(f"/kube/{key}/api/v1/namespaces/default/pods", json=pod).status_code == 201
    assert ada.call("POST", f"/api/labs/{lab}/run", {"until": "settled"}).status_code == 200
    ada.get(f"/api/labs/{lab}/lesson/checks")
    until(lambda: len(platform.scores) == 2)
    score = platform.scores[1]
    assert score["scoreGiven"] == 1 and score["userId"] == "u-1" and score["activityProgress"] == "InProgress"
    assert 'class="pill">learner' in ada.get("/accounts/").text


def test_a_grade_that_could_not_be_sent_is_sent_again(connected: tuple[Server, Provider, Platform]) -> None:
    server, _, platform = connected
    person, before = Person(server), len(platform.scores)
    platform.down = True
    try:
        assert launch(server, platform, person, sub="u-2").status_code == 302
        person.call("POST", "/api/lessons/progress", {"lessons": {"a-pod-is-born": ["running", "gone"]}})
        until(lambda: waiting(server) == 1)
    finally:
        platform.down = False
    assert len(platform.scores) == before
    with sqlite3.connect(server.folder / "clusterlab.sqlite3", timeout=20) as database:  # half a minute later
        database.execute("UPDATE lti_outcome SET next = '2020-01-01 00:00:00' WHERE tries > 0")
    until(lambda: len(platform.scores) > before)
    assert platform.scores[-1]["scoreGiven"] == 2 and platform.scores[-1]["activityProgress"] == "Completed"


def test_who_teaches_there_may_teach_here(connected: tuple[Server, Provider, Platform]) -> None:
    server, _, platform = connected
    grace = Person(server)
    assert launch(server, platform, grace, sub="u-3", role="Instructor").status_code == 302
    assert grace.get("/classes/").status_code == 200


def test_links_are_chosen_here(connected: tuple[Server, Provider, Platform]) -> None:
    server, _, platform = connected
    grace = Person(server)
    answer = launch(server, platform, grace, sub="u-4", role="Instructor", **platform.asks_for_links(accept_multiple=True))
    assert answer.status_code == 302 and answer.headers["location"].startswith("/lti/choose/"), answer.text
    path = answer.headers["location"]
    assert Person(server).get(path).status_code == 404  # it is hers alone
    assert 'value="a-pod-is-born"' in grace.get(path).text
    assert grace.send(path, {"lesson": ["no-such"]}).status_code == 400
    chosen = grace.send(path, {"lesson": ["a-pod-is-born", "05-the-scheduler", "no-such"]})
    assert chosen.status_code == 200 and f'action="{platform.url}/links"' in chosen.text
    assert f"form-action {platform.url}" in chosen.headers["content-security-policy"]
    token = chosen.text.partition('name="JWT" value="')[2].partition('"')[0]
    told = platform.links(token)
    assert told["iss"] == "clusterlab" and told[CLAIM + "message_type"] == "LtiDeepLinkingResponse" and told[CLAIM + "deployment_id"] == "1"
    assert told[DEEP + "data"] == "csrf-of-the-platform"
    items = told[DEEP + "content_items"]
    assert [item["custom"]["lesson"] for item in items] == ["a-pod-is-born", "05-the-scheduler"]
    assert items[0]["url"] == f"{server.url}/lti/launch" and items[0]["lineItem"]["scoreMaximum"] == 2
    assert grace.get(path).status_code == 404  # answered once
    # Where it leads: the link opens the lesson.
    opened = launch(server, platform, Person(server), sub="u-5", lesson=items[1]["custom"]["lesson"])
    assert "/labs/" in opened.headers["location"]
    for wrong in ({"deep_link_return_url": "javascript:alert(1)"}, {"accept_types": ["html"]}):
        assert launch(server, platform, grace, sub="u-4", role="Instructor", **platform.asks_for_links(**wrong)).status_code == 403


async def test_the_people_of_a_course_are_expected_in_a_class(connected: tuple[Server, Provider, Platform]) -> None:
    server, _, platform = connected
    platform.people = [
        {"user_id": "u-6", "name": "Grace", "roles": ["http://purl.imsglobal.org/vocab/lis/v2/membership#Instructor"], "status": "Active"},
        {"user_id": "u-7", "name": "Ada <i>", "roles": ["http://purl.imsglobal.org/vocab/lis/v2/membership#Learner"]},
        {"user_id": "u-8", "given_name": "Bob", "family_name": "B", "roles": ["Learner"], "status": "Active"},
        {"user_id": "u-9", "name": "Gone", "roles": ["Learner"], "status": "Inactive"},
    ]
    grace, ada = Person(server), Person(server)
    await asyncio.to_thread(launch, server, platform, grace, sub="u-6", role="Instructor", **platform.course())
    await asyncio.to_thread(launch, server, platform, ada, sub="u-7", **platform.course())
    page = grace.get("/classes/").text
    course = page.partition('data-testid="course"')[2].partition('value="')[2].partition('value="')[2].partition('"')[0]
    assert "Kubernetes 101 &lt;b&gt;" in page
    answer = grace.send("/classes/new", {"title": "Course", "on": "blank", "nodes": "1", "course": course}, form="/classes/")
    room = answer.headers["location"].split("/")[2]
    async with Page(server, grace, room) as board:
        async with asyncio.timeout(LONG_S):
            while not (roster := board.state["roster"])["missing"]:  # the platform is asked while nobody waits
                assert (await board.answer("roster"))["type"] in ("done", "error")
                board.state = (await state_of(server, grace, room))
        assert roster["expected"] == 2 and roster["missing"] == ["Ada <i>", "Bob B"]
        joined = await asyncio.to_thread(ada.send, "/join", {"code": board.state["code"], "name": "Ada"})
        assert joined.status_code == 302
        await board.until(lambda b: b.state["roster"]["missing"] == ["Bob B"])
    assert "Bob B" in grace.get(f"/classes/{room}/report").text and "Bob B,,,,," in grace.get(f"/classes/{room}/report.csv").text
    other = Person(server, "course-other").sign_up()
    assert 'data-testid="course"' not in other.get("/classes/").text


async def state_of(server: Server, person: Person, room: str) -> dict[str, Any]:
    async with Page(server, person, room) as page:
        return page.state


def test_forged_launches(connected: tuple[Server, Provider, Platform]) -> None:
    server, _, platform = connected
    person = Person(server)
    assert launch(server, platform, person, key=JWK.generate(kty="RSA", size=2048)).status_code == 403  # signed by somebody else
    assert launch(server, platform, person, exp=int(time.time()) - 600).status_code == 403
    assert launch(server, platform, person, aud="another").status_code == 403
    assert launch(server, platform, person, iss="https://evil.example").status_code == 403
    assert launch(server, platform, person, **{CLAIM + "deployment_id": "2"}).status_code == 403
    assert launch(server, platform, person, lesson="../../etc/passwd").status_code == 403
    asked = begin(server, platform, person)
    token = platform.signed(platform.claims(asked["nonce"]))
    stranger = Person(server)  # another browser than the one that began
    assert stranger.http.post("/lti/launch", data={"id_token": token, "state": asked["state"]}).status_code == 403
    sent = {"id_token": platform.signed(platform.claims(begin(server, platform, person)["nonce"])), "state": asked["state"]}
    assert person.http.post("/lti/launch", data=sent).status_code == 302
    assert person.http.post("/lti/launch", data=sent).status_code == 403  # a nonce is good once
    assert person.http.post("/lti/launch", data={"id_token": "a.b.c", "state": "x"}).status_code == 403
    assert person.get("/lti/login?iss=https://evil.example&login_hint=1").status_code == 403


def test_without_platforms_there_is_nothing(server: Server) -> None:
    for path in ("/lti/login", "/lti/keys", "/accounts/oidc/main/login/"):
        assert Person(server).get(path).status_code == 404

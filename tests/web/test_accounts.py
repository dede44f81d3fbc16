"""Accounts: signing up, in and out, passwords, roles, what is taken along, and what is deleted."""

from __future__ import annotations

import re

import pytest

from clusterlab.web.accounts.names import clean_name
from tests.server import Server
from tests.waiting import until
from tests.web.people import PASSWORD, Person, manage, promote


def test_a_visitors_lab_comes_along_to_the_account_and_from_there_to_another_browser(server: Server) -> None:
    ada = Person(server, "ada-1")
    made = ada.call("POST", "/api/labs", {"nodes": 1, "paused": True}).json()
    ada.sign_up()
    elsewhere = Person(server, "ada-1")
    assert elsewhere.call("POST", f"/api/labs/{made['id']}/pause").status_code == 403
    assert elsewhere.sign_in().status_code == 302
    assert elsewhere.call("POST", f"/api/labs/{made['id']}/pause").status_code == 200
    assert made["key"] in elsewhere.get(f"/labs/{made['id']}/").text
    assert made["id"] in elsewhere.get("/accounts/").text
    later = elsewhere.call("POST", "/api/labs", {"nodes": 1, "paused": True}).json()
    assert ada.call("POST", f"/api/labs/{later['id']}/pause").status_code == 200
    assert Person(server).call("POST", f"/api/labs/{later['id']}/pause").status_code == 403


def test_signing_out_leaves_nothing_in_the_browser(server: Server) -> None:
    ada = Person(server, "ada-2").sign_up()
    made = ada.call("POST", "/api/labs", {"nodes": 1, "paused": True}).json()
    assert ada.send("/accounts/sign-out", form="/accounts/").status_code == 302
    assert ada.call("POST", f"/api/labs/{made['id']}/pause").status_code == 403
    assert ada.get("/accounts/").status_code == 302
    assert ada.get("/accounts/sign-out").status_code == 405  # a link cannot sign somebody out


def test_progress_comes_along(server: Server) -> None:
    ada = Person(server, "ada-3")
    assert ada.call("POST", "/api/lessons/progress", {"lessons": {"a-pod-is-born": ["running"]}}).status_code == 200
    ada.sign_up()
    ada.call("POST", "/api/lessons/progress", {"lessons": {"a-pod-is-born": ["gone"]}})
    elsewhere = Person(server, "ada-3")
    elsewhere.sign_in()
    assert elsewhere.get("/api/lessons/progress").json()["lessons"] == {"a-pod-is-born": ["running", "gone"]}


def test_what_was_answered_and_skipped_comes_along(server: Server) -> None:
    ada = Person(server, "ada-notes")
    place = ada.send("/labs/new", {"lesson": "a-pod-is-born"}, "/lessons/").headers["location"]
    notes = f"/api{place}lesson/notes"
    assert ada.call("POST", notes, {"skipped.gone": "yes"}).status_code == 200
    ada.sign_up()
    assert ada.call("POST", notes, {"at": "1"}).status_code == 200
    elsewhere = Person(server, "ada-notes")
    elsewhere.sign_in()
    page = elsewhere.get(place).text
    assert "&quot;skipped.gone&quot;: &quot;yes&quot;" in page and "&quot;at&quot;: &quot;1&quot;" in page
    assert "skipped.gone" not in Person(server).get(place).text


def test_wrong_passwords_are_counted(server: Server) -> None:
    Person(server, "ada-4").sign_up()
    guesser = Person(server, "ada-4")
    texts = [guesser.sign_in("wrong").text for _ in range(12)]
    assert "tried too often" not in texts[0] and "tried too often" in texts[-1]
    assert "tried too often" in guesser.sign_in().text  # not even the right one, for a minute
    Person(server, "ada-4b").sign_up()
    assert Person(server, "ada-4b").sign_in().status_code == 302  # others are not held up


@pytest.mark.parametrize("name, password, trouble", [
    ("ada-5", "short", "too short"), ("ada-5", "password123", "too common"), ("ada-5", "83629461834", "numeric"), ("a b", PASSWORD, "valid username"),
    ("ada\u202e5", PASSWORD, "letters"), ("x" * 60, PASSWORD, "letters, digits"), ("ada@example.org", PASSWORD, "letters, digits"),
])
def test_weak_passwords_and_odd_names(server: Server, name: str, password: str, trouble: str) -> None:
    answer = Person(server).send("/accounts/sign-up", {"username": name, "email": "", "password1": password, "password2": password})
    assert answer.status_code == 400 and trouble in answer.text.replace("entirely ", "")


def test_a_name_and_an_address_are_taken_once(server: Server) -> None:
    Person(server, "ada-6").sign_up("ada6@example.org")
    fields = {"username": "ADA-6", "email": "Ada6@Example.org", "password1": PASSWORD, "password2": PASSWORD}
    answer = Person(server).send("/accounts/sign-up", fields)
    assert "This name is taken" in answer.text and "account with this e-mail" in answer.text


def mail(server: Server, to: str) -> str:
    """The path in the last mail to somebody; by default mails are printed."""
    def found() -> list[str]:
        return re.findall(rf"To: {re.escape(to)}.*?(/accounts/reset/\S+)", (server.folder / "server.log").read_text(), re.DOTALL)

    return str(until(found, "a mail comes")[-1])


def test_a_forgotten_password(server: Server) -> None:
    Person(server, "ada-7").sign_up("ada7@example.org")
    ada = Person(server, "ada-7")
    assert ada.send("/accounts/reset", {"email": "ada7@example.org"}).status_code == 302
    assert Person(server).send("/accounts/reset", {"email": "nobody@example.org"}).status_code == 302  # says the same
    link = mail(server, "ada7@example.org")
    form = ada.get(link, follow_redirects=True)
    new = {"new_password1": "another long secret", "new_password2": "another long secret"}
    assert ada.send(form.url.path, new).status_code == 302
    assert ada.sign_in("another long secret", "ada7@example.org").status_code == 302
    assert "does not hold any more" in Person(server).get(link, follow_redirects=True).text
    for _ in range(4):
        answer = Person(server).send("/accounts/reset", {"email": "ada7@example.org"})
    assert "tried too often" in answer.text
    assert "nobody@example.org" not in (server.folder / "server.log").read_text()


def test_a_new_password_signs_other_browsers_out(server: Server) -> None:
    ada, other = Person(server, "ada-8").sign_up(), Person(server, "ada-8")
    other.sign_in()
    new = {"old_password": PASSWORD, "new_password1": "another long secret", "new_password2": "another long secret"}
    assert ada.send("/accounts/password", new).status_code == 302
    assert ada.get("/accounts/").status_code == 200 and other.get("/accounts/").status_code == 302


def test_roles(server: Server) -> None:
    root, ada = Person(server, "root-9").sign_up(), Person(server, "ada-9").sign_up()
    assert root.get("/accounts/people").status_code == 403
    promote(server, "root-9", "administrator")
    page = root.get("/accounts/people?words=ada-9").text
    assert "ada-9" in page
    role = {"name": "ada-9", "role": "instructor"}
    assert root.send("/accounts/people/role", role, form="/accounts/people").status_code == 302
    assert '<span class="pill">instructor</span>' in ada.get("/accounts/").text
    for _ in range(2):
        assert ada.call("POST", "/accounts/people/role").status_code == 403
    refused = root.send("/accounts/people/role", {"name": "root-9", "role": "learner"}, form="/accounts/people")
    assert refused.status_code == 409


def test_an_invited_instructor_sets_a_password(server: Server) -> None:
    root = Person(server, "root-10").sign_up()
    promote(server, "root-10", "administrator")
    page = root.send("/accounts/people/role", {"name": "grace-10", "role": "instructor"}, form="/accounts/people").text
    link = re.search(r"(/accounts/reset/[^<\s]+)", page)
    assert link
    grace = Person(server, "grace-10")
    form = grace.get(link[1], follow_redirects=True)
    assert grace.send(form.url.path, {"new_password1": PASSWORD, "new_password2": PASSWORD}).status_code == 302
    assert grace.sign_in().status_code == 302


def test_the_command_makes_accounts(server: Server) -> None:
    said = manage(server, "account", "grace-11", "--role", "instructor", "--email", "g@example.org")
    assert "grace-11: instructor" in said and "/accounts/reset/" in said
    assert "grace-11: administrator" in manage(server, "account", "grace-11", "--role", "administrator")


def test_an_account_is_deleted_with_all_that_is_its(server: Server) -> None:
    ada, other = Person(server, "ada-12").sign_up(), Person(server, "ada-12")
    made = ada.call("POST", "/api/labs", {"nodes": 1, "paused": True}).json()
    other.sign_in()
    assert "not right" in ada.send("/accounts/delete", {"proof": "wrong"}).text
    assert ada.send("/accounts/delete", {"proof": PASSWORD}).status_code == 302
    assert ada.get(f"/api/labs/{made['id']}").status_code == 404
    assert other.get("/accounts/").status_code == 302 and ada.get("/accounts/").status_code == 302
    assert "Name or password is wrong" in Person(server, "ada-12").sign_in().text


def test_after_signing_in_one_stays_on_this_server(server: Server) -> None:
    ada = Person(server, "ada-13").sign_up()
    ada.send("/accounts/sign-out", form="/accounts/")
    for elsewhere in ("https://evil.example/", "//evil.example", "javascript:alert(1)"):
        fields = {"username": "ada-13", "password": PASSWORD, "next": elsewhere}
        answer = Person(server).send("/accounts/sign-in", fields)
        assert answer.headers["location"] == "/accounts/"
    assert Person(server).get("/accounts/").headers["location"] == "/accounts/sign-in?next=/accounts/"


@pytest.mark.parametrize("given, shown", [
    ("  Ada\tLovelace ", "Ada Lovelace"), ("a\u202eb\u200bc\x00", "abc"), ("\u200b\u202e", ""), ("!!!", ""), ("Z" + "\u0336" * 50 + "oe", "Z\u0336\u0336oe"),
    ("José", "José"), ("x" * 99, "x" * 40), ("<b>Ada</b>", "<b>Ada</b>"), ("\ud800Ada", "Ada"),
])
def test_names(given: str, shown: str) -> None:
    assert clean_name(given) == shown

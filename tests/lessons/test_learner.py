"""What a learner's browser asks the server for, on a real server."""

from __future__ import annotations

import html
import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.cookiejar import CookieJar
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from tests.server import Server
from tests.waiting import LONG_S


class Browser:
    """Cookies and CSRF, as a browser has them."""

    def __init__(self, server: Server) -> None:
        self.server, self.jar = server, CookieJar()
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.jar))

    def page(self, path: str) -> str:
        with self.opener.open(self.server.url + path, timeout=30) as answer:
            return answer.read().decode()

    def start(self, lesson: str) -> str:
        """Starts a lab of a lesson from the catalogue; its id."""
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', self.page("/lessons/"))
        assert token
        self.token = token.group(1)
        body = urlencode({"csrfmiddlewaretoken": self.token, "lesson": lesson}).encode()
        with self.opener.open(self.server.url + "/labs/new", body, timeout=30) as answer:
            return answer.geturl().rstrip("/").rsplit("/", 1)[1]

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", "X-CSRFToken": self.token, "Referer": self.server.url}
        request = urllib.request.Request(self.server.url + path, data, headers, method=method)
        try:
            with self.opener.open(request, timeout=60) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())


@pytest.fixture
def browser(server: Server) -> Browser:
    return Browser(server)


def test_the_catalogue_names_every_lesson(browser: Browser) -> None:
    page = browser.page("/lessons/")
    assert page.count('data-testid="lesson:') >= 57
    assert "Challenges" in page and "Why Kubernetes" in page


def test_a_lesson_from_prediction_to_done(browser: Browser) -> None:
    lab = f"/api/labs/{browser.start('a-pod-is-born')}"
    page = browser.page(lab.removeprefix("/api") + "/")
    assert "<cl-predict" in page and "Only the scheduler looks" not in page
    code, told = browser.ask("POST", f"{lab}/lesson/predict/who-is-next", {"choice": "kubelet"})
    assert code == 200 and told["right"] is False and told["answer"] == "kube-scheduler" and told["explain"]
    assert browser.ask("POST", f"{lab}/lesson/predict/who-is-next", {"choice": "kube-scheduler"})[1]["right"] is True
    assert browser.ask("POST", f"{lab}/lesson/predict/who-is-next", {"choice": "you"})[0] == 400
    assert browser.ask("POST", f"{lab}/lesson/quiz/who-brings-it-back", {"choice": 2})[1]["right"] is True
    assert browser.ask("GET", f"{lab}/lesson/hints/gone?count=1")[1]["more"] == 1
    assert browser.ask("GET", f"{lab}/lesson/solution/gone")[1]["actions"] == [{"kubectl": "kubectl delete pod hello"}]
    tasks = {task["id"]: task["done"] for task in browser.ask("GET", f"{lab}/lesson/checks")[1]["tasks"]}
    assert tasks == {"running": False, "gone": False}


def restarted(browser: Browser, lab_id: str) -> tuple[bool, bool]:
    """Whether the first task of lesson 12 is done, and whether all its checks are told as done."""
    tasks = browser.ask("GET", f"/api/labs/{lab_id}/lesson/checks")[1]["tasks"]
    task = next(task for task in tasks if task["id"] == "restarted")
    return task["done"], all(check["done"] for check in task["checks"])


def test_progress_stays_with_the_browser_and_moves_to_another(browser: Browser, server: Server) -> None:
    lab_id = browser.start("12-self-healing")
    browser.ask("POST", f"/api/labs/{lab_id}/pause", {})
    browser.ask("POST", f"/api/labs/{lab_id}/seek", {"seq": 0})
    code, told = browser.ask("POST", f"/api/labs/{lab_id}/lesson/fault/crash", {})
    assert code == 409 and "let the cluster run" in told["error"]["message"]  # too soon: nothing runs yet that could crash
    browser.ask("POST", f"/api/labs/{lab_id}/run", {"until": "settled"})
    assert browser.ask("POST", f"/api/labs/{lab_id}/lesson/fault/crash", {})[0] == 201
    browser.ask("POST", f"/api/labs/{lab_id}/run", {"until": {"time": 60_000}})
    tasks = browser.ask("GET", f"/api/labs/{lab_id}/lesson/checks")[1]["tasks"]
    assert [task["done"] for task in tasks if task["id"] == "restarted"] == [True]
    seq = browser.ask("GET", f"/api/labs/{lab_id}")[1]["seq"]
    assert browser.ask("POST", f"/api/labs/{lab_id}/lesson/fault/crash", {})[0] == 201  # what is done stays done
    assert restarted(browser, lab_id) == (True, True)
    assert browser.ask("POST", f"/api/labs/{lab_id}/seek", {"seq": 1})[0] == 200  # and is open where it had not been done yet
    assert restarted(browser, lab_id) == (False, False)
    assert browser.ask("POST", f"/api/labs/{lab_id}/seek", {"seq": seq})[0] == 200
    assert restarted(browser, lab_id) == (True, True)
    assert browser.ask("POST", f"/api/labs/{lab_id}/seek", {"seq": 1})[0] == 200
    browser.ask("POST", f"/api/labs/{lab_id}/lesson/fault/power", {})  # another way from there, on which it never was
    browser.ask("POST", f"/api/labs/{lab_id}/run", {"until": {"time": 60_000}})
    assert restarted(browser, lab_id)[0] is False
    kept = browser.ask("GET", "/api/lessons/progress")[1]
    assert kept == {"version": 3, "lessons": {"12-self-healing": ["restarted"]}, "notes": {}}
    other = Browser(server)
    other.start("a-pod-is-born")
    assert other.ask("POST", "/api/lessons/progress", {"lessons": kept["lessons"]})[1] == kept  # as the first version wrote it
    assert "1/4 tasks" in other.page("/lessons/")


def test_answers_and_skips_stay_with_the_lab_and_go_into_the_export(browser: Browser, server: Server) -> None:
    lab_id = browser.start("12-self-healing")
    notes, answer = f"/api/labs/{lab_id}/lesson/notes", '[1,true,"Right & \"good\"."]'
    assert browser.ask("POST", notes, {"asked.same-pod": answer, "skipped.replaced": "yes", "steps": '{"1": 20}', "clock": "17"})[0] == 200
    more = {"skipped.healed": "yes", "at": "1", "hints.healed": "2 solution", "manifest.web.yaml": json.dumps(["x" * 9_000, True])}
    assert browser.ask("POST", notes, {"skipped.replaced": None, **more})[0] == 200

    def shown(who: Browser, lab: str) -> dict[str, str]:
        found = re.search(r'data-notes="([^"]*)"', who.page(f"/labs/{lab}/"))
        assert found
        return json.loads(html.unescape(found[1]))

    assert shown(browser, lab_id) == {"asked.same-pod": answer, **more, "steps": '{"1": 20}', "clock": "17"}
    long = {"manifest.web.yaml": "y" * 30_000}
    much = {f"manifest.{number}.yaml": "y" * 20_000 for number in range(30)}
    for bad in ({"else": "x"}, {"asked.x": 1}, {"asked.x": "y" * 3000}, {"asked.": "x"}, [1], {"manifest.../x": "x"}, {"lab": "x"}, long, much):
        assert browser.ask("POST", notes, bad)[0] == 400
    assert server.call("POST", notes, {"steps": "{}"})[0] == 403
    kept = browser.ask("GET", "/api/lessons/progress")[1]
    taken = kept["notes"]["12-self-healing"]
    spent = int(taken.pop("clock.spent"))  # since 1970
    assert taken == {"asked.same-pod": answer, **more, "steps": '{"1": 20}', "lab": lab_id}
    other = Browser(server)
    other.start("a-pod-is-born")
    taken |= {"clock.spent": "90000", "clock.solved": "yes"}
    assert spent > 90_000 and other.ask("POST", "/api/lessons/progress", kept)[1] == kept
    there = shown(other, other.start("12-self-healing"))  # another lab, in which the steps' marks mean nothing
    assert 90_000 <= int(there.pop("clock.end")) - int(there.pop("clock")) < 91_000
    assert there == {"asked.same-pod": answer, **more}
    assert "steps" in shown(other, lab_id)
    second = {"version": 2, "lessons": {}, "notes": {"12-self-healing": {"skipped.healed": "yes"}}}  # as the second version wrote it
    assert other.ask("POST", "/api/lessons/progress", second)[0] == 200
    for bad in ({"notes": {"12-self-healing": {"evil": "x"}}}, {"version": 4}, {"version": "3"}, {"notes": []}):
        assert other.ask("POST", "/api/lessons/progress", {"lessons": {}, **bad})[0] == 400


def test_a_manifest_can_be_changed_and_only_known_ones(browser: Browser) -> None:
    lab = f"/api/labs/{browser.start('02-the-api-server')}"
    code, told = browser.ask("GET", f"{lab}/lesson/manifests/broken.yaml")
    assert code == 200 and "Web_Server" in told["text"]
    code, told = browser.ask("POST", f"{lab}/lesson/manifests/broken.yaml", {"text": told["text"].replace("Web_Server", "web")})
    assert told["command"] == "kubectl apply -f broken.yaml"
    assert "Web_Server" not in browser.ask("GET", f"{lab}/lesson/manifests/broken.yaml")[1]["text"]
    assert browser.ask("GET", f"{lab}/lesson/manifests/..%2F.kubeconfig")[0] == 404
    assert browser.ask("POST", f"{lab}/lesson/manifests/.kubeconfig", {"text": "x"})[0] == 404


def test_a_stranger_sees_the_checks_and_changes_nothing(browser: Browser, server: Server) -> None:
    lab = f"/api/labs/{browser.start('a-pod-is-born')}"
    assert server.call("GET", f"{lab}/lesson/checks")[0] == 200
    assert server.call("POST", f"{lab}/lesson/quiz/who-brings-it-back", {"choice": 2})[0] == 403


def test_one_goes_on_where_one_stopped(browser: Browser) -> None:
    lab_id = browser.start("a-pod-is-born")
    assert f'href="/labs/{lab_id}/"' in browser.page("/lessons/")
    assert "Next:" not in browser.page(f"/labs/{lab_id}/") and 'next="01-a-tour-of-the-cluster"' in browser.page(f"/labs/{lab_id}/")
    assert "Not completed yet" in browser.page("/lessons/a-pod-is-born/certificate")


def test_a_line_of_the_text_names_the_pod_that_is_there(browser: Browser) -> None:
    lab = f"/api/labs/{browser.start('04-the-controller-manager')}"
    browser.ask("POST", f"{lab}/run", {"until": "settled"})
    line = "kubectl exec <pod app=web> -- ls /var/run/secrets/kubernetes.io/serviceaccount"
    told = browser.ask("GET", f"{lab}/lesson/line?line={quote(line)}")[1]
    assert re.fullmatch(r"kubectl exec web-\w+-\w{5} -- ls /var/run/secrets/kubernetes.io/serviceaccount", told["kubectl"])
    assert browser.ask("GET", f"{lab}/lesson/line?line={quote('kubectl get <pod app=web>')}")[0] == 404


def test_a_challenge_begins_when_it_has_broken(browser: Browser, server: Server) -> None:
    lab_id = browser.start("challenge-28-noisy-neighbour")
    begin = re.search(r'data-begin="(\d+)"', browser.page(f"/labs/{lab_id}/"))
    assert begin and int(begin[1]) > 20
    steps = browser.ask("GET", f"/api/labs/{lab_id}/steps?from={begin[1]}&limit=1")[1]["steps"]
    assert "vict" in str(steps[0])
    for bad in (1, "30m", "nonsense ="):
        assert server.call("POST", "/api/labs", {"begin": bad})[0] == 400
    assert server.call("POST", "/api/labs", {"begin": "60s", "paused": True})[1]["time"] >= 60_000


def test_a_debrief_tells_the_chain_as_far_as_it_has_come(browser: Browser) -> None:
    lab = f"/api/labs/{browser.start('challenge-01-image-typo')}"
    browser.ask("POST", f"{lab}/run", {"until": {"time": 60_000}})
    code, told = browser.ask("GET", f"{lab}/lesson/debrief/chain")
    assert code == 200 and told["missing"] == 1  # it is not mended yet
    assert [link["seq"] for link in told["chain"]] == sorted(link["seq"] for link in told["chain"])
    actors = [link["actor"].partition("/")[0] for link in told["chain"]]
    assert actors[:3] == ["deployment-controller", "replicaset-controller", "kube-scheduler"] and actors[-1] == "kubelet"
    assert all(link["explain"] for link in told["chain"]) and "asks the registry" in "".join(link["note"] for link in told["chain"])
    assert browser.ask("GET", f"{lab}/lesson/debrief/nothing")[0] == 404


def test_what_is_still_going_on_does_not_answer_a_prediction(browser: Browser) -> None:
    lab = f"/api/labs/{browser.start('13-declarative-configuration')}"
    browser.ask("POST", f"{lab}/pause", {})
    text = browser.ask("GET", f"{lab}/lesson/manifests/web.yaml")[1]["text"]
    assert browser.ask("POST", f"{lab}/manifests", {"text": text, "mode": "apply"})[0] == 200  # its pods do not run yet
    assert browser.ask("POST", f"{lab}/lesson/predict/twice", {"choice": "no"})[1]["right"] is True


def test_a_picture_shows_a_moment_that_is_past_and_the_lab_stays(browser: Browser) -> None:
    lab = f"/api/labs/{browser.start('05-the-scheduler')}"
    lens = "lens=scheduling&select=pods/default/big"
    moment = f"{lens}&when={quote('actor = kube-scheduler and object = pods/default/big')}"
    assert browser.ask("GET", f"{lab}/lesson/picture?{moment}")[1]["seq"] == 0  # not yet
    browser.ask("POST", f"{lab}/pause", {})
    text = browser.ask("GET", f"{lab}/lesson/manifests/big.yaml")[1]["text"]
    assert browser.ask("POST", f"{lab}/manifests", {"text": text, "mode": "apply"})[0] == 200
    browser.ask("POST", f"{lab}/run", {"until": {"time": 60_000}})
    before = browser.ask("GET", lab)[1]
    code, told = browser.ask("GET", f"{lab}/lesson/picture?{moment}")
    assert code == 200 and told["snapshot"]["seq"] == told["seq"] == told["frame"]["seq"] < before["seq"]
    assert told["frame"]["actor"] == "kube-scheduler" and "NodeResourcesFit" in str(told["decision"]["filtered"])
    assert browser.ask("GET", lab)[1]["seq"] == before["seq"]
    assert browser.ask("GET", f"{lab}/lesson/picture?{lens}&when=settled")[0] == 404  # only what the lesson's text shows
    assert browser.ask("GET", f"{lab}/lesson/picture?lens=none")[0] == 400
    assert "loops" in browser.ask("GET", f"{lab}/lesson/picture?{lens}")[1]


def test_a_picture_may_begin_to_look_after_another_moment(browser: Browser) -> None:
    lab_id = browser.start("12-self-healing")
    lab = f"/api/labs/{lab_id}"
    moment = {"lens": "workloads", "select": "deployments/default/web", "when": "actor = replicaset-controller and kind = Pod and name ~ web-*",
              "since": "actor = kubectl and verb = delete and object ~ pods/default/web-*"}
    browser.ask("POST", f"{lab}/run", {"until": "settled"})  # the first pods of web are not meant
    assert browser.ask("GET", f"{lab}/lesson/picture?{urlencode(moment)}")[1]["seq"] == 0
    begun = browser.ask("GET", lab)[1]["seq"]
    with terminal(browser, lab_id) as run:
        run("kubectl delete pod -l app=web --wait=false")
    browser.ask("POST", f"{lab}/run", {"until": "settled"})
    told = browser.ask("GET", f"{lab}/lesson/picture?{urlencode(moment)}")[1]
    assert told["seq"] > begun and told["frame"]["actor"] == "replicaset-controller"
    assert browser.ask("GET", f"{lab}/lesson/picture?{urlencode({**moment, 'since': 'kind = Pod'})}")[0] == 404


@contextmanager
def terminal(browser: Browser, lab_id: str) -> Iterator[Callable[[str], dict[str, Any]]]:
    """The command line of a lab's page."""
    from websockets.sync.client import connect

    cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in browser.jar)
    address = f"{browser.server.url.replace('http', 'ws')}/ws/labs/{lab_id}/"
    with connect(address, additional_headers={"Cookie": cookies, "Origin": browser.server.url}) as socket:
        socket.send(json.dumps({"type": "hello"}))

        def kubectl(line: str) -> dict[str, Any]:
            socket.send(json.dumps({"type": "kubectl", "line": line}))
            end = time.monotonic() + LONG_S
            while (told := json.loads(socket.recv(60)))["type"] != "kubectl":
                assert time.monotonic() < end, f"no answer to {line}"
            return dict(told)

        yield kubectl


def test_a_task_allows_what_the_text_above_it_runs(browser: Browser) -> None:
    lab_id = browser.start("14-rollouts-and-rollbacks")
    assert browser.ask("POST", f"/api/labs/{lab_id}/lesson/skip/v2", {})[0] == 200
    with terminal(browser, lab_id) as kubectl:
        told = kubectl("kubectl set image deployment/web web=shop/web:v2")
        assert told["exit"] == 1 and "solved with kubectl rollout" in told["stderr"]
        assert kubectl("kubectl set image deployment/web web=shop/web:v3")["exit"] == 0


def test_a_task_that_names_its_verbs_refuses_others_until_it_is_skipped(browser: Browser) -> None:
    lab_id = browser.start("13-declarative-configuration")
    with terminal(browser, lab_id) as kubectl:
        told = kubectl("kubectl create deployment other --image=nginx:1.25")
        assert told["exit"] == 1 and "solved with kubectl apply" in told["stderr"]
        assert kubectl("kubectl get pods")["exit"] == 0
        assert kubectl("kubectl apply -f web.yaml")["exit"] == 0
        assert browser.ask("POST", f"/api/labs/{lab_id}/lesson/skip/changed", {})[0] == 200
        assert kubectl("kubectl create deployment other --image=nginx:1.25")["exit"] == 0


def test_a_reader_of_german_gets_what_has_been_translated(browser: Browser) -> None:
    lab_id = browser.start("a-pod-is-born")
    browser.opener.addheaders = [("Accept-Language", "de")]
    page = browser.page(f"/labs/{lab_id}/")
    assert "Ein Pod entsteht" in page and 'lang="de" aria-label="Lektion"' in page
    assert "Ein Pod entsteht" in browser.page("/lessons/")
    checks = browser.ask("GET", f"/api/labs/{lab_id}/lesson/checks")[1]["tasks"]
    assert checks[0]["checks"][0]["text"] == "es gibt einen Pod hello"
    assert browser.ask("GET", f"/api/labs/{lab_id}/lesson/hints/gone?count=1")[1]["hints"][0].startswith("Das Verb")

"""What labs refuse and report has its German, and is found by it with the values in their places."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from clusterlab.web.said import TEMPLATES, lines_said, said
from tests.server import ROOT

#: Errors whose first word is a message, and functions whose second one is.
ERRORS, TELLING = {"LabError", "Refused", "ConditionError", "ImportProblem"}, {"_error", "_bad"}
#: What is said to programs only: files of labs, hosts among themselves, messages that no page sends.
PROGRAMS = re.compile(
    r"rollouts/|scale/internal|a command is \{|kind must be one of|commands must be|a request has a body|argv must|at must say|that is not JSON|a message is a JSON"
    r"|unknown message type|hello was said|from and to name|the first message|name and lesson|lessons must be|push has|x and y|seq goes|limit goes|by is one of"
    r"|choice goes|text must be a text of at most \{0\}|\{0\} must be a text$|send application/json|there is no such door|too deep"
)


def template(node: ast.expr) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        places = iter(range(10))
        return "".join(str(part.value) if isinstance(part, ast.Constant) else f"{{{next(places)}}}" for part in node.values)
    return None


def messages() -> Iterator[tuple[str, str]]:
    """(where it stands, its template) of the messages of the web and of what it passes on."""
    for path in sorted(ROOT.glob("clusterlab/**/*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr if isinstance(node.func, ast.Attribute) else ""
            words = node.args[0] if name in ERRORS and node.args else node.args[1] if name in TELLING and len(node.args) > 1 else None
            text = template(words) if words is not None else None
            if text:
                yield f"{path.relative_to(ROOT)}:{node.lineno} {text}", text


@pytest.mark.parametrize("language", sorted(TEMPLATES))
def test_every_message_that_a_person_meets_is_translated(language: str) -> None:
    found = [(where, text) for where, text in messages() if not PROGRAMS.search(where)]
    filled = [(where, re.sub(r"\{(\d)\}", r"\1", text)) for where, text in found]
    missing = [where for where, text in filled if said(text, language) == text]
    # A few messages may be ahead of their translations; more may not.
    assert len(found) > 120 and len(missing) <= len(found) // 12, "no German in clusterlab/web/said/de.py for:\n" + "\n".join(missing)


@pytest.mark.parametrize("language", sorted(TEMPLATES))
def test_values_stay_in_their_places(language: str) -> None:
    for english, words in TEMPLATES[language].items():
        places = re.findall(r"\{\d\}", english)
        assert places == [f"{{{at}}}" for at in range(len(places))] and sorted(set(re.findall(r"\{\d\}", words))) == places, english
        values = [f"value-{at}" for at in range(len(places))]
        filled, wanted = english, words
        for place, value in zip(places, values, strict=True):
            filled, wanted = filled.replace(place, value), wanted.replace(place, value)
        assert said(filled, language) == wanted


def test_what_is_not_known_stays_and_commands_name_themselves() -> None:
    assert said("something else entirely", "de") == "something else entirely" and said("there is no such lab", "fr") == "there is no such lab"
    assert lines_said("heal: there is no fault 'x'\nfree words\n", "de-AT") == "heal: es gibt keinen Fehler 'x'\nfree words\n"
    assert lines_said("there are no faults\n", "en") == "there are no faults\n"


# What steps say is translated in the page, by templates of its own; the model's sources must not run ahead of them.

PAIR = re.compile(r'^  \["((?:[^"\\\\]|\\\\.)*)", "', re.MULTILINE)
RETURNING = {"faults.py", "explain.py", "view.py"}


def sentences_of(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.IfExp):
        yield from sentences_of(node.body)
        yield from sentences_of(node.orelse)
    elif isinstance(node, ast.expr) and (text := template(node)) and text[-1:] == "." and " " in text:
        yield re.sub(r"\{\d\}", "x", text)


def said_by_steps() -> Iterator[tuple[str, str]]:
    for path in sorted(ROOT.glob("clusterlab/**/*.py")):
        if "web" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            words: ast.AST | None = None
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Attribute) and node.targets[0].attr == "explain":
                words = node.value
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("explain", "tell") and node.args:
                words = node.args[0]
            elif isinstance(node, ast.Return) and path.name in RETURNING and node.value is not None:
                words = node.value
            for text in sentences_of(words) if words is not None else ():
                yield f"{path.relative_to(ROOT)}:{node.lineno}", text


def test_what_steps_say_is_translated() -> None:
    source = (ROOT / "static" / "src" / "i18n" / "de" / "sentences.ts").read_text()
    templates = [re.sub(r"\{\d+[;*]?\}", "{}", pair.replace('\\"', '"')) for pair in PAIR.findall(source)]
    patterns = [re.compile(".+".join(map(re.escape, each.split("{}")))) for each in templates]
    filled = [each.replace("{}", "y") for each in templates]

    def known(text: str) -> bool:
        # A value may be one of a few phrases, each of which has a template of its own.
        choice = re.compile(".+".join(map(re.escape, re.split(r"\bx+\b", text))))
        return any(pattern.fullmatch(text) for pattern in patterns) or any(choice.fullmatch(each) for each in filled)

    found = list(said_by_steps())
    missing = [f"{where} {text}" for where, text in found if not known(text)]
    assert len(found) > 120 and len(missing) <= len(found) // 12, "no German in de/sentences.ts for:\n" + "\n".join(missing)

"""Lesson text to HTML that a page may show: Markdown rendered, directives as the page's elements, everything sanitised.

What would give an answer away (right choices, solutions, hints not yet asked for) is not in the HTML; the lab's lesson API tells it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from typing import Any

import nh3
from markdown_it.token import Token

from clusterlab.lessons.images import PATH
from clusterlab.lessons.loader import Directive, Lesson, Step, markdown, run_lines
from clusterlab.lessons.predictions import shown

__all__ = ["ELEMENTS", "render_end", "render_step"]

#: The page's own elements, and what they may carry.
ELEMENTS = {
    "cl-run": {"command"}, "cl-task": {"task", "hints", "allow"}, "cl-manifest": {"file", "text", "draft"},
    "cl-view": {"lens", "select", "step", "when", "since"},
    "cl-predict": {"name", "question", "choices"}, "cl-quiz": {"name", "question", "choices"},
    "cl-fault": {"name", "kind"}, "cl-wait": {"until"},
    "cl-debrief": {"name"}, "cl-clock": {"minutes"}, "cl-step": {"number", "last"},
    "section": {"aria-label"}, "aside": {"class"}, "details": {"class"},
}


#: What stands above the names of pages to read on in.
_DOCUMENTATION = {"en": "In the official documentation", "de": "In der offiziellen Dokumentation"}


def render_step(step: Step, number: int = 0, last: bool = False, name: str = "") -> str:
    """The HTML of a step, sanitised; `number` counts from 0, `name` is the lesson whose folder holds the pictures."""
    foot = _element("cl-step", number=str(number), last="last" if last else None)
    return _clean(f'<section aria-label="{escape(step.title)}">{_render(step.items, name)}{foot}</section>')


def render_end(lesson: Lesson) -> str:
    """What stands below the last step: where to read on."""
    if not lesson.docs:
        return ""
    heading = _DOCUMENTATION.get(lesson.language, _DOCUMENTATION["en"])
    pages = "".join(f"<li>{escape(page)}</li>" for page in lesson.docs)
    return _clean(f'<section aria-label="{heading}"><h2>{heading}</h2><ul>{pages}</ul></section>')


def _clean(html: str) -> str:
    allowed = nh3.ALLOWED_TAGS | set(ELEMENTS)
    attributes = {**nh3.ALLOWED_ATTRIBUTES, **ELEMENTS, "code": {"class"}, "img": {"src", "alt", "title", "loading"}}
    return nh3.clean(html, tags=allowed, attributes=attributes, link_rel="noopener noreferrer")


def _render(items: Sequence[Token | Directive], name: str) -> str:
    parser = markdown()
    out: list[str] = []
    plain: list[Token] = []

    def flush() -> None:
        if plain:
            out.append(parser.renderer.render(plain, parser.options, {}))
            plain.clear()

    for item in items:
        if isinstance(item, Token):
            plain.append(_linked(item, name))
        else:
            flush()
            out.append(_folded(item, name) if item.kind in ("detail", "aside") else _PARTS[item.kind](item))
    flush()
    return "".join(out)


def _linked(token: Token, name: str) -> Token:
    """Links to other lessons (lesson:NAME) become addresses of the catalogue, pictures of the lesson's folder those of its files."""
    for child in token.children or ():
        href = str(child.attrs.get("href", ""))
        if href.startswith("lesson:"):
            child.attrs["href"] = f"/lessons/#{href.removeprefix('lesson:')}"
        source = str(child.attrs.get("src", ""))
        if child.type == "image" and not source.startswith("/lessons/"):
            # Rendered again, a token has its address already; what is no picture of the lesson's own is shown by its words.
            child.attrs["src"] = f"/lessons/{name}/{source}" if PATH.fullmatch(source) else ""
            child.attrs["loading"] = "lazy"
    return token


def _element(tag: str, body: str = "", **attributes: Any) -> str:
    given = "".join(f' {name}="{escape(str(value))}"' for name, value in attributes.items() if value not in (None, "", False))
    return f"<{tag}{given}>{body}</{tag}>"


def _inside(text: str, name: str) -> str:
    """Markdown within a directive; directives do not nest."""
    return _render(markdown().parse(text), name)


def _inline(text: str) -> str:
    return str(markdown().renderInline(text))


def _run(directive: Directive) -> str:
    return "".join(_element("cl-run", command=line) for line, _ in run_lines(directive))


def _manifest(directive: Directive) -> str:
    words = directive.info.split()
    return _element("cl-manifest", file=words[0], text=directive.text, draft="true" if "draft" in words else None)


def _task(directive: Directive) -> str:
    data = directive.data
    return _element("cl-task", f"<p>{_inline(data['text'])}</p>", task=data["id"], hints=len(data["hints"]),
                    allow=", ".join(data.get("allow", ())))


def _asked(directive: Directive) -> str:
    data = directive.data
    choices = [shown(choice["text"] if isinstance(choice, dict) else choice) for choice in data["choices"]]
    return _element(f"cl-{directive.kind}", f"<p>{_inline(data['question'])}</p>", name=data["id"], choices=json.dumps(choices))


def _stage(directive: Directive) -> str:
    data = directive.data
    moment = {name: data.get(name) for name in ("select", "step", "when", "since")}
    return _element("cl-view", _inline(data.get("text", "")), lens=data["lens"], **moment)


def _fault(directive: Directive) -> str:
    data = directive.data
    return _element("cl-fault", escape(data.get("text", "")), name=data["id"], kind=data["kind"])


def _wait(directive: Directive) -> str:
    data = directive.data
    until = data.get("condition") or data.get("time") or "settled"
    return _element("cl-wait", escape(data.get("text", "")), until=until)


def _debrief(directive: Directive) -> str:
    return _element("cl-debrief", f"<p>{_inline(directive.data['text'])}</p>" if "text" in directive.data else "", name=directive.id)


def _clock(directive: Directive) -> str:
    return _element("cl-clock", minutes=directive.data["minutes"])


def _folded(directive: Directive, name: str) -> str:
    text = _inside(directive.text, name)
    if directive.kind == "aside":
        return f'<aside class="instructor">{text}</aside>'
    return f"<details><summary>{_inline(directive.info or 'More')}</summary>{text}</details>"


_PARTS = {
    "run": _run, "manifest": _manifest, "task": _task, "quiz": _asked, "predict": _asked, "stage": _stage, "fault": _fault,
    "wait": _wait, "debrief": _debrief, "clock": _clock,
}

"""Lesson text to HTML that a page may show: Markdown rendered, directives as the page's elements, everything sanitised."""

from __future__ import annotations

from html import escape

import nh3
from markdown_it.token import Token

from clusterlab.lessons.loader import Step, Task, markdown

__all__ = ["render_step"]

#: The page's own elements, and what they may carry.
ELEMENTS = {"cl-run": {"command"}, "cl-task": {"task"}, "section": {"aria-label"}}


def render_step(step: Step) -> str:
    """The HTML of a step, sanitised."""
    parser = markdown()
    tasks = iter(step.tasks)
    out, plain = [], []

    def flush() -> None:
        if plain:
            out.append(parser.renderer.render(plain, parser.options, {}))
            plain.clear()

    for token in step.tokens:
        if token.type == "fence" and token.info.strip() in ("run", "task"):
            flush()
            out.append(_run(token) if token.info.strip() == "run" else _task(next(tasks)))
        else:
            plain.append(token)
    flush()
    allowed = nh3.ALLOWED_TAGS | set(ELEMENTS)
    attributes = {**nh3.ALLOWED_ATTRIBUTES, **ELEMENTS, "code": {"class"}}
    html = f'<section aria-label="{escape(step.title)}">{"".join(out)}</section>'
    return nh3.clean(html, tags=allowed, attributes=attributes, link_rel="noopener noreferrer")


def _run(token: Token) -> str:
    return "".join(f'<cl-run command="{escape(line.strip())}"></cl-run>' for line in token.content.splitlines() if line.strip())


def _task(task: Task) -> str:
    return f'<cl-task task="{escape(task.id)}"><p>{escape(task.text)}</p></cl-task>'

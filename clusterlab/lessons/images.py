"""Pictures that lie in a lesson's folder: `images/NAME.png`, `.webp` or `.svg`, shown by `![what it shows](images/NAME.png)`.

A file must be what its name says. An SVG may hold shapes, text and styles, and nothing that runs, loads or leads anywhere; it is not
changed, but refused. The page shows pictures as <img> only, where no script of an SVG would run anyway.
"""

from __future__ import annotations

import re
from xml.etree import ElementTree

__all__ = ["MAX_IMAGE", "PATH", "TYPES", "problem_with_image"]

MAX_IMAGE = 200_000
PATH = re.compile(r"images/[a-z0-9][a-z0-9._-]{0,60}\.(png|svg|webp)")
TYPES = {"png": "image/png", "svg": "image/svg+xml", "webp": "image/webp"}
_SPACE = "{http://www.w3.org/2000/svg}"
_ELEMENTS = frozenset((
    "svg", "g", "path", "rect", "circle", "ellipse", "line", "polyline", "polygon", "text", "tspan", "textPath", "title", "desc", "defs",
    "linearGradient", "radialGradient", "stop", "clipPath", "mask", "pattern", "marker", "symbol", "use", "style", "filter",
    "feGaussianBlur", "feOffset", "feMerge", "feMergeNode", "feBlend", "feColorMatrix", "feFlood", "feComposite", "feDropShadow",
))
_LOADING = re.compile(r"url\(\s*['\"]?(?!#)|@import|expression\(|javascript:", re.I)


def problem_with_image(path: str, data: bytes) -> str:
    """Why a file is no picture that a lesson may hold; "" when it is one."""
    if len(data) > MAX_IMAGE:
        return f"{len(data)} bytes; a picture has {MAX_IMAGE} at most: make it smaller"
    kind = path.rpartition(".")[2]
    if kind == "png":
        return "" if data.startswith(b"\x89PNG\r\n\x1a\n") else "is no PNG file"
    if kind == "webp":
        return "" if data[:4] == b"RIFF" and data[8:12] == b"WEBP" else "is no WebP file"
    return _problem_with_svg(data)


def _problem_with_svg(data: bytes) -> str:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return "an SVG must be text in UTF-8"
    if re.search(r"<!(DOCTYPE|ENTITY)", text, re.I):
        return "an SVG must have no DOCTYPE and no entities; take them out"
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        return f"is no SVG: {error}"
    if root.tag != f"{_SPACE}svg":
        return 'is no SVG: it must begin with <svg xmlns="http://www.w3.org/2000/svg">'
    for element in root.iter():
        name = str(element.tag).removeprefix(_SPACE)
        if name not in _ELEMENTS:
            return f"holds <{name.rpartition('}')[2]}>, which a lesson's SVG may not; take it out"
        if name == "style" and _LOADING.search(element.text or ""):
            return "its <style> loads something; a lesson's SVG must stand alone"
        for attribute, value in element.attrib.items():
            plain = attribute.rpartition("}")[2].lower()
            if plain.startswith("on"):
                return f"has the attribute {plain}, which would run something; take it out"
            if plain == "href" and not value.startswith("#"):
                return f"leads to {value[:40]!r}; a lesson's SVG may refer to its own parts only, as #name"
            if _LOADING.search(value):
                return f"its {plain} loads something; a lesson's SVG must stand alone"
    return ""

"""nginx by its configuration: which ports it listens at, and what each location answers.

Follows nginx.org/en/docs/http/ngx_http_core_module.html (server, location, root, alias, return), ngx_http_proxy_module (proxy_pass),
upstream and stub_status. The first server of a port answers for all names. What is wrong with a configuration ends the program.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from clusterlab.runtime.programs.behaviour import Location, Serve

__all__ = ["ConfigError", "servers"]

MAIN = "/etc/nginx/nginx.conf"
_TOKEN = re.compile(r"""\s+|\#[^\n]*|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[{};]|(?:[^\s{};"'\\]|\\.|\$\{\w+\})+""")
_MOST = 5_000


class ConfigError(Exception):
    """What nginx says at its start."""


class Directive(NamedTuple):
    """One line, or one block with what is in it."""

    name: str
    words: tuple[str, ...]
    inner: tuple[Directive, ...] | None
    where: str


def servers(read: Callable[[str], str | None], glob: Callable[[str], list[str]], resolves: Callable[[str], bool]) -> tuple[Serve, ...]:
    """The ports that a configuration opens. Raises ConfigError."""
    http = [each for block in _load(MAIN, read, glob, 0) if block.name == "http" for each in block.inner or ()]
    groups = {each.words[0]: _members(each, resolves) for each in http if each.name == "upstream" and each.words}
    found: dict[int, Serve] = {}
    for server in http:
        if server.name != "server":
            continue
        inner = server.inner or ()
        root = _value(inner, "root") or _value(http, "root") or "/usr/share/nginx/html"
        for each in inner:
            if each.name in {"ssl_certificate", "ssl_certificate_key"} and read(_path(each.words[0])) is None:
                what, path = each.name.removeprefix("ssl_").replace("_", " "), _path(each.words[0])
                raise ConfigError(
                    f'cannot load {what} "{path}": BIO_new_file() failed (SSL: error:80000002:system library::No such file or directory:'
                    f"calling fopen({path}, r) error:10000080:BIO routines::no such file)")
        sites = tuple(_location(each, root, groups, resolves) for each in inner if each.name == "location" and each.words)
        returned = next((each for each in inner if each.name == "return"), None)
        if returned is not None:
            sites = (*sites, Location("", "/", *_returned(returned), root))
        named = next((_path(each.words[0]) for each in inner if each.name == "ssl_certificate" and each.words), "")
        secret = {port for each in inner if each.name == "listen" and "ssl" in each.words for port in _ports((each,))}
        for port in _ports(inner):
            certificate = (read(named) or "") if named and port in secret else ""
            found.setdefault(port, Serve(port, cpu_us=500, certificate=certificate, sites=(*sites, Location("", "/", 0, "", "", root))))
    return tuple(found.values())


def _load(path: str, read: Callable[[str], str | None], glob: Callable[[str], list[str]], depth: int) -> list[Directive]:
    text = read(path)
    if text is None:
        raise ConfigError(f'open() "{path}" failed (2: No such file or directory)')
    tokens = [(found[0], text.count("\n", 0, found.start()) + 1) for found in _TOKEN.finditer(text)
              if not found[0].isspace() and not found[0].startswith("#")][:_MOST]
    made, at = _block(tokens, 0, path, False)
    if at < len(tokens):
        raise ConfigError(f'unexpected "}}" in {path}:{tokens[at][1]}')
    return _included(made, read, glob, depth)


def _included(
    made: list[Directive], read: Callable[[str], str | None], glob: Callable[[str], list[str]], depth: int,
) -> list[Directive]:
    out: list[Directive] = []
    for each in made:
        if each.name == "include" and each.words and depth < 4:
            pattern = _path(each.words[0])
            names = glob(pattern) if "*" in pattern else [pattern] if read(pattern) is not None else []
            if not names and "*" not in pattern and not pattern.endswith(("mime.types", "fastcgi_params", "uwsgi_params", "scgi_params")):
                raise ConfigError(f'open() "{pattern}" failed (2: No such file or directory) in {each.where}')
            for name in names[:50]:
                out += _load(name, read, glob, depth + 1)
        elif each.inner is not None:
            out.append(each._replace(inner=tuple(_included(list(each.inner), read, glob, depth))))
        else:
            out.append(each)
    return out


def _block(tokens: list[tuple[str, int]], at: int, path: str, nested: bool, depth: int = 0) -> tuple[list[Directive], int]:
    made: list[Directive] = []
    words: list[str] = []
    while at < len(tokens):
        text, line = tokens[at]
        if text == ";":
            if words:
                made.append(Directive(words[0], tuple(words[1:]), None, f"{path}:{line}"))
            words = []
        elif text == "{":
            if not words or depth > 20:
                raise ConfigError(f'unexpected "{{" in {path}:{line}')
            inner, at = _block(tokens, at + 1, path, True, depth + 1)
            if at >= len(tokens):
                raise ConfigError(f'unexpected end of file, expecting "}}" in {path}:{tokens[-1][1] + 1}')
            made.append(Directive(words[0], tuple(words[1:]), tuple(inner), f"{path}:{line}"))
            words = []
        elif text == "}":
            if words:
                raise ConfigError(f'directive "{words[0]}" is not terminated by ";" in {path}:{line}')
            return made, at
        else:
            words.append(re.sub(r"\\(.)", _escaped, text[1:-1]) if text[0] in "\"'" else text)
        at += 1
    if words:
        raise ConfigError(f'unexpected end of file, expecting ";" or "}}" in {path}:{tokens[-1][1] + 1}')
    return made, at


def _escaped(found: re.Match[str]) -> str:
    return {"n": "\n", "t": "\t", "r": "\r"}.get(found[1], found[1] if found[1] in "\"'\\" else found[0])


def _path(text: str) -> str:
    return text if text.startswith("/") else f"/etc/nginx/{text}"


def _value(inner: tuple[Directive, ...] | list[Directive], name: str) -> str:
    return next((each.words[0] for each in inner if each.name == name and each.words), "")


def _ports(inner: tuple[Directive, ...]) -> list[int]:
    found = []
    for each in inner:
        if each.name == "listen" and each.words and not each.words[0].startswith("unix:"):
            digits = each.words[0].rsplit(":", 1)[-1]
            found.append(int(digits) if digits.isdecimal() and 0 < int(digits[:6]) < 65_536 else 80)
    return found or [80]


def _members(group: Directive, resolves: Callable[[str], bool]) -> str:
    """The first server of an upstream."""
    members = [each for each in group.inner or () if each.name == "server" and each.words]
    if not members:
        raise ConfigError(f'no servers are inside upstream in {group.where}')
    for each in members:
        if not resolves(each.words[0].partition(":")[0]):
            raise ConfigError(f'host not found in upstream "{each.words[0]}" in {each.where}')
    return members[0].words[0]


def _returned(each: Directive) -> tuple[int, str, str]:
    """(status, body, "") of a return."""
    first, text = (each.words[0] if each.words else "200"), " ".join(each.words[1:])
    if not first.isdecimal():
        return 302, "", ""
    status = int(first[:3])
    for name, shown in (("$hostname", "{hostname}"), ("$remote_addr", "{client}"), ("$request_uri", "{path}"), ("$uri", "{path}"),
                        ("$host", "{host}"), ("$request_method", "{method}")):
        text = text.replace(name, shown)
    return status, "" if status in {301, 302, 303, 307, 308} else text, ""


def _location(block: Directive, root: str, groups: dict[str, str], resolves: Callable[[str], bool]) -> Location:
    kind, pattern = (block.words[0], block.words[1]) if len(block.words) > 1 else ("", block.words[0])
    inner = block.inner or ()
    for each in inner:
        if each.name == "return":
            return Location(kind, pattern, *_returned(each), root)
        if each.name == "stub_status":
            return Location(kind, pattern, 200, "Active connections: 1 \nserver accepts handled requests\n 1 1 1 \n"
                                                "Reading: 0 Writing: 1 Waiting: 0 \n", "", root)
        if each.name == "proxy_pass" and each.words:
            url = each.words[0]
            host, slash, rest = url.partition("://")[2].partition("/")
            name = host.partition(":")[0]
            if host in groups:
                url = f"http://{groups[host]}{slash}{rest}"
            elif "$" not in name and not resolves(name):
                raise ConfigError(f'host not found in upstream "{host}" in {each.where}')
            return Location(kind, pattern, 0, "", url, root)
    alias = _value(inner, "alias")
    return Location(kind, pattern, 0, "", "", alias or _value(inner, "root") or root, bool(alias))

"""curl: its options, what it says of a request, and what it asks of a server's certificate.

Follows curl's own words (lib/strerror.c, src/tool_getparam.c). Output goes where its options say; redirects are followed by asking anew.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote, urlsplit

from clusterlab.runtime.shell.machine import Result, Run
from clusterlab.runtime.shell.tls import why_not_trusted
from clusterlab.runtime.shell.tools_sockets import syn_again
from clusterlab.runtime.shell.tools_system import duration_ms

if TYPE_CHECKING:
    from clusterlab.runtime.shell.box import Box, Reply

__all__ = ["REASONS", "address_of", "curl"]

REASONS = {200: "OK", 201: "Created", 204: "No Content", 301: "Moved Permanently", 302: "Found", 303: "See Other",
           307: "Temporary Redirect", 308: "Permanent Redirect", 400: "Bad Request", 401: "Unauthorized",
           403: "Forbidden", 404: "Not Found", 415: "Unsupported Media Type", 500: "Internal Server Error",
           502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Timeout"}

#: The options that take a value, by their short and long names.
_VALUED = {
    "A": "user-agent", "b": "cookie", "c": "cookie-jar", "C": "continue-at", "d": "data", "D": "dump-header", "e": "referer",
    "E": "cert", "F": "form", "H": "header", "K": "config", "m": "max-time", "o": "output", "P": "ftp-port", "Q": "quote", "r": "range",
    "t": "telnet-option", "T": "upload-file", "u": "user", "U": "proxy-user", "w": "write-out", "x": "proxy", "X": "request",
    "y": "speed-time", "Y": "speed-limit", "z": "time-cond",
}
_VALUED_LONG = frozenset((
    *_VALUED.values(), "cacert", "capath", "cert-type", "ciphers", "connect-timeout", "connect-to", "data-ascii", "data-binary", "data-raw",
    "data-urlencode", "engine", "interface", "json", "keepalive-time", "key", "key-type", "limit-rate", "max-filesize", "max-redirs",
    "noproxy", "oauth2-bearer", "pass", "pinnedpubkey", "proto", "resolve", "retry", "retry-delay", "retry-max-time", "tls-max",
    "unix-socket", "url",
))
_FLAGS = {"s": "silent", "S": "show-error", "f": "fail", "I": "head", "i": "include", "L": "location", "k": "insecure", "v": "verbose",
          "O": "remote-name", "G": "get", "j": "junk-session-cookies", "N": "no-buffer", "g": "globoff", "4": "ipv4", "6": "ipv6"}


class Asked(NamedTuple):
    """A command line of curl: addresses, options that are on, the last value of each option, and all headers and data."""

    urls: list[str]
    on: set[str]
    values: dict[str, str]
    headers: dict[str, str]
    data: list[tuple[str, str]]


def _asked(argv: list[str]) -> Asked | str:
    """Reads a command line; a text where an option lacks its value."""
    asked = Asked([], set(), {}, {}, [])
    words = iter(argv)

    def valued(name: str, shown: str, value: str | None) -> str:
        value = next(words, None) if value is None else value
        if value is None:
            return f"curl: option {shown}: requires parameter\ncurl: try 'curl --help' or 'curl --manual' for more information\n"
        asked.values[name] = value
        if name == "header":
            key, _, text = value.partition(":")
            asked.headers[key.strip()] = text.strip()
        elif name.startswith("data") or name in {"json", "form"}:
            asked.data.append((name, value))
        elif name == "oauth2-bearer":
            asked.headers["Authorization"] = f"Bearer {value}"
        elif name == "user-agent":
            asked.headers["User-Agent"] = value
        elif name == "url":
            asked.urls.append(value)
        return ""

    for word in words:
        problem = ""
        if word.startswith("--") and len(word) > 2:
            name, equals, value = word[2:].partition("=")
            if name in _VALUED_LONG:
                problem = valued(name, f"--{name}", value if equals else None)
            else:
                asked.on.add(name)
        elif word.startswith("-") and len(word) > 1:
            for at, letter in enumerate(word[1:], 2):
                if letter in _VALUED:
                    problem = valued(_VALUED[letter], f"-{letter}", word[at:] or None)
                    break
                asked.on.add(_FLAGS.get(letter, letter))
        else:
            asked.urls.append(word)
        if problem:
            return problem
    return asked


def address_of(url: str) -> tuple[str, str, int] | None:
    """(scheme, host, port) of an address; None for what is none, such as http://[::1 or a port beyond 65535."""
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.hostname or "", parts.port if parts.port is not None else 443 if parts.scheme == "https" else 80
    except ValueError:
        return None


def curl(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    asked = _asked(argv[1:])
    if isinstance(asked, str):
        return Result(2, "", asked)
    if "version" in asked.on or "V" in asked.on:
        return Result(0, "curl 8.17.0 (x86_64-pc-linux-gnu) libcurl/8.17.0 OpenSSL/3.5.4\n")
    if not asked.urls:
        return Result(2, "", "curl: (2) no URL specified\n")
    url = asked.urls[0] if "://" in asked.urls[0] else f"http://{asked.urls[0]}"
    known = address_of(url)
    if known is None:
        why = "bad range specification in URL position 9" if "[" in url and "]" not in url else \
            "URL rejected: Port number was not a decimal number between 0 and 65535"
        return Result(3, "", f"curl: (3) {why}\n")
    scheme, host, port = known
    if scheme == "telnet":
        return _telnet_url(box, run, host, port, run.take())
    url += _in_query(url, asked)
    limit = duration_ms(asked.values.get("max-time", "")) or 0
    connect = duration_ms(asked.values.get("connect-timeout", "")) or limit
    body = _body(box, run, asked, stdin)
    if isinstance(body, Result):
        return body
    method = _method(asked)
    answer = box.request(run, url, method, {"User-Agent": "curl/8.17.0", "Accept": "*/*", **_kind(asked), **asked.headers}, body)
    hide = "silent" in asked.on and "show-error" not in asked.on
    problem: tuple[int, str, int] | None = None
    if answer.error == "name":
        problem = (6, f"Could not resolve host: {host}", 0)
    elif answer.error == "refused":
        problem = (7, f"Failed to connect to {host} port {port} after 0 ms: Could not connect to server", 0)
    elif answer.error == "timeout":
        wait = connect or 130_000
        again = syn_again(run, wait)
        if again is not None:
            return again
        wait, shown = 0, wait
        problem = (28, f"Failed to connect to {host} port {port} after {shown} ms: Timeout was reached", wait)
    elif answer.error:
        problem = (7, f"Failed to connect to {host} port {port}: {answer.error}", 0)
    elif limit and answer.latency_us > limit * 1000:
        problem = (28, f"Operation timed out after {limit} milliseconds with 0 bytes received", limit)
    elif scheme == "https" and "insecure" not in asked.on and (
            distrust := why_not_trusted(box, run, host, answer, asked.values.get("cacert"))):
        code, text = distrust
        if code == 60:
            text += ("\nMore details here: https://curl.se/docs/sslcerts.html\n\ncurl failed to verify the legitimacy of the server and "
                     "therefore could not\nestablish a secure connection to it. To learn more about this situation and\n"
                     "how to fix it, please visit the webpage mentioned above.")
        problem = (code, text, answer.latency_us // 1000)
    elif ("fail" in asked.on or "fail-with-body" in asked.on) and answer.status >= 400:
        problem = (22, f"The requested URL returned error: {answer.status}", answer.latency_us // 1000)
    if problem is not None:
        code, text, wait = problem
        return Result(code, "", "" if hide else f"curl: ({code}) {text}\n", wait)
    moved = next((value for name, value in answer.headers if name == "Location"), "")
    if moved and 300 <= answer.status < 400 and "location" in asked.on and run.tries < 10:
        words = [moved if each == asked.urls[0] else each for each in argv]
        for at in range(len(words) - 1, 0, -1):  # a Host that was asked for is that of the first address only
            if words[at].lower().startswith("host:") and words[at - 1] in {"-H", "--header"}:
                del words[at - 1:at + 1]
        if words == argv:
            return Result(47, "", "curl: (47) Maximum (50) redirects followed\n")
        return curl(box, run, words, stdin)
    told = _talked(url, method, asked.headers, host, port, answer) if "verbose" in asked.on else ""
    return _curl_output(box, run, asked, url, answer, told)


def _method(asked: Asked) -> str:
    usual = "PUT" if "upload-file" in asked.values else "HEAD" if "head" in asked.on else "GET"
    return asked.values.get("request") or ("POST" if asked.data and "get" not in asked.on else usual)


def _in_query(url: str, asked: Asked) -> str:
    """What -G adds to the address."""
    if not asked.data or "get" not in asked.on:
        return ""
    return ("&" if "?" in url else "?") + "&".join(text for _, text in asked.data)


def _kind(asked: Asked) -> dict[str, str]:
    """The header that tells what is sent."""
    if not asked.data or "get" in asked.on:
        return {}
    return {"Content-Type": "application/json" if "json" in asked.values else "application/x-www-form-urlencoded"}


def _body(box: Box, run: Run, asked: Asked, stdin: str) -> str | Result:
    """What a request sends: the data, with files read where an @ names them; forms of parts (-F) are sent as fields."""
    if "get" in asked.on:
        return ""
    parts = []
    for kind, text in asked.data:
        if kind not in {"data-raw", "form"} and text.startswith("@"):
            found = stdin if text == "@-" else box.read(run.path(text[1:]))
            if found is None:
                return Result(26, "", f"curl: option {'-d' if kind == 'data' else '--' + kind}: error encountered when reading a file\n")
            text = found if kind in {"data-binary", "json"} else found.replace("\n", "").replace("\r", "")
        elif kind == "data-urlencode":
            name, equals, value = text.partition("=")
            text = f"{name}{equals}{quote(value, safe='')}" if equals else quote(text, safe="")
        parts.append(text)
    if "upload-file" in asked.values:
        return box.read(run.path(asked.values["upload-file"])) or ""
    return ("" if "json" in asked.values else "&").join(parts)


def _talked(url: str, method: str, headers: dict[str, str], host: str, port: int, answer: Reply) -> str:
    """What curl -v tells of a request and its answer."""
    parts, address = urlsplit(url), answer.address.partition(":")[0]
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    own = {name.strip(): value.strip() for name, value in headers.items()}
    sent = {"Host": parts.netloc, "User-Agent": "curl/8.17.0", "Accept": "*/*", **own}
    met = {"Content-Length": str(len(answer.body.encode())), **dict(answer.headers)}
    return (
        f"* Host {host}:{port} was resolved.\n* IPv6: (none)\n* IPv4: {address}\n*   Trying {address}:{port}...\n"
        f"* Connected to {host} ({address}) port {port}\n> {method} {target} HTTP/1.1\n"
        + "".join(f"> {name}: {value}\n" for name, value in sent.items())
        + f"> \n* Request completely sent off\n< HTTP/1.1 {answer.status} {REASONS.get(answer.status, '')}\n"
        + "".join(f"< {name}: {value}\n" for name, value in met.items()) + f"< \n* Connection #0 to host {host} left intact\n")


def _telnet_url(box: Box, run: Run, host: str, port: int, stdin: str) -> Result:
    """curl telnet://HOST:PORT, which tells whether a port is open."""
    answer = box.connect(run, host, port, stdin.encode())
    if answer.error == "timeout":
        why = f"curl: (28) Failed to connect to {host} port {port} after 130000 ms: Timeout was reached\n"
        return syn_again(run, 130_000) or Result(28, "", why)
    if answer.error:
        code, why = (6, f"Could not resolve host: {host}") if answer.error == "name" else (
            7, f"Failed to connect to {host} port {port} after 0 ms: Could not connect to server")
        return Result(code, "", f"curl: ({code}) {why}\n")
    return Result(0, answer.body, "", answer.latency_us // 1000)


def _curl_output(
    box: Box, run: Run, asked: Asked, url: str, answer: Reply, err: str,
) -> Result:
    status, body, latency_us, address = answer.status, answer.body, answer.latency_us, answer.address
    more = "".join(f"{name}: {value}\r\n" for name, value in answer.headers)
    head = f"HTTP/1.1 {status} {REASONS.get(status, '')}\r\nContent-Length: {len(body.encode())}\r\n{more}\r\n"
    out = head if "head" in asked.on else (head if "include" in asked.on else "") + body
    target = asked.values.get("output") or (urlsplit(url).path.rsplit("/", 1)[-1] if "remote-name" in asked.on else "")
    if target:
        if target != "/dev/null":
            box.write(run.path(target), out, False)
        out = ""
    form = asked.values.get("write-out")
    if form:
        out += re.sub(r"%\{(\w+)\}", lambda found: {
            "http_code": str(status), "response_code": str(status), "time_total": f"{latency_us / 1e6:.6f}",
            "redirect_url": next((value for name, value in answer.headers if name == "Location"), ""),
            "remote_ip": address.partition(":")[0], "size_download": str(len(body)),
        }.get(found[1], ""), form).replace("\\n", "\n")
    return Result(0, out, err, latency_us // 1000)

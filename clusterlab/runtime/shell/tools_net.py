"""Commands that talk to others: wget, curl, nslookup, nc, ping, and small servers. Each asks the network for one exchange."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from clusterlab.runtime.shell.machine import FOREVER, Result, Run
from clusterlab.runtime.shell.python import run_source
from clusterlab.runtime.shell.tools_curl import REASONS, address_of, curl
from clusterlab.runtime.shell.tools_sockets import NEVER_MS, syn_again
from clusterlab.runtime.shell.tools_sockets import TOOLS as SOCKETS
from clusterlab.runtime.shell.tools_system import duration_ms
from clusterlab.runtime.shell.tools_text import _flags

if TYPE_CHECKING:
    from clusterlab.runtime.shell.box import Box

Tool = Callable[["Box", Run, list[str], str], Result]

__all__ = ["TOOLS"]


def _long(args: list[str], names: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for number, arg in enumerate(args):
        for name in names:
            if arg == name and number + 1 < len(args):
                found[name] = args[number + 1]
            elif arg.startswith(name + "="):
                found[name] = arg[len(name) + 1:]
    return found


def wget(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    valued = ("--timeout", "-T", "--output-document", "-O", "--header", "--post-data", "-t", "--tries")
    given = _long(argv[1:], valued)
    clustered = next((each for each in argv[1:] if re.fullmatch(r"-q?O-?", each)), "")
    flags, rest = _flags(argv[1:], "OTtU")
    urls = [each for each in rest if each != "-" and each not in given.values()]
    if not urls:
        return Result(1, "", "wget: missing URL\n")
    quiet, spider = "q" in flags, "spider" in flags
    timeout = duration_ms(flags.get("T") or given.get("--timeout") or "") or 0
    headers = {"User-Agent": "Wget", **dict(part.partition(":")[::2] for part in [given.get("--header", "")] if part)}
    url = urls[0] if "://" in urls[0] else f"http://{urls[0]}"
    known = address_of(url)
    if known is None:
        spec = url.partition("://")[2].split("/")[0]
        return Result(1, "", f"wget: bad {'address' if '[' in spec or ']' in spec else 'port spec'} '{spec}'\n")
    _, host, port = known
    sent = given.get("--post-data")
    if sent is not None:
        headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
    answer = box.request(run, url, "GET" if sent is None else "POST", headers, sent or "")
    if answer.error == "name":
        return Result(1, "", f"wget: bad address '{host}'\n")
    shown = f"Connecting to {urlsplit(url).netloc} ({answer.address}:{port})\n" if not quiet else ""
    if answer.error == "refused":
        return Result(1, "", f"{shown}wget: can't connect to remote host ({answer.address}): Connection refused\n")
    if answer.error == "timeout":
        return syn_again(run, timeout or NEVER_MS) or Result(1, "", f"{shown}wget: download timed out\n")
    if timeout and answer.latency_us > timeout * 1000:
        return Result(1, "", f"{shown}wget: download timed out\n", timeout)
    if answer.error:
        return Result(1, "", f"{shown}wget: can't connect to remote host ({answer.address}): {answer.error}\n")
    took = answer.latency_us // 1000
    if "S" in flags or "server-response" in flags:
        shown += f"  HTTP/1.1 {answer.status} {REASONS.get(answer.status, '')}\n  Content-Length: {len(answer.body)}\n  \n"
        quiet = False
    if answer.status >= 400:
        status = f"HTTP/1.1 {answer.status} {REASONS.get(answer.status, '')}".rstrip()
        return Result(1, "", f"{shown}wget: server returned error: {status}\n", took)
    target = flags.get("O") or given.get("--output-document") or given.get("-O") or ("-" if clustered.endswith("-") else "")
    if spider:
        return Result(0, "", shown + ("" if quiet else "remote file exists\n"), took)
    if target == "-" or clustered.endswith("O-"):
        return Result(0, answer.body, "" if "q" in flags else f"{shown}writing to stdout\n", took)
    name = target or (urlsplit(url).path.rsplit("/", 1)[-1] or "index.html")
    problem = box.write(run.path(name), answer.body, False)
    if problem:
        return Result(1, "", f"{shown}wget: can't open '{name}': {problem}\n")
    return Result(0, "", "" if quiet else f"{shown}saving to '{name}'\n'{name}' saved\n", took)


#: What a client says when no nameserver answers.
NO_SERVERS = ";; connection timed out; no servers could be reached\n"


def nslookup(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    flags, rest = {each: "" for each in argv[1:] if each.startswith("-")}, [each for each in argv[1:] if not each.startswith("-")]
    if not rest:
        return Result(1, "", "BusyBox v1.37.0 multi-call binary.\n\nUsage: nslookup [-type=QUERY_TYPE] [-debug] HOST [DNS_SERVER]\n")
    name, server = rest[0], box.dns_server
    kind = next((flag.partition("=")[2].upper() for flag in flags if flag.startswith(("-type=", "-query="))), "A")
    found = box.resolve(run, name, kind)
    if found.error == "unreachable":
        return Result(1, NO_SERVERS + "\n", "", 15_000)
    if kind == "A" and not any(flag.startswith(("-type=", "-query=")) for flag in flags):  # both families are asked for
        second = box.resolve(run, name, "AAAA")
        found = found._replace(records=(*found.records, *(each for each in second.records if each[1] == "AAAA")))
    behaviour = box.container.program.behaviour
    old = box.distribution == "busybox" and _OLD_BUSYBOX.search(box.container.config.image) is not None
    if old and kind == "A":
        return _old_nslookup(box, run, name, server, [value for _, what, value in found.records if what == "A"])
    bind = box.distribution == "debian" or "agnhost" in behaviour.match
    head = f"Server:\t\t{server}\nAddress:\t{server}{'#' if bind else ':'}53\n\n"
    if not found.records:
        return Result(1, head + f"** server can't find {found.asked or name}: {found.error or 'NXDOMAIN'}\n\n")
    out = head
    for record in found.records:
        owner, what, value = record
        if what == "CNAME":
            out += f"{owner}\tcanonical name = {value}\n"
        elif what == "SRV":
            out += f"{owner}\tservice = {value}\n"
        elif what == "PTR":
            out += f"{owner}\tname = {value}.\n"
        else:
            out += f"Name:\t{owner}\nAddress: {value}\n"
    return Result(0, out + "\n")


_OLD_BUSYBOX = re.compile(r":(?:1\.2[0-8]|1\.1\d)(?!\d)")


def _old_nslookup(box: Box, run: Run, name: str, server: str, found: list[str]) -> Result:
    """As busybox 1.28 and before printed it, which most of the documentation shows."""
    def named(ip: str) -> str:
        reverse = ".".join(reversed(ip.split("."))) + ".in-addr.arpa"
        back = next((value for _, what, value in box.resolve(run, reverse + ".", "PTR").records if what == "PTR"), "")
        return f"{ip} {back}".rstrip()

    head = f"Server:    {server}\nAddress 1: {named(server)}\n\n"
    if not found:
        return Result(1, head, f"nslookup: can't resolve '{name}'\n")
    return Result(0, head + f"Name:      {name}\n" + "".join(f"Address {at}: {named(ip)}\n" for at, ip in enumerate(found, 1)))


def dig(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    words = [each for each in argv[1:] if not each.startswith(("+", "-", "@"))]
    kind = next((each.upper() for each in words if each.upper() in {"A", "AAAA", "SRV", "CNAME", "PTR", "NS", "ANY"}), "A")
    name = next((each for each in words if each.upper() != kind), "")
    found = box.resolve(run, name if "." in name else f"{name}.", kind, search="+search" in argv)
    if found.error == "unreachable":
        return Result(9, NO_SERVERS, "", 15_000)
    short = "+short" in argv
    if short:
        return Result(0, "".join(f"{value}\n" for _, _, value in found.records))
    status = "NOERROR" if found.records else "NXDOMAIN"
    answers = "".join(f"{owner}.\t30\tIN\t{what}\t{value}\n" for owner, what, value in found.records)
    section = f";; ANSWER SECTION:\n{answers}\n" if answers else ""
    return Result(0, f"; <<>> DiG 9.20 <<>> {' '.join(argv[1:])}\n;; Got answer:\n;; ->>HEADER<<- opcode: QUERY, status: {status}\n\n"
                     f";; QUESTION SECTION:\n;{name}.\t\tIN\t{kind}\n\n{section};; SERVER: {box.dns_server}#53\n")


def getent(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    name = argv[-1]
    found = box.resolve(run, name, "A")
    if argv[0] == "host":
        if found.error == "unreachable":
            return Result(1, NO_SERVERS, "", 10_000)
        if not found.records:
            return Result(1, f"Host {name} not found: 3(NXDOMAIN)\n")
        return Result(0, "".join(f"{owner} has address {value}\n" for owner, what, value in found.records if what == "A"))
    lines = [f"{value:<15} {owner}\n" for owner, what, value in found.records if what == "A"]
    return Result(0 if lines else 2, "".join(lines))


def ping(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    flags, rest = _flags(argv[1:], "cWwis")
    if not rest:
        return Result(1, "", "ping: missing host operand\n")
    count = min(int(flags["c"]), 100) if flags.get("c", "").isdigit() else 0
    answer = box.ping(run, rest[0])
    if answer.error == "name":
        return Result(1, "", f"ping: bad address '{rest[0]}'\n")
    shown = count or 4
    head = f"PING {rest[0]} ({answer.address}): 56 data bytes\n"
    ms = max(answer.latency_us, 60) / 1000
    ok = not answer.error
    lines = [f"64 bytes from {answer.address}: seq={each} ttl=62 time={ms:.3f} ms\n" for each in range(shown)] if ok else []
    received = shown if ok else 0
    foot = f"\n--- {rest[0]} ping statistics ---\n{shown} packets transmitted, {received} packets received, "
    foot += f"{0 if ok else 100}% packet loss\n"
    if ok:
        foot += f"round-trip min/avg/max = {ms:.3f}/{ms:.3f}/{ms:.3f} ms\n"
    return Result(0 if ok else 1, head + "".join(lines) + (foot if count else ""), "", (shown - 1) * 1000 if count else FOREVER)


def httpd(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    """busybox httpd and `python -m http.server`: files of a folder."""
    flags, rest = _flags(argv[1:], "ph")
    port = re.sub(r"\D", "", flags.get("p", "").rsplit(":", 1)[-1]) or next((each for each in rest if each.isdigit()), "80")
    folder = run.path(flags.get("h") or ".")
    return Result(0, "", "", FOREVER if "f" in flags or argv[0] != "httpd" else 0, listen=((int(port), "files", folder, False),))


def python(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    if "http.server" in argv or "SimpleHTTPServer" in argv:
        port = next((each for each in argv if each.isdigit()), "8000")
        return Result(0, "", "", FOREVER, listen=((int(port), "files", run.cwd, False),))
    if any(each in {"-V", "--version"} for each in argv):
        return Result(0, "Python 3.14.0\n")
    at = argv.index("-c") + 1 if "-c" in argv[:-1] else 0
    named = next((each for each in argv[1:] if not each.startswith("-")), "")
    script = argv[at] if at else box.read(run.path(named)) if named else run.take()
    if script is None and box.container.program.behaviour.match != "*python*" and not named.startswith(("/", "./")):
        return Result(0, "", "", FOREVER)  # a program that only the real image has
    if script is None:
        return Result(2, "", f"{argv[0]}: can't open file '{run.path(named)}': [Errno 2] No such file or directory\n")
    if not script:
        return Result(0)
    if not run.tries:
        run.assign(" python", str(run.time_ms))
    start_ms, limit_ms = int(run.variables.get(" python", run.time_ms)), run.time_ms
    outcome = run_source(run, script, argv[at + 1:] if at else [], start_ms, limit_ms if run.capture is None else limit_ms + 3_600_000)
    if outcome is None:
        return Result(0, "", "", FOREVER)  # more Python than is interpreted here: it runs on
    seen = [(fd, text) for when, fd, text in outcome.lines if not run.tries or when >= run.time_ms]
    out, err = ("".join(text for each, text in seen if each == fd) for fd in (1, 2))
    if outcome.code is None:
        if outcome.wake_ms < 0:
            return Result(0, out, err, FOREVER)
        return Result(0, out, err, max(1, outcome.wake_ms - run.time_ms), again=True)
    return Result(outcome.code, out, err)


def perl(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    """The Job of every tutorial: `perl -Mbignum=bpi -wle 'print bpi(2000)'`."""
    found = re.search(r"bpi\((\d{1,5})\)", " ".join(argv))
    if found is None:
        return Result(0)
    digits = min(int(found[1]), 5_000)
    return Result(0, _pi(digits) + "\n", cpu_milli=0, wait_ms=digits)


def _pi(digits: int) -> str:
    """So many digits of pi, by Machin's formula."""
    unit: int = 10 ** (digits + 10)

    def arctan(inverse: int) -> int:
        term = total = unit // inverse
        number, sign = 3, -1
        while term:
            term //= inverse * inverse
            total += sign * (term // number)
            number, sign = number + 2, -sign
        return total

    text = str(4 * (4 * arctan(5) - arctan(239)))
    return f"{text[0]}.{text[1:digits]}"


def addresses(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    if argv[0] == "ip" and len(argv) > 1 and argv[1].startswith("r"):
        net = box.gateway.rsplit(".", 1)[0] + ".0/24"
        return Result(0, f"default via {box.gateway} dev eth0\n{net} via {box.gateway} dev eth0  src {box.ip}\n"
                         f"{box.gateway} dev eth0 scope link  src {box.ip}\n")
    quiet, ever = "state UP group default ", "       valid_lft forever preferred_lft forever\n"
    mac = ":".join(["0a", "58", *(f"{int(each):02x}" for each in box.ip.split(".") if each.isdigit())][:6])
    return Result(0, (
        f"1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue {quiet}qlen 1000\n"
        "    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00\n"
        f"    inet 127.0.0.1/8 scope host lo\n{ever}    inet6 ::1/128 scope host \n{ever}"
        f"2: eth0@if7: <BROADCAST,MULTICAST,UP,LOWER_UP,M-DOWN> mtu 1500 qdisc noqueue {quiet}\n"
        f"    link/ether {mac} brd ff:ff:ff:ff:ff:ff\n"
        f"    inet {box.ip}/24 brd {box.broadcast} scope global eth0\n{ever}"
        + (f"    inet6 {box.sandbox.ip_6}/64 scope global\n{ever}" if box.sandbox.ip_6 else "")
    ))


TOOLS: dict[str, Tool] = {
    "wget": wget, "curl": curl, "nslookup": nslookup, "dig": dig, "host": getent, "getent": getent, "ping": ping, "httpd": httpd,
    "python": python, "python3": python, "perl": perl, "perl5.36": perl, "ip": addresses,
    "ifconfig": addresses, **SOCKETS,
}

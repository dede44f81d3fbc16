"""Commands that speak to ports in bytes: nc, telnet, and what listens (ss, netstat).

Follows busybox' nc (networking/nc_bloaty.c) and openbsd's in what they print and how they end.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import TYPE_CHECKING

from clusterlab.runtime.shell.machine import FOREVER, Result, Run
from clusterlab.runtime.shell.tools_system import duration_ms
from clusterlab.runtime.shell.tools_text import _flags

if TYPE_CHECKING:
    from clusterlab.runtime.shell.box import Box

Tool = Callable[["Box", Run, list[str], str], Result]

__all__ = ["NEVER_MS", "TOOLS", "syn_again"]

NEVER_MS = 127_000  # a connection that nobody answers, by the kernel's retries
_ECHOES = frozenset(("cat", "/bin/cat", "/usr/bin/cat"))


def syn_again(run: Run, most_ms: int) -> Result | None:
    """Nobody answers: the kernel sends its SYN again after 1, 2, 4, … seconds, as long as the client waits. None: it is over."""
    elapsed, wait = ((1 << run.tries) - 1) * 1000, 1000 << run.tries
    left = most_ms - elapsed
    return Result(wait_ms=min(wait, left), again=True) if left > 0 else None


#: What ncat also calls its flags.
_LONG = {"--listen": "-l", "--keep-open": "-k", "--udp": "-u", "--verbose": "-v", "--sh-exec": "-c", "--exec": "-e"}


def nc(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    """A client of a port, or a server with -l."""
    words = [_LONG.get(each, each) for each in argv[1:]]
    words = [each for each in words if not each.startswith("--")]  # of the others none matters here
    program: list[str] = []
    if "-c" in words[:-1]:  # ncat's: one word, for a shell
        at = words.index("-c")
        words, program = [*words[:at], *words[at + 2:]], shlex.split(words[at + 1])
    if "-e" in words:  # everything behind it is the program
        at = words.index("-e")
        words, program = words[:at], words[at + 1:]
    flags, rest = _flags(words, "pwiqs")
    if "l" in flags:
        return _listen(flags, rest, program, stdin)
    hosts, ports = [each for each in rest if not each.isdigit()], [each for each in rest if each.isdigit()]
    if not hosts or not ports or not 0 < int(ports[-1][:6]) < 65_536:
        return Result(1, "", "nc: missing host or port\n" if not ports or not hosts else f"nc: port number invalid: {ports[-1][:6]}\n")
    return _client(box, run, flags, hosts[0], int(ports[-1]), stdin)


def _listen(flags: dict[str, str], rest: list[str], program: list[str], stdin: str) -> Result:
    port = flags.get("p") or next((each for each in rest if each.isdigit()), "")
    if not port.isdigit() or not 0 < int(port[:6]) < 65_536:
        return Result(1, "", "nc: missing or invalid port\n")
    if program:
        kind, what = ("echo", "") if len(program) == 1 and program[0] in _ECHOES else ("exec", shlex.join(program))
    else:
        kind, what = "text", stdin
    once = "k" not in flags and not program
    return Result(0, "", "", FOREVER, listen=((int(port), f"udp/{kind}" if "u" in flags else kind, what, once),))


def _client(box: Box, run: Run, flags: dict[str, str], host: str, port: int, stdin: str) -> Result:
    udp, verbose = "u" in flags, "v" in flags or "z" in flags
    answer = box.connect(run, host, port, b"" if "z" in flags else stdin.encode(), "UDP" if udp else "TCP")
    shown = f"{host} ({answer.address}:{port})"
    if answer.error == "name":
        return Result(1, "", f"nc: bad address '{host}'\n")
    if udp:  # nothing tells a client that nobody listens but an ICMP message, and a lost packet is just that
        if answer.error == "refused":
            return Result(1, "", f"nc: {shown}: Connection refused\n" if verbose else "")
        wait = duration_ms(flags.get("w", "")) or 1_000
        return Result(0, "" if "z" in flags else answer.body, f"{shown} open\n" if verbose else "", 0 if "z" in flags else wait)
    if answer.error:
        again = syn_again(run, duration_ms(flags.get("w", "")) or NEVER_MS) if answer.error == "timeout" else None
        if again is not None:
            return again
        return Result(1, "", f"nc: {shown}: {'Connection refused' if answer.error == 'refused' else 'Operation timed out'}\n")
    return Result(0, "" if "z" in flags else answer.body, f"{shown} open\n" if verbose else "")


def telnet(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    return nc(box, run, ["nc", "-v", *argv[1:]], stdin)


def sockets(box: Box, run: Run, argv: list[str], stdin: str) -> Result:
    """netstat and ss: the ports that something in the pod listens at."""
    letters = "".join(each for each in argv[1:] if each.startswith("-") and not each.startswith("--"))
    rows = []
    if "u" not in letters or "t" in letters:
        rows += [("tcp", port, "LISTEN") for port in box.listening()]
    if "u" in letters or "t" not in letters:
        rows += [("udp", port, "") for port in box.listening("UDP")]
    if argv[0] == "ss":
        head = "Netid State  Recv-Q Send-Q Local Address:Port  Peer Address:Port\n"
        return Result(0, head + "".join(
            f"{kind:<5} {'LISTEN' if state else 'UNCONN'} 0      0      {f'0.0.0.0:{port}':>18}  0.0.0.0:*\n"
            for kind, port, state in rows))
    head = "Active Internet connections (only servers)\nProto Recv-Q Send-Q Local Address           Foreign Address         State\n"
    return Result(0, head + "".join(
        f"{kind:<3}        0      0 {f'0.0.0.0:{port}':<23} 0.0.0.0:*               {state}".rstrip() + "\n" for kind, port, state in rows))


TOOLS: dict[str, Tool] = {
    "nc": nc, "ncat": nc, "netcat": nc, "telnet": telnet, "ss": sockets, "netstat": sockets,
}

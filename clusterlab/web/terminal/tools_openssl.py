"""openssl: the command line of it, as far as keys, requests and certificates of exercises need. The cryptography is done behind the walls
of kubectl (web.jail.openssl_filter).

Follows doc/man1 of OpenSSL 3.0: genrsa, genpkey, ecparam -genkey, rsa, ec, pkey, req, x509, verify, rand, version. Times are the lab's.
Left out: passphrases, questions (a subject has to be given), configuration files, DER, connections.
"""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from clusterlab.runtime.shell.machine import Result, Run
from clusterlab.web.labs.lab import LabError
from clusterlab.web.terminal import programs
from clusterlab.web.terminal.files import simulated
from clusterlab.web.terminal.tools import refused, tool

if TYPE_CHECKING:
    from clusterlab.web.terminal.shell import Shell

__all__ = ["openssl", "subject_of"]

MOST_INPUT = 256 << 10
_ENDS = {152: "it took too long", 137: "it took too much", 134: "it took too much memory"}
_CIPHERS = {"-aes128", "-aes192", "-aes256", "-des", "-des3", "-camellia256", "-passout", "-passin", "-aes-256-cbc"}
#: What makes no difference here.
_IGNORED = {
    "-batch", "-utf8", "-verbose", "-quiet", "-sha256", "-sha384", "-sha512", "-nameopt", "-inform", "-outform",
    "-CAcreateserial", "-CAserial", "-param_enc", "-purpose",
}
_WITH_VALUE = {
    "-in", "-out", "-key", "-keyout", "-subj", "-days", "-newkey", "-addext", "-algorithm", "-pkeyopt", "-name", "-CA", "-CAkey",
    "-signkey", "-checkend", "-ext", "-set_serial", "-CAfile", "-nameopt", "-inform", "-outform", "-CAserial", "-param_enc",
    "-passin", "-passout", "-config", "-extfile", "-extensions", "-reqexts",
}
_SHOWN = {
    "-text", "-subject", "-issuer", "-dates", "-startdate", "-enddate", "-serial", "-fingerprint", "-pubkey", "-verify",
    "-checkend", "-ext",
}


class _Wrong(Exception):
    """A command line that is refused."""


class _Line(NamedTuple):
    """The words after a command: flags with their values in their order, and what is no flag."""

    name: str
    flags: list[tuple[str, str]]
    rest: list[str]

    def has(self, name: str) -> bool:
        return any(flag == name for flag, _ in self.flags)

    def value(self, name: str, otherwise: str = "") -> str:
        return next((value for flag, value in reversed(self.flags) if flag == name), otherwise)

    def values(self, name: str) -> list[str]:
        return [value for flag, value in self.flags if flag == name]


def _line(name: str, words: list[str], known: set[str]) -> _Line:
    flags, rest, left = [], [], list(words)
    while left:
        word = left.pop(0)
        flag = word[1:] if word.startswith("--") else word  # openssl takes both
        if not flag.startswith("-") or flag == "-":
            rest.append(word)
            continue
        if flag in _CIPHERS:
            raise _Wrong(f"{name}: {word}: keys have no passphrase here; leave it out, or write -nodes")
        if flag not in known | _IGNORED:
            raise _Wrong(f"{name}: Unknown option or one that is not known here: {word}\n{name}: help openssl tells what there is")
        if flag in _WITH_VALUE and not left:
            raise _Wrong(f"{name}: Option {word} needs a value")
        flags.append((flag, left.pop(0) if flag in _WITH_VALUE else ""))
    return _Line(name, flags, rest)


def subject_of(text: str) -> list[list[str]]:
    """[[name, value], …] of /CN=bob/O=dev. Raises ValueError where it is not in this form."""
    if not text.startswith("/"):
        raise ValueError(text)
    parts, part, words = [], "", iter(text[1:])
    for char in words:
        if char == "/":
            parts.append(part)
            part = ""
        else:
            part += next(words, "") if char == "\\" else char
    pairs = [each.partition("=") for each in (*parts, part) if each]
    if any(not mark or not name for name, mark, _ in pairs):
        raise ValueError(text)
    return [[name, value] for name, _, value in pairs if value]


class _Desk:
    """What a command works with: its files, and the process that does the cryptography."""

    def __init__(self, shell: Shell, run: Run, line: _Line, stdin: str) -> None:
        self.shell, self.run, self.line, self.stdin = shell, run, line, stdin
        self.out = self.err = ""

    def read(self, name: str, what: str) -> str:
        text = self.shell.read(self.run.path(name)) if name and name != "-" else self.stdin
        if text is None:
            raise _Wrong(f"Could not open file or uri for loading {what} from {name}\n{self.line.name}: {name}: No such file or directory")
        if len(text) > MOST_INPUT:
            raise _Wrong(f"{self.line.name}: {name} is larger than {MOST_INPUT >> 10} kB")
        return text

    def write(self, name: str, text: str) -> None:
        if not name or name == "-":
            self.out += text
        elif problem := self.shell.write(self.run.path(name), text, False):
            raise _Wrong(f"Can't open \"{name}\" for writing, {problem}")

    def ask(self, do: str, **order: Any) -> dict[str, Any]:
        done = self.shell.wait_for(programs.openssl(self.shell.desk, json.dumps({
            "do": do, "now": simulated(self.shell.desk.lab).isoformat(), **order})))
        if done.code:
            raise _Wrong(f"openssl: {_ENDS.get(done.code, done.err.strip() or 'it ended early')}")
        answer: dict[str, Any] = json.loads(done.out)
        self.err += answer.get("err", "")
        if answer["code"] and "out" not in answer:
            raise _Wrong("")
        return answer


@tool("openssl")
def openssl(shell: Shell, run: Run, argv: list[str], stdin: str) -> Result:
    """`openssl COMMAND [-flags]`."""
    name = argv[1] if len(argv) > 1 else "help"
    if name in ("version", "-v", "--version"):
        return Result(0, "OpenSSL 3.0.19 27 Jan 2026 (Library: OpenSSL 3.0.19 27 Jan 2026)\n")
    if name == "help" or name not in _COMMANDS:
        told = f"Commands of this terminal: {' '.join(sorted([*_COMMANDS, 'version']))}\n"
        return Result(0, "", told) if name == "help" else Result(1, "", f"Invalid command '{name}'; type \"help\" for a list.\n{told}")
    command, known = _COMMANDS[name]
    desk = None
    try:
        desk = _Desk(shell, run, _line(name, argv[2:], known), stdin)
        code = command(desk, desk.line) or 0
    except _Wrong as wrong:
        told = f"{wrong}\n" if str(wrong) else ""
        return Result(1, desk.out if desk else "", (desk.err if desk else "") + told)
    except (LabError, OSError) as error:
        return refused("openssl", error) if isinstance(error, LabError) else Result(126, "", f"openssl: {error}\n")
    return Result(code, desk.out, desk.err)


def _bits(text: str, name: str) -> int:
    if not text.isdigit() or len(text) > 6:
        raise _Wrong(f"{name}: {text!r} is no number of bits")
    return int(text)


def _genrsa(desk: _Desk, line: _Line) -> None:
    form = "traditional" if line.has("-traditional") else "pkcs8"
    bits = _bits(line.rest[0] if line.rest else "2048", "genrsa")
    desk.write(line.value("-out"), desk.ask("key", kind="rsa", bits=bits, form=form)["pem"])


def _genpkey(desk: _Desk, line: _Line) -> None:
    kind = line.value("-algorithm").lower()
    options = dict(each.partition(":")[::2] for each in line.values("-pkeyopt"))
    if kind not in ("rsa", "ec", "ed25519"):
        raise _Wrong(f"genpkey: -algorithm is RSA, EC or ED25519 here, not {line.value('-algorithm')!r}")
    bits = _bits(options.get("rsa_keygen_bits", "2048"), "genpkey")
    desk.write(line.value("-out"), desk.ask("key", kind=kind, bits=bits, curve=options.get("ec_paramgen_curve", "prime256v1"))["pem"])


def _ecparam(desk: _Desk, line: _Line) -> None:
    if not line.has("-genkey"):
        raise _Wrong("ecparam: here it makes keys alone: openssl ecparam -name prime256v1 -genkey -noout -out FILE")
    desk.write(line.value("-out"), desk.ask("key", kind="ec", curve=line.value("-name"), form="traditional")["pem"])


def _pkey(desk: _Desk, line: _Line) -> None:
    name = line.value("-in")
    done = desk.ask("shown-key", key=desk.read(name, "private key"), key_name=name or "<stdin>", public=line.has("-pubout"),
                    check=line.has("-check"), form="traditional" if line.has("-traditional") or line.name == "ec" else "pkcs8",
                    **{"as": line.name})
    desk.out += done.get("out", "")
    if not line.has("-noout"):
        desk.write(line.value("-out"), done["pem"])


def _extensions(line: _Line) -> list[str]:
    if line.has("-config") or line.has("-extfile") or line.has("-extensions") or line.has("-reqexts"):
        raise _Wrong(f'{line.name}: configuration files are not read here: write -addext "subjectAltName=DNS:example.com"')
    return line.values("-addext")


def _days(line: _Line) -> int:
    text = line.value("-days", "30")
    if not text.isdigit() or len(text) > 6:
        raise _Wrong(f"{line.name}: {text!r} is no number of days")
    return int(text)


def _req(desk: _Desk, line: _Line) -> None:
    if not (line.has("-new") or line.has("-newkey") or line.has("-x509")):
        _show(desk, line)
        return
    try:
        subject = subject_of(line.value("-subj"))
    except ValueError:
        told = "who it is for is not asked here: write" if not line.has("-subj") else \
            "subject name is expected to be in the format /type0=value0/type1=value1/type2=..., such as"
        raise _Wrong(f'req: {told} -subj "/CN=bob/O=dev"') from None
    key_name = line.value("-key")
    if key_name:
        key = desk.read(key_name, "private key")
    else:
        kind, _, bits = line.value("-newkey", "rsa:2048").partition(":")
        if kind not in ("rsa", "ed25519") or not line.has("-keyout"):
            raise _Wrong("req: write -key FILE, or -newkey rsa:2048 -nodes -keyout FILE")
        key = desk.ask("key", kind=kind, bits=_bits(bits or "2048", "req"))["pem"]
        desk.write(line.value("-keyout"), key)
    days = {"days": _days(line)} if line.has("-x509") else {}
    done = desk.ask("request", key=key, key_name=key_name or "<stdin>", subject=subject, extensions=_extensions(line), **days)
    if not line.has("-noout"):
        desk.write(line.value("-out"), done["pem"])


def _x509(desk: _Desk, line: _Line) -> int:
    if not line.has("-req"):
        return _show(desk, line)
    ca, own = line.value("-CA"), line.value("-signkey")
    key_name = line.value("-CAkey") if ca else own
    if not key_name:
        raise _Wrong("x509: write who signs: -CA ca.crt -CAkey ca.key, or -signkey FILE")
    given = {"ca": desk.read(ca, "certificate"), "ca_name": ca} if ca else {}
    name = line.value("-in")
    done = desk.ask("sign", request=desk.read(name, "certificate request"), request_name=name or "<stdin>", key_name=key_name,
                    key=desk.read(key_name, "private key"), days=_days(line), extensions=_extensions(line), **given)
    desk.write(line.value("-out"), done["pem"])
    return 0


def _show(desk: _Desk, line: _Line) -> int:
    show: list[str] = []
    for flag, value in line.flags:
        if flag == "-dates":
            show += ["startdate", "enddate"]
        elif flag == "-fingerprint":
            show.append("fingerprint sha256" if line.has("-sha256") else "fingerprint")
        elif flag == "-checkend":
            show.append(f"checkend {_bits(value, line.name)}")
        elif flag in _SHOWN:
            show.append(flag[1:])
    if line.name == "req" and {each.split()[0] for each in show} - {"text", "subject", "verify", "pubkey"}:
        raise _Wrong("req: of a request are shown -text, -subject, -pubkey and -verify")
    name = line.value("-in")
    what = "certificate request" if line.name == "req" else "certificate"
    done = desk.ask("show", pem=desk.read(name, what), pem_name=name or "<stdin>", show=show, **{"as": line.name})
    text = done["out"] + ("" if line.has("-noout") else done["pem"])
    desk.write(line.value("-out"), text)
    return int(done["code"])


def _verify(desk: _Desk, line: _Line) -> int:
    if not line.has("-CAfile") or len(line.rest) > 20:
        raise _Wrong("verify: write -CAfile ca.crt CERTIFICATE …")
    ca, code = desk.read(line.value("-CAfile"), "certificate"), 0
    for name in line.rest or ["-"]:
        try:
            done = desk.ask("verify", ca=ca, ca_name=line.value("-CAfile"), pem=desk.read(name, "certificate"), pem_name=name)
            desk.out += done["out"]
        except _Wrong as wrong:
            desk.err += f"{wrong}\n" if str(wrong) else ""
            code = 2
    return code


def _rand(desk: _Desk, line: _Line) -> None:
    count = _bits(line.rest[0] if line.rest else "", "rand")
    if not 0 < count <= 4096 or not (line.has("-hex") or line.has("-base64")):
        raise _Wrong("rand: write -hex or -base64 and how many bytes, at most 4096")
    data = secrets.token_bytes(count)
    desk.write(line.value("-out"), data.hex() + "\n" if line.has("-hex") else base64.encodebytes(data).decode())


_Command = Callable[[_Desk, _Line], int | None]


def _flags(text: str) -> set[str]:
    return {f"-{word}" for word in text.split()}


_COMMANDS: dict[str, tuple[_Command, set[str]]] = {
    "genrsa": (_genrsa, _flags("out traditional")),
    "genpkey": (_genpkey, _flags("out algorithm pkeyopt")),
    "ecparam": (_ecparam, _flags("out name genkey noout")),
    **{name: (_pkey, _flags("in out pubout check noout traditional")) for name in ("rsa", "ec", "pkey")},
    "req": (_req, _flags("new x509 key newkey keyout nodes noenc subj days addext in out noout config extensions reqexts "
                         "text subject verify pubkey")),
    "x509": (_x509, _SHOWN | _flags("req CA CAkey signkey days set_serial extfile extensions in out noout")),
    "verify": (_verify, _flags("CAfile")),
    "rand": (_rand, _flags("hex base64 out")),
}

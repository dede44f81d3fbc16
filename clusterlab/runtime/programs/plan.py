"""Which program a container runs, and how it will act: from the image's behaviour and the command that the pod gives.

As in Kubernetes, `command` replaces the image's entrypoint and `args` its arguments. Where the pod names a program of its own, the
image's ports and logs are no longer there; where that is a shell or a tool that the model knows, it is interpreted.
"""

from __future__ import annotations

import re
from dataclasses import replace

from clusterlab.runtime.flavours import Flavour
from clusterlab.runtime.programs.behaviour import Behaviour, Exit, Serve
from clusterlab.runtime.records import ContainerConfig, Program
from clusterlab.runtime.scripts import is_pure, script_of
from clusterlab.runtime.shell.box import TOOLS

__all__ = ["ARGUMENTS_MOST", "ARGUMENT_MOST", "plan"]

#: What Linux hands to a program: bytes of one argument or variable, and of all together (MAX_ARG_STRLEN, and a quarter of the stack).
ARGUMENT_MOST, ARGUMENTS_MOST = 131_072, 2 << 20

_SHELLS = frozenset(("sh", "bash", "ash", "dash", "zsh"))
NOT_FOUND = 128
_OFFICIAL = re.compile(r"(docker\.io/)?(library/)?[a-z0-9-]+(:[\w.-]+)?(@sha256:\w+)?")
#: How long a container works that is there to come to an end, where nothing is known of its image.
WORK_MS = 2_000


def plan(behaviour: Behaviour, config: ContainerConfig, flavour: Flavour) -> Program:
    """The program of a container that is to be created."""
    if config.ends and behaviour.match == "*" and behaviour.exit is None and not behaviour.serves:
        behaviour = replace(behaviour, exit=Exit(WORK_MS))  # an image that nobody describes runs well: here that is to finish
    if config.command:
        argv = (*config.command, *config.args)
    else:
        argv = (*behaviour.entrypoint, *(config.args or behaviour.arguments))
        if behaviour.entrypoint and config.args:
            argv = _wrapped(behaviour, config.args)
    if argv and _too_long(argv, config.env):
        error = flavour.executable_error.replace("{command}", argv[0][:200]).replace("{why}", "argument list too long")
        return Program(argv[:1], behaviour, acts=False, start_error=error, start_code=NOT_FOUND)
    if behaviour.exit is not None and not config.command and not config.args:
        return _own(behaviour, argv, config)
    name = argv[0].rsplit("/", 1)[-1] if argv else ""
    own = next((text for path, text in behaviour.files if argv and path == argv[0] and text.startswith("#!")), "")
    if own:  # a script of the image
        return _script(behaviour, (own.partition("\n")[0].rsplit("/", 1)[-1], "-c", own, *argv), name, config)
    if not argv or _is_own(behaviour, name, config) or (name not in TOOLS and behaviour.match == "*"):
        return _own(behaviour, argv, config)
    if name in TOOLS and (behaviour.shell or name not in _SHELLS):
        return _script(behaviour, argv, name, config)
    if behaviour.shell and "/" in argv[0] and any(mount.path != "/" and argv[0].startswith(mount.path) for mount in config.mounts):
        return _script(behaviour, ("sh", *argv), name, config)
    if not behaviour.shell and not config.command:
        return _own(behaviour, argv, config)
    why = "stat " + argv[0] + ": no such file or directory" if argv[0].startswith("/") else "executable file not found in $PATH"
    error = flavour.executable_error.replace("{command}", argv[0]).replace("{why}", why)
    return Program(argv, behaviour, acts=False, start_error=error, start_code=NOT_FOUND)


def _too_long(argv: tuple[str, ...], env: tuple[tuple[str, str], ...]) -> bool:
    sizes = [*map(len, argv), *(len(name) + len(value) + 1 for name, value in env)]
    return max(sizes) >= ARGUMENT_MOST or sum(sizes) > ARGUMENTS_MOST


def _wrapped(behaviour: Behaviour, args: tuple[str, ...]) -> tuple[str, ...]:
    """Arguments for the entrypoint scripts of official images: those run a command, and give options to their own program."""
    first = behaviour.entrypoint[0].rsplit("/", 1)[-1]
    if not (first.endswith("entrypoint.sh") or first == "tini"):
        return (*behaviour.entrypoint, *args)
    name = args[0].rsplit("/", 1)[-1]
    if args[0].startswith("-") or (first == "entrypoint.sh" and name not in TOOLS):
        return (*behaviour.arguments[:1], *args)
    return args


def _own_names(behaviour: Behaviour) -> set[str]:
    """What the image's own program is called."""
    words = (*behaviour.entrypoint[:3], *behaviour.arguments[:3])
    return {each.rsplit("/", 1)[-1] for each in words if not each.startswith("-")} - _SHELLS


def _is_own(behaviour: Behaviour, name: str, config: ContainerConfig) -> bool:
    if name in TOOLS:
        return name in {"httpd", "nginx"} and name in behaviour.match
    if name in _own_names(behaviour):
        return not name.startswith("perl")
    stem = re.sub(r"[^a-z].*", "", name.lower())
    return (len(stem) >= 4 and stem in behaviour.match) or any(len(each) >= 4 and each in name for each in _words(behaviour.match))


def _words(match: str) -> list[str]:
    return [each for each in re.split(r"[^a-z]+", match) if each]


def _script(behaviour: Behaviour, argv: tuple[str, ...], name: str, config: ContainerConfig) -> Program:
    source, params, shell = script_of(argv)
    if not source and (config.tty or config.stdin or not (config.command or config.args or config.ends)):
        # An interactive shell waits for somebody to type. One that nobody gave anything to do runs on as well: an image that no
        # scenario names runs well (a real busybox would end at once, and be restarted).
        source = "sleep infinity"
    return Program(
        argv, behaviour, acts=False, script=source or ":", params=params, shell=shell, stop_ms=-1,
        pure=is_pure(source or ":") and not ((config.stdin or config.tty) and "exec" in source),
        memory_base=min(behaviour.memory_base, 1 << 20), ready_ms=behaviour.ready_ms,
    )


def _unwritable(behaviour: Behaviour, config: ContainerConfig) -> str:
    """What the program says of the first folder in which it must write and may not; "" where it may in all."""
    if not (behaviour.user != "root" or _OFFICIAL.fullmatch(config.image)):
        return ""  # whoever builds on such an image may have made room
    if any(_covers(mount.path, "/etc/nginx/nginx.conf") for mount in config.mounts):
        return ""  # a configuration of one's own names other places
    stranger = behaviour.user == "root" and config.user not in ("", "0", "root")
    if not (stranger or config.read_only_root):
        return ""
    for folder, said in behaviour.writes:
        if not any(_covers(mount.path, folder) and not mount.read_only for mount in config.mounts):
            return said.replace("{why}", "30: Read-only file system" if config.read_only_root else "13: Permission denied")
    return ""


def _covers(mounted: str, path: str) -> bool:
    mounted = mounted.replace("/var/run", "/run", 1).rstrip("/")  # a link in the images of our days
    return path == mounted or path.startswith(mounted + "/")


def _own(behaviour: Behaviour, argv: tuple[str, ...], config: ContainerConfig) -> Program:
    """The image's own program, as its behaviour and its arguments have it."""
    end = behaviour.exit
    if behaviour.needs_env and not any(value and name in behaviour.needs_env for name, value in config.env):
        end = Exit(0, 1, "error: one of these variables must be set: " + ", ".join(behaviour.needs_env))
    elif said := _unwritable(behaviour, config):
        end = Exit(0, 1, said)
    serves, special, logs = _arguments(behaviour, argv)
    return Program(
        argv=argv, behaviour=behaviour, exit_after_ms=end.after_ms if end is not None else -1,
        exit_code=end.code if end is not None else 0, exit_message=end.message if end is not None else "",
        ready_ms=behaviour.ready_ms, stop_ms=-1 if behaviour.ignores_term else behaviour.stop_ms, stop_code=behaviour.stop_code,
        memory_base=behaviour.memory_base, memory_growth_per_s=behaviour.memory_growth_per_s, cpu_milli=behaviour.cpu_milli,
        serves=serves, special=special or behaviour.application, logs=logs,
    )


def _option(argv: tuple[str, ...], *names: str) -> str:
    for number, each in enumerate(argv):
        flag, equals, value = each.lstrip("-").partition("=")
        if each.startswith("-") and flag in names:
            return value if equals else (argv[number + 1] if number + 1 < len(argv) else "")
    return ""


def _arguments(behaviour: Behaviour, argv: tuple[str, ...]) -> tuple[tuple[Serve, ...] | None, str, tuple[str, ...] | None]:
    """What well-known programs read from their arguments: ports, texts, sub-commands, and what they note of that."""
    match = behaviour.match
    if "agnhost" in match:
        return _agnhost(argv)
    if "http-echo" in match:
        port = re.sub(r"\D", "", _option(argv, "listen").rsplit(":", 1)[-1]) or "5678"
        return (Serve(int(port), body=_option(argv, "text").strip("\"'") + "\n"),), "", None
    port = _option(argv, "port", "http-port")
    if "podinfo" in match and port.isdigit():
        rest = behaviour.serves[0]
        return (Serve(int(port), cpu_us=rest.cpu_us, body=rest.body, paths=rest.paths), *behaviour.serves[1:]), "", None
    return None, "loadtester" if "flagger-loadtester" in match else "", None


def _agnhost(argv: tuple[str, ...]) -> tuple[tuple[Serve, ...], str, tuple[str, ...] | None]:
    command = argv[1] if len(argv) > 1 and argv[0].endswith("agnhost") else (argv[0] if argv else "pause")
    port = _option(argv, "http-port", "port")
    number = int(port) if port.isdigit() else 0
    if command == "netexec":
        paths = (("/clientip", 200, "{client}:40000"), ("/hostname", 200, "{hostname}"), ("/hostName", 200, "{hostname}"),
                 ("/healthz", 200, ""), ("/readyz", 200, ""))
        udp = _option(argv, "udp-port")
        serves = (Serve(number or 8080, body="NOW: {time}", paths=paths), Serve(int(udp) if udp.isdigit() else 8081, "udp"))
        said = tuple(f"I{{klog}}       1 log.go:245] Started {kind} server on port {space}{each.port}"
                     for kind, space, each in zip(("HTTP", "UDP"), ("", " "), serves, strict=True))
        return tuple(each for each in serves if each.port > 0), "netexec", said
    if command == "serve-hostname":
        return (Serve(number or 9376, body="{hostname}"),), "", None
    if command == "liveness":
        return (Serve(8080, body=""),), "liveness", None
    if command in {"guestbook", "porter", "net", "nettest", "webhook", "test-webserver", "no-snat-test"}:
        return (Serve(number or (80 if command == "test-webserver" else 3000 if command == "guestbook" else 8080)),), "", None
    return (), "", ("Paused",) if command == "pause" else None

"""Image names, and the registries that images come from.

Follows github.com/distribution/reference (how a short name becomes a full one). A registry knows how images behave: what the
scenario says of them, then the library of well-known ones, then nothing: such an image runs well, at once.
"""

from __future__ import annotations

import re
from dataclasses import fields, replace
from fnmatch import fnmatchcase
from hashlib import sha256
from typing import NamedTuple

from clusterlab.runtime.layers import Layer, layers_of
from clusterlab.runtime.programs.behaviour import Behaviour
from clusterlab.runtime.programs.library import LIBRARY
from clusterlab.sim import Component, Simulation

__all__ = ["Image", "Registry", "full_name", "image_id", "invalid_reference", "short_name", "tag_of"]

_UNKNOWN = Behaviour()
_DEFAULTS = {field.name: getattr(_UNKNOWN, field.name) for field in fields(Behaviour)}
_ALLOWED = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/:@[]")


class Image(NamedTuple):
    """An image on a node."""

    id: str
    names: tuple[str, ...]  # tags and digests, full
    size_bytes: int
    pulled_ms: int
    used_ms: int
    layers: tuple[Layer, ...] = ()


def invalid_reference(image: str) -> bool:
    """Whether a name cannot be that of an image (upper-case repositories, odd characters, empty parts)."""
    if not image or not _ALLOWED.issuperset(image):
        return True
    repository = image.partition("@")[0]
    last = repository.rsplit("/", 1)[-1]
    if ":" in last:
        repository = repository[: -len(last)] + last.split(":", 1)[0]
    domain, slash, rest = repository.partition("/")
    path = rest if slash and ("." in domain or ":" in domain or domain == "localhost") else repository
    return path != path.lower() or not path or path.startswith(("/", "-", ".")) or path.endswith("/") or "//" in path


def full_name(image: str) -> str:
    """"nginx" as "docker.io/library/nginx:latest"."""
    name, at, digest = image.partition("@")
    domain, slash, rest = name.partition("/")
    if not slash or not ("." in domain or ":" in domain or domain == "localhost"):
        domain, rest = "docker.io", name
    if domain == "docker.io" and "/" not in rest:
        rest = f"library/{rest}"
    if ":" not in rest.rsplit("/", 1)[-1] and not at:
        rest += ":latest"
    return f"{domain}/{rest}{at}{digest}"


def short_name(image: str) -> str:
    """"docker.io/library/nginx:1.25" as "nginx:1.25"."""
    for prefix in ("docker.io/library/", "docker.io/"):
        if image.startswith(prefix):
            return image[len(prefix):]
    return image


def tag_of(image: str) -> str:
    """The tag of an image; "" where it is named by digest."""
    if "@" in image:
        return ""
    last = image.rsplit("/", 1)[-1]
    return last.split(":", 1)[1] if ":" in last else "latest"


def image_id(full: str) -> str:
    """What an image is called by its content: here that follows from its name."""
    if "@" in full:
        return full.partition("@")[2]
    return "sha256:" + sha256(full.encode()).hexdigest()


class Registry(Component):
    """Every registry there is. State: which of them cannot be reached."""

    STATE = ("unreachable", "broken")

    def __init__(self, sim: Simulation, behaviours: tuple[Behaviour, ...] = ()) -> None:
        super().__init__(sim, "registry")
        self.behaviours = behaviours
        self.unreachable: tuple[str, ...] = ()  # globs over full names; "*" is all of them
        self.broken: dict[str, str] = {}  # full name -> what is wrong with the image
        self._found: dict[str, Behaviour] = {}
        self._layers: dict[str, tuple[Layer, ...]] = {}

    @property
    def reachable(self) -> bool:
        """Whether every registry can be reached."""
        return not self.unreachable

    @reachable.setter
    def reachable(self, value: bool) -> None:
        self.unreachable = () if value else ("*",)

    def behaviour(self, image: str) -> Behaviour:
        """How containers of an image behave."""
        found = self._found.get(image)
        if found is None:
            found = self._found[image] = self._look_up(image)
        return found

    def _look_up(self, image: str) -> Behaviour:
        full = full_name(image)
        known = next((each for each in LIBRARY if matches(each.match, image, full)), None)
        for each in self.behaviours:
            if matches(each.match, image, full):
                return _filled(each, known) if known else each
        return known or _UNKNOWN

    def pull_error(self, image: str) -> str:
        """Why an image cannot be pulled now, as containerd says it; "" when it can."""
        full = full_name(image)
        if self.unreachable and any(fnmatchcase(full, glob) for glob in self.unreachable):
            host = full.partition("/")[0]
            host = "registry-1.docker.io" if host == "docker.io" else host
            repository, _, tag = full.partition("/")[2].rpartition(":")
            return (
                f'failed to pull and unpack image "{full}": failed to resolve reference "{full}": failed to do request: Head '
                f'"https://{host}/v2/{repository}/manifests/{tag}": dial tcp: lookup {host}: i/o timeout'
            )
        error = self.behaviour(image).pull_error or self.broken.get(full, "")
        why = "" if error or any(matches(each.match, image, full) for each in self.behaviours) else _never_made(full)
        if why:
            said = why if why == NO_REPOSITORY else f"{full}: {why}"
            error = f'failed to pull and unpack image "{full}": failed to resolve reference "{full}": {said}'
        return error

    def size(self, image: str) -> int:
        """How large an image is; where nothing says, a size that follows from its name."""
        behaviour = self.behaviour(image)
        known = sum(size for _, size in behaviour.layers) or behaviour.size_bytes
        if known:
            return known
        return 20_000_000 + int(image_id(full_name(image))[7:15], 16) % 100_000_000

    def layers(self, image: str) -> tuple[Layer, ...]:
        """What an image is made of, the base first."""
        found = self._layers.get(image)
        if found is None:
            found = self._layers[image] = layers_of(full_name(image), self.behaviour(image), self.size(image))
        return found


#: The newest release of some official images; tags beyond it are mistakes, as documentation makes them on purpose (nginx:1.161).
_NEWEST = {
    "nginx": (1, 60), "httpd": (2, 20), "busybox": (1, 60), "alpine": (3, 60), "redis": (12, 99), "mysql": (12, 99), "postgres": (22, 99),
    "mariadb": (15, 99), "memcached": (1, 20), "ubuntu": (28, 10), "debian": (16, 99), "python": (3, 25), "node": (32, 99),
    "mongo": (12, 99),
}
_VERSION = re.compile(r"v?(\d{1,8})(?:\.(\d{1,4}))?(?![\da-z])")
#: What the tags of official images are made of besides versions.
_TAG = re.compile(
    r"(v?\d[\d.]*((a|b|m|rc|beta|alpha)\d+)?|latest|stable|oldstable|oldoldstable|mainline|unstable|experimental|rolling|devel|rc\d*|alpha\d*|"
    r"beta\d*|lts|current|innovation|alpine[\d.]*|slim|perl|otel|apache|fpm|cli|glibc|musl|uclibc|debian|oracle|oraclelinux\d*|ubi\d*|centos\d*|"
    r"bookworm|bullseye|buster|stretch|jessie|wheezy|trixie|forky|sid|testing|backports|precise|trusty|xenial|bionic|focal|jammy|noble|"
    r"artful|cosmic|disco|eoan|groovy|hirsute|impish|kinetic|lunar|mantic|oracular|plucky|questing|management|edge|"
    r"windowsservercore|nanoserver|ltsc\d*|argon|boron|carbon|dubnium|erbium|fermium|gallium|hydrogen|iron|jod|krypton|"
    r"trunk|prev|community|bazel|bpo\d*|lite|full|nonroot|root|pg\d*)")
#: Names of images that nobody has made: documentation says so in the name.
_NONE = re.compile(r"non-?-?exist|(does|do)-?(not|nt)-?-?exist|not-?found|no-?such|invalid|bogus|wrong|imaginary|typo")
_OFFICIAL = (*_NEWEST, "rabbitmq", "wordpress", "haproxy", "traefik", "consul", "cassandra", "zookeeper", "tomcat", "golang")
NO_TAG, NO_REPOSITORY = "not found", (
    "pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed")


def _never_made(full: str) -> str:
    """Why a registry does not have an image whose name is a mistake: a tag that an official one has not, or no such repository."""
    repository, _, tag = full.partition("@")[0].rpartition(":")
    name = repository.removeprefix("docker.io/library/")
    if name == repository:
        return NO_REPOSITORY if _NONE.search(repository) else NO_TAG if _NONE.search(tag) else ""
    if name in _NEWEST:
        found = _VERSION.match(tag)
        late = found is not None and len(found[1]) < 8 and (int(found[1]), int(found[2] or 0)) > _NEWEST[name]
        return NO_TAG if late or not all(_TAG.fullmatch(each) for each in tag.split("-")) else ""
    return NO_REPOSITORY if _NONE.search(name) or any(_misspelt(name, each) for each in _OFFICIAL) else ""


def _misspelt(name: str, known: str) -> bool:
    """Whether a name is a known one with digits behind it, two letters swapped, or one letter too many or too few."""
    if name == known or len(known) < 5 or abs(len(name) - len(known)) > 4:
        return False
    if name.startswith(known):
        return name[len(known):].isdigit() or len(name) == len(known) + 1
    if len(name) == len(known):
        return any(name == known[:at] + known[at + 1] + known[at] + known[at + 2:] for at in range(len(known) - 1))
    one, other = sorted((name, known), key=len)
    return len(other) - len(one) == 1 and any(one == other[:at] + other[at + 1:] for at in range(len(other)))


def matches(pattern: str, image: str, full: str) -> bool:
    """Whether a glob of a scenario means an image, which may be written short or in full; without a tag it means any."""
    short = short_name(full)
    for name in (image, short, full):
        if fnmatchcase(name, pattern):
            return True
    if ":" in pattern.rsplit("/", 1)[-1] or "@" in pattern:
        return False
    return any(fnmatchcase(name.partition("@")[0].rsplit(":", 1)[0], pattern) for name in (short, full))


def _filled(given: Behaviour, known: Behaviour) -> Behaviour:
    """What a scenario says of a well-known image, with the library's word where it says nothing."""
    missing = {
        name: getattr(known, name) for name, default in _DEFAULTS.items()
        if name != "match" and getattr(given, name) == default
    }
    return replace(given, **missing)

"""Image names, and the registries that images come from.

Follows github.com/distribution/reference (how a short name becomes a full one). A registry knows how images behave: what the
scenario says of them, then the library of well-known ones, then nothing: such an image runs well, at once.
"""

from __future__ import annotations

import re
from dataclasses import fields, replace
from fnmatch import fnmatchcase
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple

from clusterlab.runtime.layers import Layer, layers_of
from clusterlab.runtime.programs.behaviour import Behaviour
from clusterlab.runtime.programs.library import LIBRARY
from clusterlab.sim import Component, Simulation

__all__ = ["Image", "Registry", "full_name", "image_id", "invalid_reference", "short_name", "tag_of"]

_UNKNOWN = Behaviour()
_DEFAULTS = {field.name: getattr(_UNKNOWN, field.name) for field in fields(Behaviour)}


class Image(NamedTuple):
    """An image on a node."""

    id: str
    names: tuple[str, ...]  # tags and digests, full
    size_bytes: int
    pulled_ms: int
    used_ms: int
    layers: tuple[Layer, ...] = ()


#: The grammar of references (regexp.go of the reference package).
_PATH = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_LABEL = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_HOST = rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
_DIGEST = r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}"
_REFERENCE = re.compile(rf"{_HOST}/({_PATH}(?:/{_PATH})*)(?::[a-zA-Z0-9_][a-zA-Z0-9_.-]{{0,127}})?(?:@{_DIGEST})?\Z")
_IDENTIFIER = re.compile(r"[a-f0-9]{64}\Z")
NAME_MOST = 255
REFERENCE_MOST = 1_000  # characters of a name that is looked at: a longer one is wrong in any case


def _domain(image: str) -> tuple[str, str]:
    """The registry of an image and its name there. What has an upper-case letter before the first slash is a registry as well."""
    domain, slash, rest = image.partition("/")
    if not slash or not ("." in domain or ":" in domain or domain == "localhost" or domain != domain.lower()):
        domain, rest = "docker.io", image
    if domain == "index.docker.io":
        domain = "docker.io"
    return domain, f"library/{rest}" if domain == "docker.io" and "/" not in rest else rest


@lru_cache(1024)
def invalid_reference(image: str) -> str:
    """Why a name cannot be that of an image (upper-case repositories, odd characters, empty parts), in the words of the reference
    package (ParseNormalizedNamed); "" where it can."""
    if _IDENTIFIER.match(image):
        return f"invalid repository name ({image}), cannot specify 64-byte hexadecimal strings"
    domain, rest = _domain(image)
    remote = rest.partition(":")[0]
    if remote != remote.lower():
        return f"invalid reference format: repository name ({remote}) must be lowercase"
    found = _REFERENCE.match(f"{domain}/{rest}") if len(image) <= REFERENCE_MOST else None
    if found is None:
        return "invalid reference format"
    return "" if len(found[1]) <= NAME_MOST else f"repository name must not be more than {NAME_MOST} characters"


def full_name(image: str) -> str:
    """"nginx" as "docker.io/library/nginx:latest"."""
    name, at, digest = image.partition("@")
    domain, rest = _domain(name)
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
        host = full.partition("/")[0]
        unreachable = bool(self.unreachable) and any(fnmatchcase(full, glob) for glob in self.unreachable)
        nobody = host != host.lower() and "." not in host and not any(matches(each.match, image, full) for each in self.behaviours)
        if unreachable or nobody:  # MyOrg/app: a registry MyOrg, where somebody's name was meant
            host = "registry-1.docker.io" if host == "docker.io" else host
            repository, _, tag = full.partition("/")[2].rpartition(":")
            why = "i/o timeout" if unreachable else "no such host"
            return (
                f'failed to pull and unpack image "{full}": failed to resolve reference "{full}": failed to do request: Head '
                f'"https://{host}/v2/{repository}/manifests/{tag}": dial tcp: lookup {host}: {why}'
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

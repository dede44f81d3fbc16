"""Formats of names, keys and addresses. Each function says what is wrong with a value; nothing wrong is an empty tuple.

Follows staging/src/k8s.io/apimachinery/pkg/util/validation/{validation,ip}.go, pkg/api/validate/content and
pkg/api/validation/generic.go.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from functools import wraps
from typing import TypeVar

from clusterlab.machinery.field import FieldError, go_quote, invalid, required

__all__ = [
    "Messages", "NameFn", "config_map_key", "decimal_integer", "dns1035_label", "dns1123_label", "dns1123_subdomain",
    "dns1123_subdomain_with_underscore", "domain_prefixed_key", "domain_prefixed_path", "fully_qualified_domain_name",
    "fully_qualified_name", "group_id", "http_header_name", "in_range", "is_ipv6", "label_key", "label_value", "legacy_cidr",
    "legacy_ip", "name_is_dns1035_label", "name_is_label", "name_is_path_segment", "name_is_subdomain", "parse_cidr", "parse_ip",
    "path_segment_name", "percent", "port_name", "port_num", "regex_error", "relaxed_env_var_name", "strict_cidr", "strict_ip",
    "user_id", "wildcard_dns1123_subdomain",
]

Messages = tuple[str, ...]
NameFn = Callable[[str, bool], Messages]

_OK: Messages = ()
_R = TypeVar("_R")


def _remembered(check: Callable[[str], _R]) -> Callable[[str], _R]:
    """Keeps verdicts on short values: the same names and keys come again with each object."""
    seen: dict[str, _R] = {}

    @wraps(check)
    def cached(value: str) -> _R:
        try:
            return seen[value]
        except KeyError:
            verdict = check(value)
            if len(value) <= 256:
                if len(seen) >= 8192:
                    seen.clear()
                seen[value] = verdict
            return verdict

    return cached


_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_LABEL_UNDERSCORE = "_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = _LABEL + r"(\." + _LABEL + ")*"
_SUBDOMAIN_UNDERSCORE = _LABEL_UNDERSCORE + r"(\." + _LABEL_UNDERSCORE + ")*"
_LABEL1035 = "[a-z]([-a-z0-9]*[a-z0-9])?"
_WILDCARD = r"\*\." + _SUBDOMAIN
_KEY = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_VALUE = "(" + _KEY + ")?"
_HTTP_PATH = r"[A-Za-z0-9/\-._~%!$&'()*+,;=:]+"
_HEADER = "[-A-Za-z0-9]+"
_CONFIG_KEY = "[-._a-zA-Z0-9]+"
_PERCENT = "[0-9]+%"

# Linear forms of the same languages: the published expressions backtrack badly on long hostile input.
_label = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?").fullmatch
_subdomain = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*").fullmatch
_subdomain_underscore = re.compile(_SUBDOMAIN_UNDERSCORE.replace("(", "(?:")).fullmatch
_label1035 = re.compile(_LABEL1035).fullmatch
_wildcard = re.compile(_WILDCARD).fullmatch
_key = re.compile(r"[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?").fullmatch
_http_path = re.compile(_HTTP_PATH).fullmatch
_header = re.compile(_HEADER).fullmatch
_config_key = re.compile(_CONFIG_KEY).fullmatch
_percent = re.compile(_PERCENT).fullmatch
_port_chars = re.compile("[-a-z0-9]+").fullmatch
_port_letter = re.compile("[a-z]").search
_decimal = re.compile("0|-?[1-9][0-9]*").fullmatch

_KEY_TEXT = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"
_SUBDOMAIN_TEXT = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with "
    "an alphanumeric character"
)


def regex_error(text: str, expression: str, *examples: str) -> str:
    """A message that names the expression a value must match."""
    if not examples:
        return f"{text} (regex used for validation is '{expression}')"
    listed = " or ".join(f"'{example}', " for example in examples)
    return f"{text} (e.g. {listed}regex used for validation is '{expression}')"


def _size(value: str) -> int:
    return len(value) if value.isascii() else len(value.encode("utf-8", "surrogatepass"))


def in_range(value: int, low: int, high: int) -> Messages:
    """low <= value <= high."""
    return _OK if low <= value <= high else (f"must be between {low} and {high}, inclusive",)


def port_num(value: int) -> Messages:
    """A port number other than zero."""
    return _OK if 1 <= value <= 65535 else ("must be between 1 and 65535, inclusive",)


def user_id(value: int) -> Messages:
    """A Unix user id."""
    return in_range(value, 0, 2147483647)


def group_id(value: int) -> Messages:
    """A Unix group id."""
    return in_range(value, 0, 2147483647)


@_remembered
def dns1123_label(value: str) -> Messages:
    """A label of a DNS name (RFC 1123)."""
    out = []
    if _size(value) > 63:
        out.append("must be no more than 63 characters")
    if not _label(value):
        if _subdomain(value):
            out.append("must not contain dots")
        else:
            text = (
                "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
                "with an alphanumeric character"
            )
            out.append(regex_error(text, _LABEL, "my-name", "123-abc"))
    return tuple(out)


@_remembered
def dns1123_subdomain(value: str) -> Messages:
    """A DNS name of lower case labels (RFC 1123)."""
    out = []
    if _size(value) > 253:
        out.append("must be no more than 253 characters")
    if not _subdomain(value):
        out.append(regex_error(_SUBDOMAIN_TEXT, _SUBDOMAIN, "example.com"))
    return tuple(out)


def dns1123_subdomain_with_underscore(value: str) -> Messages:
    """A DNS name whose labels may have underscores."""
    out = []
    if _size(value) > 253:
        out.append("must be no more than 253 characters")
    if not _subdomain_underscore(value):
        text = (
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must start "
            "and end with an alphanumeric character"
        )
        out.append(regex_error(text, _SUBDOMAIN_UNDERSCORE, "example.com"))
    return tuple(out)


@_remembered
def dns1035_label(value: str) -> Messages:
    """A label of a DNS name that starts with a letter (RFC 1035)."""
    out = []
    if _size(value) > 63:
        out.append("must be no more than 63 characters")
    if not _label1035(value):
        text = (
            "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and "
            "end with an alphanumeric character"
        )
        out.append(regex_error(text, _LABEL1035, "my-name", "abc-123"))
    return tuple(out)


def wildcard_dns1123_subdomain(value: str) -> Messages:
    """A DNS name whose first label is `*`."""
    out = []
    if _size(value) > 253:
        out.append("must be no more than 253 characters")
    if not _wildcard(value):
        text = (
            "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower "
            "case alphanumeric characters, '-' or '.' and end with an alphanumeric character"
        )
        out.append(regex_error(text, _WILDCARD, "*.example.com"))
    return tuple(out)


@_remembered
def label_key(value: str) -> Messages:
    """A label key, also called a qualified name: an optional DNS prefix, a slash and a name."""
    parts = value.split("/")
    out: list[str] = []
    if len(parts) == 1:
        name = value
    elif len(parts) == 2:
        prefix, name = parts
        if not prefix:
            out.append("prefix part must be non-empty")
        else:
            out += [f"prefix part {text}" for text in _content_subdomain(prefix)]
    else:
        text = regex_error(_KEY_TEXT, _KEY, "MyName", "my.name", "123-abc")
        return (f"a valid label key {text} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')",)
    if not name:
        out.append("name part must be non-empty")
    elif _size(name) > 63:
        out.append("name part must be no more than 63 bytes")
    if not _key(name):
        out.append("name part " + regex_error(_KEY_TEXT, _KEY, "MyName", "my.name", "123-abc"))
    return tuple(out)


def _content_subdomain(value: str) -> Messages:
    """As `dns1123_subdomain`, in the words of pkg/api/validate/content, which counts bytes."""
    return tuple(text.replace("253 characters", "253 bytes") for text in dns1123_subdomain(value))


@_remembered
def label_value(value: str) -> Messages:
    """The value of a label."""
    out = []
    if _size(value) > 63:
        out.append("must be no more than 63 bytes")
    if value and not _key(value):
        text = (
            "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
            "end with an alphanumeric character"
        )
        out.append(regex_error(text, _VALUE, "MyValue", "my_value", "12345"))
    return tuple(out)


@_remembered
def port_name(value: str) -> Messages:
    """The name of a port (RFC 6335, lower case)."""
    out = []
    if _size(value) > 15:
        out.append("must be no more than 15 characters")
    if not _port_chars(value):
        out.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not _port_letter(value):
        out.append("must contain at least one letter (a-z)")
    if "--" in value:
        out.append("must not contain consecutive hyphens")
    if value and (value[0] == "-" or value[-1] == "-"):
        out.append("must not begin or end with a hyphen")
    return tuple(out)


def percent(value: str) -> Messages:
    """A percentage such as 25%."""
    if _percent(value):
        return _OK
    return (regex_error("a valid percent string must be a numeric string followed by an ending '%'", _PERCENT, "1%", "93%"),)


def http_header_name(value: str) -> Messages:
    """The name of an HTTP header."""
    if _header(value):
        return _OK
    return (regex_error("a valid HTTP header must consist of alphanumeric characters or '-'", _HEADER, "X-Header-Name"),)


@_remembered
def relaxed_env_var_name(value: str) -> Messages:
    """The name of an environment variable."""
    if not value:
        return ("environment variable name must be non-empty",)
    if not value.isascii() or not value.isprintable() or "=" in value:
        return ("a valid environment variable name must consist only of printable ASCII characters other than '='",)
    return _OK


@_remembered
def config_map_key(value: str) -> Messages:
    """A key of a ConfigMap or Secret."""
    out = []
    if _size(value) > 253:
        out.append("must be no more than 253 characters")
    if not _config_key(value):
        text = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'"
        out.append(regex_error(text, _CONFIG_KEY, "key.name", "KEY_NAME", "key-name"))
    if value in (".", ".."):
        out.append(f"must not be '{value}'")
    elif value.startswith(".."):
        out.append("must not start with '..'")
    return tuple(out)


def decimal_integer(value: str) -> Messages:
    """A decimal integer without leading zeros or a plus sign."""
    if not value:
        return ("must be non-empty",)
    if _decimal(value):
        return _OK
    return ("must be a valid decimal integer in canonical form",)


def path_segment_name(value: str, prefix: bool = False) -> Messages:
    """A name that may stand in a URL path."""
    if not prefix and value in (".", ".."):
        return (f"may not be '{value}'",)
    return tuple(f"may not contain '{char}'" for char in ("/", "%") if char in value)


# Names of objects. `prefix`: something will be appended to the name.

def _masked(name: str, prefix: bool) -> str:
    return name[:-2] + "a" if prefix and len(name) > 1 and name.endswith("-") else name


def name_is_subdomain(name: str, prefix: bool = False) -> Messages:
    """A name that must be a DNS subdomain."""
    return dns1123_subdomain(_masked(name, prefix) if prefix else name)


def name_is_label(name: str, prefix: bool = False) -> Messages:
    """A name that must be a DNS label."""
    return dns1123_label(_masked(name, prefix) if prefix else name)


def name_is_dns1035_label(name: str, prefix: bool = False) -> Messages:
    """A name that must be a DNS label that starts with a letter."""
    return dns1035_label(_masked(name, prefix) if prefix else name)


def name_is_path_segment(name: str, prefix: bool = False) -> Messages:
    """A name that may be anything that fits into a URL path, as RBAC's are."""
    return path_segment_name(name, prefix)


# Domains.

def fully_qualified_name(path: str, name: str) -> list[FieldError]:
    """A domain of three segments or more."""
    if not name:
        return [required(path)]
    if errors := dns1123_subdomain(name):
        return [invalid(path, name, ",".join(errors))]
    if len(name.split(".")) < 3:
        return [invalid(path, name, "should be a domain with at least three segments separated by dots")]
    return []


def fully_qualified_domain_name(path: str, name: str) -> list[FieldError]:
    """A domain of two segments or more; a trailing dot is allowed."""
    if not name:
        return [required(path)]
    name = name.removesuffix(".")
    if errors := dns1123_subdomain(name):
        return [invalid(path, name, ",".join(errors))]
    labels = name.split(".")
    if len(labels) < 2:
        return [invalid(path, name, "should be a domain with at least two segments separated by dots")]
    for label in labels:
        if errors := dns1123_label(label):
            return [invalid(path, label, ",".join(errors))]
    return []


def domain_prefixed_path(path: str, value: str) -> list[FieldError]:
    """A domain, a slash and a path, such as acme.io/foo."""
    if not value:
        return [required(path)]
    host, slash, rest = value.partition("/")
    if not slash or not host or not rest:
        return [invalid(path, value, 'must be a domain-prefixed path (such as "acme.io/foo")')]
    out = [invalid(path, host, text) for text in dns1123_subdomain(host)]
    if not _http_path(rest):
        out.append(invalid(path, rest, regex_error("Invalid path", _HTTP_PATH)))
    return out


def domain_prefixed_key(path: str, key: str) -> list[FieldError]:
    """A label key that has a prefix."""
    if not key:
        return [required(path)]
    out = [invalid(path, key, text) for text in label_key(key)]
    if not out and len(key.split("/")) != 2:
        out.append(invalid(path, key, 'must be a domain-prefixed key (such as "acme.io/foo")'))
    return out


# Addresses. "Sloppy" parsing takes leading zeros for decimal, as Go's ParseIPSloppy does.

IP = ipaddress.IPv4Address | ipaddress.IPv6Address
Net = ipaddress.IPv4Network | ipaddress.IPv6Network
_octet = re.compile("[0-9]{1,}").fullmatch


@_remembered
def parse_ip(value: str) -> IP | None:
    """An address; None if it is none. IPv4-mapped IPv6 addresses count as IPv4."""
    if ":" not in value:
        parts = value.split(".")
        if len(parts) != 4 or not all(_octet(part) and part.isascii() and len(part) <= 8 and int(part) < 256 for part in parts):
            return None
        return ipaddress.IPv4Address(".".join(str(int(part)) for part in parts))
    if "%" in value or not value.isascii():
        return None
    try:
        found = ipaddress.IPv6Address(value)
    except ValueError:
        return None
    return found.ipv4_mapped or found


def _leading_zero(value: str) -> bool:
    return ":" not in value and any(len(part) > 1 and part[0] == "0" for part in value.split("."))


@_remembered
def _ip_errors(value: str) -> Messages:
    found = parse_ip(value)
    if found is None:
        return ("must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)",)
    if _leading_zero(value):
        return ("must not have leading 0s",)
    if ":" in value and found.version == 4:
        return ("must not be an IPv4-mapped IPv6 address",)
    return _OK


def legacy_ip(path: str, value: str, old: tuple[str, ...] | list[str] = ()) -> list[FieldError]:
    """An address in a field that also takes addresses that are not in canonical form, and what was there before."""
    errors = _ip_errors(value)
    return [invalid(path, value, text) for text in errors] if errors and value not in old else []


def strict_ip(path: str, value: str) -> list[FieldError]:
    """An address in canonical form."""
    if errors := _ip_errors(value):
        return [invalid(path, value, text) for text in errors]
    if (canonical := str(parse_ip(value))) != value:
        return [invalid(path, value, f"must be in canonical form ({go_quote(canonical)})")]
    return []


def is_ipv6(value: str) -> bool:
    """Whether this is an IPv6 address."""
    found = parse_ip(value)
    return found is not None and found.version == 6


def parse_cidr(value: str) -> tuple[IP, Net] | None:
    """The address and the network of a CIDR value; None if it is none."""
    host, slash, length = value.partition("/")
    if not slash or not length.isascii() or not length.isdigit() or len(length) > 5:
        return None
    address = parse_ip(host)
    if address is None:
        return None
    bits = int(length)
    if ":" in host and address.version == 4:  # IPv4-mapped
        if not 96 <= bits <= 128:
            return None
        bits -= 96
    if bits > address.max_prefixlen:
        return None
    return address, ipaddress.ip_network((address, bits), strict=False)


def _cidr_errors(value: str) -> Messages:
    found = parse_cidr(value)
    if found is None:
        return ("must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)",)
    host, _, length = value.partition("/")
    if _leading_zero(host) or (len(length) > 1 and length[0] == "0"):
        return ("must not have leading 0s in IP or prefix length",)
    if ":" in host and found[0].version == 4:
        return ("must not have an IPv4-mapped IPv6 address",)
    if found[0] != found[1].network_address:
        return ("must not have bits set beyond the prefix length",)
    return _OK


def legacy_cidr(path: str, value: str, old: tuple[str, ...] | list[str] = ()) -> list[FieldError]:
    """A network in a field that also takes networks that are not in canonical form, and what was there before."""
    return [] if value in old else [invalid(path, value, text) for text in _cidr_errors(value)]


def strict_cidr(path: str, value: str) -> list[FieldError]:
    """A network in canonical form."""
    if errors := _cidr_errors(value):
        return [invalid(path, value, text) for text in errors]
    found = parse_cidr(value)
    if found is not None and str(found[1]) != value:
        return [invalid(path, value, f"must be in canonical form ({go_quote(str(found[1]))})")]
    return []

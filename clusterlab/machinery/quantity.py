"""Quantities: exact amounts with a unit suffix, as "250m", "1.5Gi" or "1e3".

Follows staging/src/k8s.io/apimachinery/pkg/api/resource/{quantity,suffix,amount,math}.go: precision to a billionth, rounded away
from zero; the three formats; a string already in canonical form is kept as written. Exponents beyond ±1,000 are refused, where
Kubernetes takes up to 32 bits.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

__all__ = [
    "BINARY", "DECIMAL", "EXPONENT", "ZERO", "Quantity", "QuantityError", "add", "canonical", "compare", "from_int", "from_milli",
    "milli_value", "parse", "sub", "value",
]

BINARY = "BinarySI"
DECIMAL = "DecimalSI"
EXPONENT = "DecimalExponent"

_NANO = 10**9
_MAX = 2**63 - 1
_ERR_FORMAT = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
_ERR_SUFFIX = "unable to parse quantity's suffix"
_ERR_NUMERIC = "unable to parse numeric part of quantity"
_PARTS = re.compile(r"([+-]?)0*([0-9]*)(?:\.([0-9]*))?([eEinumkKMGTP]*[-+]?[0-9]*)")
_DECIMAL_SUFFIX = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY_SUFFIX = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_OF_EXPONENT = {exponent: suffix for suffix, exponent in _DECIMAL_SUFFIX.items()}
_OF_POWER = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")
_DIGITS_MOST = 4_000
_EXPONENT_MOST = 1_000


class QuantityError(ValueError):
    """A string that is no quantity; the text is Kubernetes' own."""


class Quantity:
    """An amount in billionths and the format that it prints in. Immutable; compares by amount."""

    __slots__ = ("_text", "format", "nano")

    def __init__(self, nano: int, format: str = DECIMAL, text: str = "") -> None:
        self.nano = nano
        self.format = format
        self._text = text

    def value(self) -> int:
        """The amount in whole units, rounded away from zero."""
        return _away(self.nano, _NANO)

    def milli_value(self) -> int:
        """The amount in thousandths, rounded away from zero."""
        return _away(self.nano, 1_000_000)

    def __add__(self, other: Quantity) -> Quantity:
        return Quantity(self.nano + other.nano, self.format if self.nano else other.format)

    def __sub__(self, other: Quantity) -> Quantity:
        return Quantity(self.nano - other.nano, self.format if self.nano else other.format)

    def __neg__(self) -> Quantity:
        return Quantity(-self.nano, self.format)

    def __mul__(self, factor: int) -> Quantity:
        return Quantity(self.nano * factor, self.format)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Quantity) and self.nano == other.nano

    def __lt__(self, other: Quantity) -> bool:
        return self.nano < other.nano

    def __le__(self, other: Quantity) -> bool:
        return self.nano <= other.nano

    def __gt__(self, other: Quantity) -> bool:
        return self.nano > other.nano

    def __ge__(self, other: Quantity) -> bool:
        return self.nano >= other.nano

    def __hash__(self) -> int:
        return hash(self.nano)

    def __bool__(self) -> bool:
        return self.nano != 0

    def __str__(self) -> str:
        if not self._text:
            self._text = _print(self.nano, self.format)
        return self._text

    def __repr__(self) -> str:
        return f"Quantity({str(self)!r})"


ZERO = Quantity(0, DECIMAL, "0")


def _away(amount: int, unit: int) -> int:
    return -(-amount // unit) if amount >= 0 else amount // unit


def _print(nano: int, format: str) -> str:
    if not nano:
        return "0"
    if format == BINARY and abs(nano) >= 1024 * _NANO and nano % _NANO == 0:
        number, power = nano // _NANO, 0
        while power < 6 and number % 1024 == 0:
            number, power = number // 1024, power + 1
        return f"{number}{_OF_POWER[power]}"
    exponent = -9
    while nano % 1000 == 0:
        nano, exponent = nano // 1000, exponent + 3
    if format == EXPONENT:
        return f"{nano}e{exponent}" if exponent else str(nano)
    if exponent > 18:
        nano, exponent = nano * 10 ** (exponent - 18), 18
    return f"{nano}{_OF_EXPONENT[exponent]}"


def _interpret(suffix: str) -> tuple[int, str]:
    exponent = _DECIMAL_SUFFIX.get(suffix)
    if exponent is not None:
        return exponent, DECIMAL
    power = _BINARY_SUFFIX.get(suffix)
    if power is not None:
        return power, BINARY
    if suffix[0] in "eE":
        try:
            exponent = int(suffix[1:])
        except ValueError:
            exponent = None
        if exponent is not None and abs(exponent) <= _EXPONENT_MOST:
            return exponent, EXPONENT
    raise QuantityError(_ERR_SUFFIX)


@lru_cache(maxsize=8192)
def parse(text: str) -> Quantity:
    """The quantity that a string means; raises QuantityError. Surrounding space is for the caller to strip."""
    if text == "0":
        return ZERO
    match = _PARTS.fullmatch(text) if text else None
    if match is None:
        raise QuantityError(_ERR_FORMAT)
    sign, whole, fraction, suffix = match.groups("")
    if not whole and not fraction and not suffix:
        return ZERO
    exponent, format = _interpret(suffix)
    digits = (whole or "0") + fraction
    if len(digits) > _DIGITS_MOST:
        raise QuantityError(_ERR_NUMERIC)
    mantissa = int(digits)
    if format == BINARY:
        nano = _round_up(mantissa * _NANO << exponent, len(fraction))
        nano = min(nano, _MAX * _NANO)
        if 0 < nano < _NANO:
            format = DECIMAL
        kept = not fraction and mantissa & 7 != 0 and mantissa << exponent <= _MAX
    else:
        scale = exponent - len(fraction)
        nano = mantissa * 10 ** (scale + 9) if scale >= -9 else _round_up(mantissa, -scale - 9)
        kept = scale >= -9 and scale % 3 == 0 and not digits.endswith("000") and digits[0] != "0" and len(digits) <= 18
    return Quantity(-nano if sign == "-" else nano, format, text if kept else "")


def _round_up(amount: int, places: int) -> int:
    return -(-amount // 10**places) if places else amount


def value(text: Any) -> int:
    """The amount of a quantity string in whole units, rounded up."""
    return parse(text if type(text) is str else str(text)).value()


def milli_value(text: Any) -> int:
    """The amount of a quantity string in thousandths, rounded up."""
    return parse(text if type(text) is str else str(text)).milli_value()


def canonical(raw: Any) -> str:
    """A decoded JSON value as a quantity prints it; numbers are taken as they would be written."""
    if isinstance(raw, str):
        return str(parse(raw.strip()))
    if isinstance(raw, bool) or not isinstance(raw, int | float):
        raise QuantityError(_ERR_FORMAT)
    return str(parse(str(int(raw)) if isinstance(raw, float) and raw.is_integer() and abs(raw) < 1e21 else str(raw)))


def from_int(amount: int, format: str = DECIMAL) -> Quantity:
    """So many whole units."""
    return Quantity(amount * _NANO, format)


def from_milli(amount: int, format: str = DECIMAL) -> Quantity:
    """So many thousandths."""
    return Quantity(amount * 1_000_000, format)


def add(a: str, b: str) -> str:
    """The sum of two quantity strings."""
    return str(parse(a) + parse(b))


def sub(a: str, b: str) -> str:
    """The difference of two quantity strings."""
    return str(parse(a) - parse(b))


def compare(a: str, b: str) -> int:
    """-1, 0 or 1 as the first quantity string is less than, equal to or greater than the second."""
    x, y = parse(a).nano, parse(b).nano
    return (x > y) - (x < y)

"""Quantities as whole numbers: what a node, its containers and their programs count in.

Follows staging/src/k8s.io/apimachinery/pkg/api/resource/quantity.go as far as kubelets need it: CPU in millicores, the rest in
units, fractions rounded up.
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache

__all__ = ["milli", "quantity", "units"]

_QUANTITY = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:([eE][+-]?\d{1,2})|(m|u|n|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei))?\Z")
_FACTORS = {
    "n": Fraction(1, 10**9), "u": Fraction(1, 10**6), "m": Fraction(1, 1000), "k": Fraction(10**3), "M": Fraction(10**6),
    "G": Fraction(10**9), "T": Fraction(10**12), "P": Fraction(10**15), "E": Fraction(10**18), "Ki": Fraction(1 << 10),
    "Mi": Fraction(1 << 20), "Gi": Fraction(1 << 30), "Ti": Fraction(1 << 40), "Pi": Fraction(1 << 50), "Ei": Fraction(1 << 60),
}


@lru_cache(maxsize=4096)
def _parse(text: str) -> Fraction:
    found = _QUANTITY.match(text.strip())
    if found is None or len(text) > 64:
        raise ValueError(f"{text!r} is no quantity")
    number, exponent, suffix = found.groups()
    value = Fraction(number)
    if exponent:
        value *= Fraction(10) ** int(exponent[1:])
    return value * _FACTORS[suffix] if suffix else value


def quantity(value: str | int | float) -> Fraction:
    """The exact value of a quantity such as "250m", "64Mi", 2 or "1e3"; raises ValueError for anything else."""
    return _parse(value if isinstance(value, str) else str(value))


def _ceil(value: Fraction) -> int:
    return -(-value.numerator // value.denominator)


@lru_cache(maxsize=4096)
def milli(value: str | int | float) -> int:
    """A quantity in thousandths, rounded up: millicores."""
    return _ceil(quantity(value) * 1000)


@lru_cache(maxsize=4096)
def units(value: str | int | float) -> int:
    """A quantity in units, rounded up: bytes, pods."""
    return _ceil(quantity(value))

"""Numbers in texts, as Go reads them (src/strconv/atoi.go)."""

from __future__ import annotations

__all__ = ["parse_uint", "parse_uint_error"]


def parse_uint(text: str) -> int | None:
    """The number that a text of digits is; None where it is none, or beyond 64 bits."""
    if not (text.isascii() and text.isdigit()):  # isdigit alone takes "²" as well, which int() does not read
        return None
    digits = text.lstrip("0")
    return number if len(digits) <= 20 and (number := int(digits or "0")) < 1 << 64 else None


def parse_uint_error(text: str) -> str:
    """What Go says of a text that parse_uint reads nothing from."""
    why = "value out of range" if text.isascii() and text.isdigit() else "invalid syntax"
    return f'strconv.ParseUint: parsing "{text}": {why}'

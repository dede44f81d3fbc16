"""Seeded randomness: the only source of chance in the model.

Each user of chance has a stream of its own, derived from the simulation's seed and the stream's name, so that a new
caller in one component never shifts what another one draws. The generator is SplitMix64 (Steele, Lea and Flood, 2014): its
whole state is one integer, which keeps checkpoints small.
"""

from collections.abc import Sequence
from hashlib import blake2b
from typing import TypeVar

__all__ = ["SAFE_ALPHABET", "Rng"]

T = TypeVar("T")

#: Kubernetes' alphabet for generated names: no vowels, no digits that look like letters
#: (staging/src/k8s.io/apimachinery/pkg/util/rand/rand.go).
SAFE_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"

_MASK = (1 << 64) - 1


class Rng:
    """One named stream of pseudo-random values."""

    __slots__ = ("state",)

    def __init__(self, seed: int, name: str) -> None:
        self.state = int.from_bytes(blake2b(f"{seed}/{name}".encode(), digest_size=8).digest(), "big")

    def bits64(self) -> int:
        """64 random bits."""
        self.state = z = (self.state + 0x9E3779B97F4A7C15) & _MASK
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
        return z ^ (z >> 31)

    def randint(self, low: int, high: int) -> int:
        """An integer with low <= n <= high."""
        return low + self.bits64() % (high - low + 1)

    def random(self) -> float:
        """A float in [0, 1)."""
        return (self.bits64() >> 11) / (1 << 53)

    def choice(self, items: Sequence[T]) -> T:
        return items[self.bits64() % len(items)]

    def shuffled(self, items: Sequence[T]) -> list[T]:
        """A new list of the items in random order (Fisher-Yates)."""
        out = list(items)
        for i in range(len(out) - 1, 0, -1):
            j = self.bits64() % (i + 1)
            out[i], out[j] = out[j], out[i]
        return out

    def suffix(self, length: int = 5) -> str:
        """A name suffix in Kubernetes' alphabet."""
        bits, out = self.bits64(), []
        for _ in range(length):  # 27^10 < 2^64: one draw serves up to ten letters
            bits, letter = divmod(bits, 27)
            out.append(SAFE_ALPHABET[letter])
        return "".join(out)

    def uuid(self) -> str:
        """A version 4 UUID."""
        bits = self.bits64() << 64 | self.bits64()
        bits = (bits & ~(0xF << 76) & ~(0x3 << 62)) | (0x4 << 76) | (0x2 << 62)
        text = f"{bits:032x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

"""Quantities against exact fractions, and against cases of apimachinery/pkg/api/resource/quantity_test.go."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusterlab.machinery import quantity as q

SUFFIXES = {
    "n": Fraction(1, 10**9), "u": Fraction(1, 10**6), "m": Fraction(1, 1000), "": Fraction(1), "k": Fraction(10**3),
    "M": Fraction(10**6), "G": Fraction(10**9), "Ki": Fraction(2**10), "Mi": Fraction(2**20), "Gi": Fraction(2**30),
}
numbers = st.builds(
    lambda whole, fraction, suffix: (f"{whole}{fraction}{suffix}", Fraction(f"{whole}{fraction}") * SUFFIXES[suffix]),
    st.integers(-10**6, 10**6), st.sampled_from(["", ".5", ".25", ".001", ".125"]), st.sampled_from(sorted(SUFFIXES)),
)


@given(numbers)
def test_value_is_exact_and_printing_keeps_it(case):
    text, exact = case
    found = q.parse(text)
    if exact.denominator <= 10**9 and 10**9 % exact.denominator == 0:
        assert Fraction(found.nano, 10**9) == exact
    assert q.parse(str(found)) == found
    assert str(q.parse(str(found))) == str(found)
    assert abs(found.value()) >= abs(Fraction(found.nano, 10**9))


@given(numbers, numbers)
def test_sums_and_order(a, b):
    x, y = q.parse(a[0]), q.parse(b[0])
    assert (x + y).nano == x.nano + y.nano
    assert (x + y) - y == x
    assert q.compare(a[0], b[0]) == (x.nano > y.nano) - (x.nano < y.nano)
    assert q.parse(q.add(a[0], b[0])) == x + y


@pytest.mark.parametrize(("text", "printed"), [
    ("1024Mi", "1Gi"), ("1000M", "1G"), (".001Ki", "1024m"), (".000001Ki", "1024u"), (".000000000001Ki", "2n"),
    ("0.5", "500m"), ("1.5Gi", "1536Mi"), ("1e3", "1e3"), ("1000e-12", "1e-9"), ("0.001e0", "1e-3"), ("00", "0"),
    ("307200Ki", "300Mi"), ("1025024Mi", "1001Gi"), ("1.08", "1080m"), ("9223372036854775807Ki", "9223372036854775807"),
    ("0.1Ki", "102400m"), ("1.", "1."), ("+1", "+1"),
])
def test_canonical_form(text, printed):
    assert str(q.parse(text)) == printed


@pytest.mark.parametrize(("text", "error"), [
    ("", "must match"), ("abc", "must match"), ("1.5.5", "must match"), ("1 ", "must match"), ("1.1i", "suffix"), ("1e", "suffix"),
    ("1KiB", "must match"), ("1kb", "must match"), ("--1", "suffix"),
])
def test_refused(text, error):
    with pytest.raises(q.QuantityError, match=error):
        q.parse(text)


def test_huge_exponents_are_refused_not_computed():
    with pytest.raises(q.QuantityError):
        q.parse("1e1000000000")


def test_whole_and_thousandths_round_up():
    assert q.value("1m") == 1
    assert q.milli_value("1u") == 1
    assert q.milli_value("1.5") == 1500
    assert q.canonical(0.5) == "500m"
    assert q.canonical(2) == "2"
    assert q.canonical(" 1Gi ") == "1Gi"

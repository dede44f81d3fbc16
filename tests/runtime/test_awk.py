"""awk in scripts."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clusterlab.runtime.shell.awk import AwkError, run_program

TABLE = ["NAME READY AGE", "web-1 1/1 5m", "web-2 0/1 7m"]


@pytest.mark.parametrize(("program", "out"), [
    ("{print $1}", "NAME\nweb-1\nweb-2\n"), ("NR>1 {print $1, $3}", "web-1 5m\nweb-2 7m\n"), ("/web/ && $2 == \"0/1\" {print $1}", "web-2\n"),
    ("{print $NF}", "AGE\n5m\n7m\n"), ("END{print NR}", "3\n"), ("BEGIN { print 3*4 }", "12\n"), ("NR==2", "web-1 1/1 5m\n"),
    ("NR>1 {s+=$3} END {print s, s/2; printf \"%d-%s-%.1f\\n\", s, \"x\", 1.25}", "12 6\n12-x-1.2\n"),
    ("{n[$1]++} END {for (k in n) print k \":\" n[k]}", "NAME:1\nweb-1:1\nweb-2:1\n"),
    ("{for (i=NF; i>0; i--) printf \"%s \", $i; print \"\"}", "AGE READY NAME \n5m 1/1 web-1 \n7m 0/1 web-2 \n"),
    ("{if ($1 ~ /^web/) {print \"pod\"} else print \"head\"}", "head\npod\npod\n"), ("!/NAME/{print length($1) substr($1,5)}", "51\n52\n"),
    ("{$2=\"x\"; print}", "NAME x AGE\nweb-1 x 5m\nweb-2 x 7m\n"), ("BEGIN{i=0; while(i<3) i++; print i>2 ? \"yes\" : \"no\"}", "yes\n"),
    ("NR==1{next} {print toupper($1)}", "WEB-1\nWEB-2\n"), ("{print NR\": \"$1}", "1: NAME\n2: web-1\n3: web-2\n"),
])
def test_programs(program: str, out: str) -> None:
    assert run_program(program, TABLE, {}) == out


def test_separators_and_variables() -> None:
    assert run_program("{print $2, v}", ["a:b:c"], {"v": "7"}, ":") == "b 7\n"


@pytest.mark.parametrize("program", ["BEGIN{while(1) x=x \"aaaaaaaa\"}", "BEGIN{for(;;) print \"y\"}", "BEGIN{for(i=0;;i++) a[i]=i}"])
def test_programs_that_never_end_are_cut(program: str) -> None:
    assert len(run_program(program, [], {})) <= 200_000


@settings(max_examples=200)
@given(st.text(alphabet="{}()$/;=+-<>!~ \n\"abNRF019,[]?:", max_size=30))
def test_any_program_ends_or_is_refused(program: str) -> None:
    with suppress(AwkError):
        run_program(program, TABLE, {})

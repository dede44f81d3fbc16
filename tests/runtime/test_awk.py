"""awk in scripts."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clusterlab.runtime.shell.awk import AwkError, Outside, run_program

TABLE = ["NAME READY AGE", "web-1 1/1 5m", "web-2 0/1 7m"]
FILES: dict[str, str] = {}


def awk(program: str, lines: list[str], variables: dict[str, str] | None = None, separator: str = " ") -> str:
    """What a program prints; files it writes are in FILES, commands say what they were given."""
    def write(name: str, text: str, append: bool) -> str:
        FILES[name] = (FILES.get(name, "") if append else "") + text
        return ""

    outside = Outside(FILES.get, write, lambda command, given: (f"<{command}:{given}>", 0), lambda form: "0", {"HOME": "/root"})
    inputs = [("table", "".join(line + "\n" for line in lines))]
    return run_program(program, inputs, variables or {}, separator, outside)[0]


@pytest.mark.parametrize(("program", "out"), [
    ("{print $1}", "NAME\nweb-1\nweb-2\n"), ("NR>1 {print $1, $3}", "web-1 5m\nweb-2 7m\n"), ("/web/ && $2 == \"0/1\" {print $1}", "web-2\n"),
    ("{print $NF}", "AGE\n5m\n7m\n"), ("END{print NR}", "3\n"), ("BEGIN { print 3*4 }", "12\n"), ("NR==2", "web-1 1/1 5m\n"),
    ("NR>1 {s+=$3} END {print s, s/2; printf \"%d-%s-%.1f\\n\", s, \"x\", 1.25}", "12 6\n12-x-1.2\n"),
    ("{n[$1]++} END {for (k in n) print k \":\" n[k]}", "NAME:1\nweb-1:1\nweb-2:1\n"),
    ("{for (i=NF; i>0; i--) printf \"%s \", $i; print \"\"}", "AGE READY NAME \n5m 1/1 web-1 \n7m 0/1 web-2 \n"),
    ("{if ($1 ~ /^web/) {print \"pod\"} else print \"head\"}", "head\npod\npod\n"), ("!/NAME/{print length($1) substr($1,5)}", "51\n52\n"),
    ("{$2=\"x\"; print}", "NAME x AGE\nweb-1 x 5m\nweb-2 x 7m\n"), ("BEGIN{i=0; while(i<3) i++; print (i>2) ? \"yes\" : \"no\"}", "yes\n"),
    ("NR==1{next} {print toupper($1)}", "WEB-1\nWEB-2\n"), ("{print NR\": \"$1}", "1: NAME\n2: web-1\n3: web-2\n"),
    ("NR>1{gsub(/[0-9]+/, \"<&>\", $1); print $1; n = sub(/w/, \"W\"); print n, $0}", "web-<1>\n1 Web-<1> 1/1 5m\nweb-<2>\n1 Web-<2> 0/1 7m\n"),
    ("NR==2{n = split($2, p, \"/\"); print n, p[1], match($1, /-[0-9]/), RSTART, RLENGTH, sprintf(\"%03d|%-4s|\", n, \"x\")}",
     "2 1 4 4 2 002|x   |\n"),
    ("function f(n, more) {more = 1; return n <= 1 ? more : n * f(n - 1)} function fill(a) {a[\"k\"] = 7} BEGIN{fill(b); print f(5), b[\"k\"]}",
     "120 7\n"),
    ("BEGIN{do {i++; if (i == 2) continue; if (i > 4) break; print i} while (1)}", "1\n3\n4\n"),
    ("/web-1/,/web-2/{print FNR, FILENAME; next} {a[$1]} END{for (k in a) print k; if (!(\"x\" in a)) print \"no\"; exit 3}",
     "2 table\n3 table\nNAME\nno\n"),
    ("BEGIN{\"date\" | getline d; print d; print \"b\" | \"sort\"; close(\"sort\"); print ENVIRON[\"HOME\"]; x[1, 2]; for (k in x) {split(k, p, SUBSEP); print p[2]}}",
     "<date:>\n<sort:b\n>/root\n2\n"),
    ("NR>1{NF = 2; $1 = $1; print; print $1 > \"/out\"} END{while ((getline line < \"/out\") > 0) print \"r\", line}",
     "web-1 1/1\nweb-2 0/1\nr web-1\nr web-2\n"),
    ("BEGIN{print 1 == 1.0, \"10\" < \"9\", 2 ^ 3 ^ 2, -3 % 2, 1 / 4, substr(\"hello\", 0, 3), length()}", "1 1 512 -1 0.25 he 0\n"),
    ("NR==2{print ($3 > 4), ($3 < 10), $3 + 0}", "1 0 5\n"),
])
def test_programs(program: str, out: str) -> None:
    FILES.clear()
    assert awk(program, TABLE) == out


def test_separators_and_variables() -> None:
    assert awk("{print $2, v}", ["a:b:c"], {"v": "7"}, ":") == "b 7\n"


@pytest.mark.parametrize("program", ["BEGIN{while(1) x=x \"aaaaaaaa\"}", "BEGIN{for(;;) print \"y\"}", "BEGIN{for(i=0;;i++) a[i]=i}"])
def test_programs_that_never_end_are_cut(program: str) -> None:
    assert len(awk(program, [])) <= 200_000


@settings(max_examples=200)
@given(st.text(alphabet="{}()$/;=+-<>!~ \n\"abNRF019,[]?:", max_size=30))
def test_any_program_ends_or_is_refused(program: str) -> None:
    with suppress(AwkError):
        awk(program, TABLE)

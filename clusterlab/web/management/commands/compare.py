"""`manage.py compare [--seed N] [--strategies a,b] [-o table|json|lines]`: the same bad release by every strategy, and what each cost."""

from __future__ import annotations

from typing import Any

import orjson
from django.core.management.base import BaseCommand, CommandError, CommandParser

from clusterlab.comparison import STRATEGIES, Outcome, compare


class Command(BaseCommand):
    """Runs the model once for each strategy, and prints what came of it."""

    help = "Run the same bad release by every strategy and print what each cost."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--seed", type=int, default=11)
        parser.add_argument("--strategies", default="", help=f"some of {', '.join(STRATEGIES)}, with commas; all by default")
        parser.add_argument("-o", "--output", choices=("table", "json", "lines"), default="table")

    def handle(self, *args: Any, **options: Any) -> None:
        names = [name for name in options["strategies"].split(",") if name] or list(STRATEGIES)
        unknown = [name for name in names if name not in STRATEGIES]
        if unknown:
            raise CommandError(f"there is no strategy {unknown[0]!r}; there are {', '.join(STRATEGIES)}")
        if not 0 <= options["seed"] < 2**63:
            raise CommandError("the seed must be a whole number from 0 to 2^63 - 1")
        found: list[Outcome] = []
        for name, share, outcome in compare(names, options["seed"]):
            if outcome is not None:
                found.append(outcome)
            if options["output"] == "lines":
                line = {"name": name, "share": round(share, 3), **({"outcome": outcome._asdict()} if outcome is not None else {})}
                self.stdout.write(orjson.dumps(line).decode())
                self.stdout.flush()
        if options["output"] == "json":
            self.stdout.write(orjson.dumps([each._asdict() for each in found], option=orjson.OPT_INDENT_2).decode())
        elif options["output"] == "table":
            self._table(found)

    def _table(self, found: list[Outcome]) -> None:
        row = "{:36}{:>8}{:>8}{:>8}{:>10}{:>12}  {}"
        self.stdout.write(row.format("STRATEGY", "SENT", "FAILED", "SLOW", "2x MIN", "RECOVERED", "DECIDED BY"))
        for each in found:
            when = "never" if each.recovered_s < 0 else f"{each.recovered_s:.0f}s"
            self.stdout.write(row.format(each.title, each.sent, each.failed, each.slow, each.double_minutes, when, each.decided_by))

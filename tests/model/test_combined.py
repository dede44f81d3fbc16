"""One combination of faults; many more are run by hand (`python -m tests.model.combined FROM TO`)."""

from __future__ import annotations

from tests.model.combined import Combination

SEED = 407


def test_a_combination_of_faults() -> None:
    run = Combination(SEED)
    try:
        run.play()
    except AssertionError as error:
        raise AssertionError(f"seed {SEED}, {run.world.now_s} s: {error}") from error

"""F1: the store and the split against a plain dict: rows come, change and go, runs are killed, files damaged, old ones
collected, in an order that hypothesis chooses. The machine itself is in tests/pipeline/test_store_machine.py.
"""

from collections.abc import Iterator

from hypothesis import Phase
from table import Line

from tests.pipeline.test_store_machine import StoreMachine, run_machine

ANCHORS = ("F1",)
LIVES, STEPS = 40, 20


def run(share: float, seed: int) -> Iterator[Line]:
    """Yield the one line."""
    lives, problems, taken = max(1, round(LIVES * share)), [], StoreMachine.taken
    taken.clear()
    try:
        run_machine(lives, STEPS, seed, [Phase.generate])
    except Exception as error:  # noqa: BLE001 - whatever it is, the model did not expect it
        notes = "; ".join(getattr(error, "__notes__", ()))
        problems.append(f"F1: {type(error).__name__}: {str(error)[:300]}; {notes[-2000:]}")
    what = f"steps of {lives} stores and splits, against a plain dict"
    seen = (
        ("row added", "row edited", "row taken out", "and killed", "run again", "gc", "tag", "damage and repair")
        if share >= 1
        else ()
    )
    yield Line("F1", what, taken.total(), dict(taken), len(problems), seen, problems=tuple(problems))

"""R9: too little memory: `data` finishes, or ends with a sentence and exit code 6; the store is as it was.

A child may take so many MB more than it began with (RLIMIT_AS), fewer each time. How much memory a million rows take is
in docs/scale.md.
"""

import json
import random
import resource
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import store
from disk import limit, refused
from table import Line

ANCHORS = ("R9",)
ROWS = 20_000
STEPS_MB = (512, 256, 128, 64, 32, 16, 8, 4, 2, 1)
WORDS = 4000


def run(share: float, seed: int) -> Iterator[Line]:
    """Yield a line for few rows and one for many."""
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        store.warm(place / "warm")
        few = store.make_project(place / "few")
        many = add_rows(store.make_project(place / "many"), max(1000, round(ROWS * share)), rng)
        for base, steps in ((few, STEPS_MB), (many, STEPS_MB[::2])):
            after = _after(base, place / "tried")
            chosen = steps if share >= 1 else sorted(rng.sample(steps, 2), reverse=True)
            rows = sum(len(path.read_text("utf-8").splitlines()) for path in base.glob("*.jsonl"))
            what = f"{max(chosen)} to {min(chosen)} MB more to take, {rows:,} lines"
            yield refused("R9", what, base, place / "tried", after, [_more(mb) for mb in chosen])


def add_rows(root: Path, rows: int, rng: random.Random) -> Path:
    """Add rows of words in any order to a project; return it."""
    with (root / "alpaca.jsonl").open("a", encoding="utf-8") as file:
        for number in range(rows):
            words = [f"w{rng.randrange(WORDS)}" for _ in range(40)]
            row = {"instruction": f"Order {number}: {' '.join(words[:15])}", "input": "", "output": " ".join(words)}
            file.write(json.dumps(row) + "\n")
    return root


def _after(base: Path, root: Path) -> dict[str, str]:
    store.copy(base, root)
    if code := store.in_child(lambda: store.run(root)):
        raise SystemExit(f"an undisturbed run failed with {code}: nothing can be shown")
    return store.versions(root)


def _more(mb: int) -> Callable[[], None]:
    def begin() -> None:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit(resource.RLIMIT_AS, pages * resource.getpagesize() + (mb << 20))()

    return begin

"""The store and the split against a plain dict, whatever is done to them in whatever order.

What the model knows: which rows the sources hold, the side every id was put on, the version that some rows gave, and every
version that no gc has taken, row by row.
"""

import json
import os
import random
import shutil
import signal
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from pipeline import refs
from pipeline.fsck import fsck, repair
from pipeline.gc import collect
from pipeline.ledger import decisions, newest_ledger
from pipeline.snapshot import Snapshot
from pipeline.tags import tag
from schemas import SnapshotError
from tests.conftest import Project, write_tokenizer
from tests.faults.calls import watch
from tests.faults.store import in_child

RECIPE = """
name = "tiny"
[[ingest.sources]]
name = "questions"
path = "questions.jsonl"
template = "instruct"
fields = { instruction = "q", response = "a" }
[format]
tokenizer = "tokenizer"
[split]
shares = { train = 0.4, validation = 0.3, test = 0.3 }
"""
PLACES = ("Oslo", "Lima", "Rome", "Kyoto", "Cairo", "Quito", "Dakar", "Perth", "Turin", "Graz", "Lagos", "Bergen")
# Two ways to ask for the same, which must stand on one side.
WAYS = ("What is there to see in {place} in spring?", "what is there to see in {place} in spring")
ANSWERS = ("Gardens and old bridges.", "A harbour with a market.", "Hills to walk on, and a lake.")
CALLS = 250  # about as many as a run of all stages makes
Row = tuple[str, str]


class StoreMachine(RuleBasedStateMachine):
    """A project whose rows come and go, whose runs are killed, and whose files are damaged.

    Attributes:
        taken: Steps of all machines so far, by name.
    """

    taken: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="store-machine-"))
        self.project = Project(self.folder)
        write_tokenizer(self.folder / "tokenizer")
        (self.folder / "recipe.toml").write_text(RECIPE, encoding="utf-8")
        self.rows: list[Row] = [(WAYS[0].format(place=place), ANSWERS[0]) for place in PLACES[:6]]
        self.sides: dict[str, str] = {}
        self.given: dict[tuple[Row, ...], str] = {}
        self.kept: dict[str, pa.Table] = {}
        self.tags: dict[str, str] = {}
        self.is_current = False
        self._write()
        self._run()

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    @rule(
        what=st.sampled_from(("added", "edited", "taken out")),
        number=st.integers(0, 99),
        place=st.sampled_from(PLACES),
        way=st.sampled_from(WAYS),
        answer=st.sampled_from(ANSWERS),
        kill_at=st.just(0) | st.integers(1, CALLS),
    )
    def change_a_row_and_run(self, what: str, number: int, place: str, way: str, answer: str, kill_at: int) -> None:
        """Run after a change of the sources, or be killed at a call of that run."""
        at = number % len(self.rows)
        if what == "added" or len(self.rows) < 4:
            self.rows.append((way.format(place=place), answer))
        elif what == "edited":
            self.rows[at] = (self.rows[at][0], answer)
        else:
            self.rows.pop(at)
        self._write()
        self.taken[f"row {what}"] += 1
        if kill_at:
            self._be_killed(kill_at)
        else:
            self._run()

    @precondition(lambda self: not self.is_current)
    @rule()
    def run_again(self) -> None:
        """Run after a kill, without any help."""
        self.taken["run again"] += 1
        self._run()

    @rule(keep=st.integers(1, 3))
    def collect_garbage(self, keep: int) -> None:
        """The newest runs and what is tagged stay; the model forgets what may go."""
        self.taken["gc"] += 1
        collect(self.project.data, keep)
        paths = refs.record_paths(self.project.data, "split", "tiny")[:keep]
        stay = {refs.read_record(path).version for path in paths} | set(self.tags.values())
        self.kept = {version: table for version, table in self.kept.items() if version in stay}

    @precondition(lambda self: self.is_current and len(self.tags) < 3)
    @rule()
    def tag_the_newest(self) -> None:
        self.taken["tag"] += 1
        name = f"v{len(self.tags) + 1}"
        self.tags[name] = tag(self.project.data, "tiny", name).resolve().name

    @precondition(lambda self: self.is_current)
    @rule(which=st.integers(0, 10**6), kind=st.sampled_from(("flip", "cut", "lose")))
    def damage_and_mend(self, which: int, kind: str) -> None:
        """Damage a file that can be made again: fsck finds it, and after a repair a run gives the same versions."""
        self.taken["damage and repair"] += 1
        data = self.project.data
        before = self._newest()
        patterns = ("*/????????????????????????????????/*.parquet", "*/????????????????????????????????/manifest.json")
        files = sorted(path for one in patterns for path in data.glob(one) if path.parent.name in before.values())
        path = random.Random(which).choice([path for path in files if path.parts[-3] != "ledger"])
        raw = path.read_bytes()
        if kind == "lose":
            path.unlink()
        else:
            at = which % len(raw)
            path.write_bytes(raw[:at] if kind == "cut" else raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :])
        found = fsck(data)[1]
        assert any(one.path in (path, *path.parents) for one in found), f"{kind} of {path} was not found"
        repair(data, found)
        self.kept.pop(path.parent.name, None)
        self._run()
        assert self._newest() == before

    def _run(self) -> None:
        """Run `data`; the same rows give the same version as ever."""
        ingested = self.project.run()["ingest"].record.version
        assert self.given.setdefault(tuple(self.rows), ingested) == ingested
        self.is_current = True
        self._learn()

    def _be_killed(self, at: int) -> None:
        """Kill a run at a call, or let it finish if it makes fewer; the invariants see to the rest."""

        def killed() -> None:
            watch(self.project.data, at, lambda *_: os.kill(os.getpid(), signal.SIGKILL))
            self.project.run()

        code = in_child(killed)
        assert code in (0, -signal.SIGKILL)
        self.taken["and killed" if code else "and too short to be killed"] += 1
        self.is_current = code == 0
        self._learn()

    @invariant()
    def the_store_is_whole(self) -> None:
        assert fsck(self.project.data)[1] == []

    @invariant()
    def what_was_kept_reads_as_it_was(self) -> None:
        for version, table in self.kept.items():
            assert Snapshot.open(self.project.data / "split", version).table().equals(table)
        for name, version in self.tags.items():
            assert (self.project.data / "split" / name).resolve().name == version

    @invariant()
    def nothing_ever_moves(self) -> None:
        table = decisions(newest_ledger(self.project.data, "tiny"))
        now = dict(zip(table.column("id").to_pylist(), table.column("split").to_pylist(), strict=True))
        assert {one: now.get(one) for one in self.sides} == self.sides
        self.sides = now

    @invariant()
    def nothing_stands_on_two_sides(self) -> None:
        if (record := refs.newest(self.project.data, "split", "tiny")) is None:
            return
        table = Snapshot.open(self.project.data / "split", record.version).table(["id", "fields", "split"])
        sides: dict[str, str] = {}
        for row in table.to_pylist():
            (question,) = (field["value"] for field in row["fields"] if field["name"] == "instruction")
            asked = question.lower().removesuffix("?")
            assert sides.setdefault(asked, row["split"]) == row["split"]
            assert self.sides[row["id"]] == row["split"]

    def _write(self) -> None:
        lines = [json.dumps({"q": question, "a": answer}) + "\n" for question, answer in self.rows]
        (self.folder / "questions.jsonl").write_text("".join(lines), encoding="utf-8")
        self.is_current = False

    def _newest(self) -> dict[str, str]:
        stages = ("ingest", "dedupe", "format", "annotate", "split")
        found = {stage: refs.newest(self.project.data, stage, "tiny") for stage in stages}
        return {stage: record.version for stage, record in found.items() if record}

    def _learn(self) -> None:
        for path in refs.record_paths(self.project.data, "split", "tiny"):
            version = refs.read_record(path).version
            if version not in self.kept:
                try:
                    self.kept[version] = Snapshot.open(self.project.data / "split", version).table()
                except SnapshotError:
                    assert not (self.project.data / "split" / version).exists()  # gc took it


def run_machine(lives: int, steps: int, chance: int, phases: Sequence[Phase]) -> None:
    """Let so many machines live for so many steps each, chosen by a seed.

    Raises:
        AssertionError: The store was not what the model says; the steps that led there are in its notes.
    """
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    chosen = settings(
        max_examples=lives,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        phases=phases,
        suppress_health_check=checks,
    )
    run_state_machine_as_test(seed(chance)(StoreMachine), settings=chosen)


@pytest.mark.slow
def test_the_store_and_the_split_are_what_a_plain_dict_says():
    run_machine(3, 8, 7, [Phase.generate, Phase.shrink])

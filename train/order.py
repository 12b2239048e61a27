"""Which examples a step learns from: a function of seed, step and settings alone, so that a resumed run meets the same.

A task is dealt from one permutation after another, each of all its examples, so that after any number of passes no
example has been seen more than once oftener than its neighbours. A pass takes from each task as many as its weight
says, the fractions carried to the next pass, and mixes them:

    task_weights = { translate = 1.5 }, two of translate, three of others
    pass 0: t1 t0 t0 + three others       pass 1: t1 t0 t1 + three others
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

import numpy as np

from schemas import ConfigError, nearest

# Words in the seeds of streams, far above the number of any pass, so that no two draw alike.
_TASK, _REPLAY = 1 << 40, 1 << 41


@dataclass(frozen=True)
class Group:
    """Tasks that are learnt together.

    Attributes:
        tasks: Places of each task's examples, ascending, and how often a pass sees each of them.
    """

    tasks: tuple[tuple[np.ndarray, Fraction], ...]

    @property
    def size(self) -> Fraction:
        """Examples of a pass, on average."""
        return sum((weight * len(places) for places, weight in self.tasks), Fraction(0))

    def before(self, number: int) -> int:
        """Examples of all passes before the one of this number."""
        return sum(int(number * weight * len(places)) for places, weight in self.tasks)


@dataclass
class Order:
    """The order of a run.

    Attributes:
        batch_size: Units of each step.
        seed: Of every permutation.
        groups: Learnt one after another.
        ends: First step after each group; the last group goes on for ever.
        replay: First place and number of the documents of general text.
        replay_share: Share of all units that are such documents; a step has this many, rounded so that the sum over
            steps is never off by one.
    """

    batch_size: int
    seed: int
    groups: tuple[Group, ...]
    ends: tuple[int, ...] = ()
    replay: tuple[int, int] = (0, 0)
    replay_share: Fraction = Fraction(0)
    _kept: tuple[tuple[int, int], np.ndarray] | None = field(default=None, repr=False)

    def without(self, places: np.ndarray, steps: int) -> tuple["Order", int]:
        """Return the order of the same examples but those at some places, and its steps: fewer in proportion.

        A task that is then empty is left out, and so is a group of a sequence.
        """
        left = [
            Group(tuple((kept, weight) for all_, weight in group.tasks if len(kept := np.setdiff1d(all_, places))))
            for group in self.groups
        ]
        share = sum((group.size for group in left), Fraction(0)) / sum(
            (group.size for group in self.groups), Fraction(0)
        )
        groups = tuple(group for group in left if group.size)
        ends = [round(end * share) for end, group in zip(self.ends, left, strict=False) if group.size]
        new = max(len(groups), round(steps * share))
        return replace(self, groups=groups, ends=tuple(ends[: len(groups) - 1]), _kept=None), new

    def batch(self, step: int) -> list[int]:
        """Return the places of the examples of a step, counted from 0."""
        number = next((i for i, end in enumerate(self.ends) if step < end), len(self.groups) - 1)
        began = self.ends[number - 1] if number else 0
        start = self._learnt_before(step) - self._learnt_before(began)
        wanted = self._learnt_before(step + 1) - self._learnt_before(step)
        dealt = self._deal(number, start, wanted)
        if replayed := self.batch_size - wanted:
            first, n = self.replay
            at = self._replayed_before(step)
            dealt += (first + _stream(np.arange(n), at, at + replayed, (self.seed, _REPLAY))).tolist()
        return dealt

    def _replayed_before(self, step: int) -> int:
        return int(step * self.batch_size * self.replay_share)

    def _learnt_before(self, step: int) -> int:
        return step * self.batch_size - self._replayed_before(step)

    def _deal(self, number: int, start: int, wanted: int) -> list[int]:
        group, dealt = self.groups[number], list[int]()
        at = int(start / group.size)
        while len(dealt) < wanted:
            here = start + len(dealt) - group.before(at)
            one = self._pass(number, at)
            dealt += one[here : here + wanted - len(dealt)].tolist()
            at += 1
        return dealt

    def _pass(self, number: int, at: int) -> np.ndarray:
        """Return one pass over a group; the last is kept, since every step of it asks."""
        if self._kept is None or self._kept[0] != (number, at):
            parts = [
                _stream(
                    places, int(at * weight * len(places)), int((at + 1) * weight * len(places)),
                    (self.seed, _TASK, number, task),
                )
                for task, (places, weight) in enumerate(self.groups[number].tasks)
            ]  # fmt: skip
            # Sorted, so that a pass of weight 1 is a permutation of the data however it is cut into tasks.
            mixed = np.sort(np.concatenate(parts))
            order = np.random.default_rng([self.seed, at, number] if number else [self.seed, at])
            self._kept = (number, at), mixed[order.permutation(len(mixed))]
        return self._kept[1]


def plain(n: int, batch_size: int, seed: int) -> Order:
    """Return the order that sees n examples equally often, all in a fresh order each pass."""
    return Order(batch_size, seed, (Group(((np.arange(n), Fraction(1)),)),))


@dataclass(frozen=True)
class Wishes:
    """What a recipe asks of the order.

    Attributes:
        task_weights: How often a pass sees each example of a task; 1 if unnamed.
        sequence: Tasks learnt one after another; empty: all together.
        replay_share: Share of general text.
    """

    task_weights: Mapping[str, float] = field(default_factory=dict)
    sequence: Sequence[Sequence[str]] = ()
    replay_share: float = 0.0


def arrange(
    templates: Sequence[str], tasks: Mapping[str, str], wishes: Wishes, *,
    batch_size: int, epochs: float, max_steps: int | None, n_documents: int, seed: int,
) -> tuple[Order, int]:  # fmt: skip
    """Return the order of a run and its number of steps.

    Each group of a sequence has as many of the steps as it has of the examples, at least one.

    Args:
        templates: Name of the template of each example.
        tasks: What kind of task each template is. A wish may name a template or a kind; the template's counts more.
        wishes: What the recipe asks.
        batch_size: Units of a step, general text among them; less where there are fewer examples.
        epochs: Passes over the examples; general text comes on top.
        max_steps: Fewer steps, if that is fewer.
        n_documents: Documents of general text; they stand after the examples.
        seed: Of the order.

    Raises:
        ConfigError: A wish names what is not there, leaves a task out, names it twice, or leaves nothing to learn.
    """
    known = {name: tasks.get(name, name) for name in dict.fromkeys(templates)}
    weights = _weights(known, wishes.task_weights)
    labels = np.asarray(list(templates), dtype=object)
    groups = tuple(
        Group(tuple((np.flatnonzero(labels == name), weights[name]) for name in names if weights[name]))
        for names in _sequence(known, wishes.sequence)
    )
    if empty := [i for i, group in enumerate(groups, 1) if not group.size]:
        raise ConfigError(
            f"nothing of group {empty[0]} of tasks would be learnt: all of it weighs 0",
            where="[train] task_weights",
            fix="give one of its tasks a weight over 0, or leave the group out of `sequence`",
        )
    share, size = Fraction(str(wishes.replay_share)), sum((group.size for group in groups), Fraction(0))
    batch_size = min(batch_size, max(1, int(size / (1 - share))))
    steps = max(1, round(Fraction(str(epochs)) * size / (batch_size * (1 - share))))
    steps = min(steps, max_steps or steps)
    if steps < len(groups):
        raise ConfigError(
            f"{steps} steps are too few for {len(groups)} groups of tasks",
            where="[train] sequence",
            fix="raise epochs or max_steps, lower batch_size, or join groups",
        )
    return Order(batch_size, seed, groups, _ends(groups, steps), (len(templates), n_documents), share), steps


def _weights(known: Mapping[str, str], wished: Mapping[str, float]) -> dict[str, Fraction]:
    for name in wished:
        _check_known(name, known, "task_weights")
    found = {}
    for template, kind in known.items():
        weight = wished.get(template, wished.get(kind, 1.0))
        found[template] = Fraction(str(weight))
    return found


def _sequence(known: Mapping[str, str], wished: Sequence[Sequence[str]]) -> list[list[str]]:
    """Return the templates of each group; all together where nothing is wished."""
    if not wished:
        return [list(known)]
    named = [name for names in wished for name in names]
    for name in named:
        _check_known(name, known, "sequence")
    groups: list[list[str]] = [[] for _ in wished]
    forgotten = []
    for template, kind in known.items():
        # The template's own name counts more than what kind of task it is.
        sought = template if template in named else kind
        places = [i for i, names in enumerate(wished) if sought in names]
        if not places:
            forgotten.append(template)
        elif len(places) > 1 or named.count(sought) > 1:
            raise ConfigError(
                f"task {sought!r} is named twice",
                where="[train] sequence",
                fix="name each task once: what is learnt twice is what `epochs` is for",
            )
        else:
            groups[places[0]].append(template)
    if forgotten:
        raise ConfigError(
            f"the train side has examples of {', '.join(sorted(forgotten))}, which `sequence` leaves out",
            where="[train] sequence",
            fix="name every task of the train side; weight 0 in task_weights leaves one out",
        )
    if void := [i for i, names in enumerate(groups, 1) if not names]:
        raise ConfigError(
            f"group {void[0]} of `sequence` has no task",
            where="[train] sequence",
            fix="its tasks stand in other groups by the name of their template: leave the group out",
        )
    return groups


def _check_known(name: str, known: Mapping[str, str], setting: str) -> None:
    names = {*known, *known.values()}
    if name not in names:
        raise ConfigError(f"the train side has no task {name!r}", where=f"[train] {setting}", fix=nearest(name, names))


def _ends(groups: Sequence[Group], steps: int) -> tuple[int, ...]:
    """Return the first step after each group but the last, each group having at least one."""
    total, so_far, ends = sum((group.size for group in groups), Fraction(0)), Fraction(0), list[int]()
    for i, group in enumerate(groups[:-1]):
        so_far += group.size
        least, most = (ends[-1] if ends else 0) + 1, steps - (len(groups) - 1 - i)
        ends.append(min(max(round(steps * so_far / total), least), most))
    return tuple(ends)


def _stream(places: np.ndarray, start: int, end: int, seed: Sequence[int]) -> np.ndarray:
    """Return what stands at start..end of one permutation of `places` after another."""
    n, found = len(places), [np.empty(0, np.int64)]
    while start < end:
        number, at = divmod(start, n)
        found.append(places[np.random.default_rng([*seed, number]).permutation(n)[at : at + end - start]])
        start += len(found[-1])
    return np.concatenate(found)

"""What a fault test found, as one line of the table that `make test-faults` prints.

R1  SIGKILL at every store call of split      points 212   old 160, new 52   bad 0
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Line:
    """One kind of fault.

    Attributes:
        anchor: Number of the fault in the list, such as `R1`.
        what: What was done, in a few words.
        points: How many times it was injected, or how many inputs were given.
        outcomes: What came of it, by name; they add up to `points`.
        bad: Of these the damaged, lost, silently changed or executed; the whole run fails above 0.
        must_see: Outcomes that an injection which hits must show, each at least once: else it proves nothing.
        note: Peak memory, orderings, whatever else is worth a word.
    """

    anchor: str
    what: str
    points: int
    outcomes: Mapping[str, int]
    bad: int = 0
    must_see: tuple[str, ...] = ()
    note: str = ""
    problems: tuple[str, ...] = field(default=(), repr=False)

    @property
    def faults(self) -> list[str]:
        """Return what is wrong with this line, in sentences; none means it passed."""
        found = [f"{self.anchor} {self.what}: {self.bad} bad"] if self.bad else []
        if sum(self.outcomes.values()) != self.points:
            found.append(f"{self.anchor} {self.what}: outcomes do not add up to {self.points}")
        found += [
            f"{self.anchor} {self.what}: never seen: {one}, so the injections did not hit"
            for one in self.must_see
            if not self.outcomes.get(one)
        ]
        return [*found, *self.problems]

"""How long answers took, with idle time cut off by one stated rule.

Label Studio counts the seconds between opening a task and sending the answer, coffee included. An answer counts
for at most three times the median of its template, and never for more than ten minutes:

    20 s, 30 s, 40 s, 40 s, 50 s, 3000 s of one template: median 40 s, so the last counts for 120 s

Answers of one template are those under the same guideline; with fewer than `LEAST` of them only the ten minutes
hold. An answer that came without a time counts for that median (or the median of all), and is counted.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from schemas import Annotation

MOST_SECONDS = 600.0
MEDIANS = 3.0
LEAST = 5
RULE = f"an answer counts for at most {MEDIANS:g} times the median of its template and {MOST_SECONDS / 60:g} minutes"


@dataclass(frozen=True)
class WorkingTimes:
    """Seconds that count, by answer.

    Attributes:
        seconds: (key, created_at) of an answer to its seconds.
        n_cut: Answers whose time was cut.
        n_untimed: Answers that came without a time.
    """

    seconds: dict[tuple[str, str], float]
    n_cut: int
    n_untimed: int

    def of(self, answers: Iterable[Annotation]) -> float:
        """Return the seconds that some of the answers took together."""
        return sum(self.seconds[answer.key, answer.created_at] for answer in answers)

    @property
    def typical(self) -> float | None:
        """The median of all, in seconds; None without an answer."""
        return median(self.seconds.values()) if self.seconds else None


def working_times(answers: Sequence[Annotation]) -> WorkingTimes:
    """Return what each answer counts for; the medians are those of these answers.

    Times below 0 and others that are no time are taken as missing.
    """
    known: dict[str, list[float]] = defaultdict(list)
    for answer in answers:
        if (raw := _seconds(answer)) is not None:
            known[_template(answer)].append(raw)
    every = [min(raw, MOST_SECONDS) for times in known.values() for raw in times]
    medians = {template: median(times) for template, times in known.items() if len(times) >= LEAST}
    fallback = median(every) if every else 0.0
    seconds, n_cut, n_untimed = {}, 0, 0
    for answer in answers:
        middle = medians.get(_template(answer))
        most = MOST_SECONDS if middle is None else min(MOST_SECONDS, MEDIANS * middle)
        raw = _seconds(answer)
        n_untimed += raw is None
        n_cut += raw is not None and raw > most
        counted = (fallback if middle is None else middle) if raw is None else raw
        seconds[answer.key, answer.created_at] = min(counted, most)
    return WorkingTimes(seconds, n_cut, n_untimed)


def _seconds(answer: Annotation) -> float | None:
    raw = answer.lead_time_seconds
    # The second half is false for NaN and for infinity.
    return raw if raw is not None and 0 <= raw < float("inf") else None


def _template(answer: Annotation) -> str:
    return answer.guideline or answer.source or ""

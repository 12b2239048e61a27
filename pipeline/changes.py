"""What ingest changes in texts, as pairs of before and after; or would change, where a setting is off.

    "schÃ¶n, ann@example.org"   ->   Change("repaired", "f.jsonl:3", "text", "schÃ¶n, ann@...", "schön, ann@...")
                                     Change("email", "f.jsonl:3", "text", "schön, ann@example.org", "schön, [EMAIL]")

The sources are read again and the steps of `care` taken one by one, so nothing need be stored for this.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from pipeline import pii
from pipeline.care import take_care
from pipeline.examples import Examples
from pipeline.gathering import gather
from pipeline.ingest import Ingest
from pipeline.stage import Inputs

KINDS = ("normalized", "repaired", *pii.KINDS)
_CONTEXT = 40
_STEPS: tuple[tuple[str, Callable[[Examples], Counter[str]]], ...] = (
    ("normalized", lambda examples: take_care(examples, normalize=True, repair=False, personal="off")),
    ("repaired", lambda examples: take_care(examples, repair=True, personal="off")),
    ("redacted", lambda examples: take_care(examples, repair=False, personal="redact")),
)


@dataclass(frozen=True)
class Change:
    """One text changed.

    Attributes:
        kind: normalized, repaired, or what was redacted, such as email.
        origin: File and line.
        field: The field, or the turn's role, or meta.
        before: The text around what changes, cut.
        after: The same afterwards.
    """

    kind: str
    origin: str
    field: str
    before: str
    after: str


def changes_of(stage: Ingest, inputs: Inputs, kinds: Sequence[str], most: int) -> Iterator[Change]:
    """Yield at most so many changes of each kind, in order of source and row; reading stops when all have enough."""
    found: Counter[str] = Counter()
    for part in stage.parts({}, inputs):
        for batch in stage.read(part, inputs):
            examples, _, _ = gather(batch, inputs, stage.languages, stage.keep_languages)
            for change in _in_batch(examples):
                if change.kind in kinds and found[change.kind] < most:
                    found[change.kind] += 1
                    yield change
            if all(found[kind] >= most for kind in kinds):
                return


def _in_batch(examples: Examples) -> Iterator[Change]:
    origins = [plain[2] or "" for plain in examples.plain]
    places = [(origins[row], name) for row, name in zip(examples.value_owners(), examples.names, strict=True)]
    places += [(origins[row], role) for row, role in zip(examples.turn_owners(), examples.turns["role"], strict=True)]
    places += [(origin, "meta") for origin in origins]
    before = _texts(examples)
    for step, take in _STEPS:
        take(examples)
        after = _texts(examples)
        for (origin, field), old, new in zip(places, before, after, strict=True):
            if old == new:
                continue
            named = [step] if step != "redacted" else sorted({finding.kind for finding in pii.find_one(old)})
            for kind in named:
                yield Change(kind, origin, field, *_around(old, new))
        before = after


def _texts(examples: Examples) -> list[str]:
    return [*examples.values, *examples.turns["content"], *(meta or "" for meta in examples.meta)]


def _around(old: str, new: str) -> tuple[str, str]:
    """Return both texts from shortly before they differ until shortly after; line ends and odd signs as escapes."""
    shorter = min(len(old), len(new))
    start = next((at for at in range(shorter) if old[at] != new[at]), shorter)
    same = next((n for n in range(shorter - start) if old[-1 - n] != new[-1 - n]), shorter - start)
    left = max(start - _CONTEXT, 0)
    shown = []
    for text in (old, new):
        right = min(len(text) - same + _CONTEXT, len(text))
        cut = "".join(
            sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text[left:right]
        )
        shown.append(("..." if left else "") + cut + ("..." if right < len(text) else ""))
    return shown[0], shown[1]

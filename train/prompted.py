"""The arms that ask the base in another way, made ready: the prompts of each, or why there are none.

They are asked on the test side alone, where arms are compared; a causal base answers them, since a prompt of several
turns means nothing to other families.
"""

from collections.abc import Callable
from dataclasses import dataclass

from schemas import DataError, Template
from schemas.report import Arm
from train.advice import PROMPTED
from train.arms import Asked, Room, engineered, few_shot, read_rows, retrieved
from train.copy_floor import copies
from train.encode import Encoder
from train.exam import Side
from train.plan import Plan
from train.prepared import Prepared
from train.retrieval import Retrieval
from train.shots import Shots

# Long enough for any example: what fits is decided row by row.
_ANY_LENGTH = 1 << 40


@dataclass
class Prompts:
    """What the arms ask, and which of them are left out.

    Attributes:
        asked: Arm to its prompts of the test side.
        left_out: Arm to why it does not answer.
        notes: Arm to what is to be known of it.
    """

    asked: dict[Arm, Asked]
    left_out: dict[Arm, str]
    notes: dict[Arm, str]

    def drop(self, arm: Arm, error: Exception) -> None:
        """Note that an arm has failed; the others stand."""
        self.left_out[arm] = error.what if isinstance(error, DataError) else f"{type(error).__name__}: {error}"


def prompts_of(plan: Plan, prepared: Prepared, test: Side) -> Prompts:
    """Return what the prompted arms of the recipe ask, for the rows of a test side and in their order."""
    found = Prompts({}, {}, {})
    wanted = [arm for arm in PROMPTED if arm in plan.evaluate.arms]
    if wanted and prepared.base.family != "causal":
        for arm in wanted:
            found.left_out[arm] = "worked examples and instructions are for causal bases: others answer one text"
        return found
    places = {row["id"]: place for place, row in enumerate(test.rows)}
    rows = sorted(
        (row for row in read_rows(plan.split, "test") if row["id"] in places), key=lambda row: places[row["id"]]
    ) if wanted else []  # fmt: skip
    templates = {name: template for name, (template, _) in plan.templates.items()}
    k = plan.evaluate.shots
    candidates = plan.encode.model_copy(update={"shots": k})
    for arm in wanted:
        make: dict[Arm, Callable[[Room], Asked]] = {
            "few-shot": lambda room: few_shot(rows, Shots(plan.split, candidates), k, room),
            "retrieved": lambda room: retrieved(rows, Retrieval(plan.split, candidates), k, room),
            "engineered": lambda room: engineered(rows, templates, plan.evaluate.instructions, room),
        }
        try:
            asked = make[arm](_room(plan, prepared))
        except Exception as error:  # noqa: BLE001 - one arm that fails must not take the report with it
            found.drop(arm, error)
            continue
        found.asked[arm] = asked
        if asked.note:
            found.notes[arm] = asked.note
    return found


def copied(plan: Plan, side: Side, templates: dict[str, Template]) -> list[str]:
    """Return what the arm `copy` answers to each row of a side."""
    known = {row["id"]: row for row in read_rows(plan.split, side.name)}
    return copies([known[row["id"]] for row in side.rows], templates)


def _room(plan: Plan, prepared: Prepared) -> Room:
    where = f"[train] base = {prepared.base.name!r}"
    encoder = Encoder(prepared.base.tokenizer, _ANY_LENGTH, where, plan.encode.chat_template_kwargs)
    return Room(encoder, prepared.base.context, plan.settings.max_new_tokens)

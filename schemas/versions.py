"""Two data versions side by side: what changed in the data, and in the scores of one base trained on each."""

from pydantic import Field

from schemas.base import Strict
from schemas.example import Split, Status
from schemas.method import Method
from schemas.report import Comparison


class VersionRun(Strict):
    """One of the two runs."""

    run: str = Field(title="key of the run")
    data_version: str
    started_at: str
    n_test: int
    n_test_reviewed: int


class VersionDifference(Strict):
    """Scores of the second run minus those of the first, on the same rows."""

    template: str | None = Field(title="empty for all templates together")
    before: float = Field(title="mean of the first run")
    after: float = Field(title="mean of the second run")
    found: Comparison = Field(title="second minus first; both arms are called tuned")


class LeftOut(Strict):
    """Test rows that are not the same in both versions."""

    reason: str
    n: int = Field(ge=1)


class SideChange(Strict):
    """What became of one side of the split."""

    split: Split
    n_before: int
    n_after: int
    added: int
    removed: int
    prompt_edited: int = Field(title="rows with the same id and another prompt")
    answer_edited: int = Field(title="rows with the same id and another answer; both may be edited")
    status_changed: int


class StatusChange(Strict):
    """How many rows went from one review status to another, on whatever side."""

    before: Status
    after: Status
    n: int = Field(ge=1)


class Versions(Strict):
    """`compare-<run>.json`: the comparison of two runs of one base on two data versions."""

    recipe: str
    base: str
    method: Method
    a: VersionRun
    b: VersionRun
    n_same: int = Field(ge=1, title="test rows whose id, prompt, reference and metric are the same in both")
    left_out: list[LeftOut]
    differences: list[VersionDifference] = Field(title="score and NLL over all same rows")
    templates: list[VersionDifference] = Field(title="score by template, p-values adjusted for all of them")
    sides: list[SideChange]
    statuses: list[StatusChange]
    notes: list[str] = Field(title="what else differs between the runs and may have its part")
    verdict: str

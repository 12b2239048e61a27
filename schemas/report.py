"""What evaluation found, per example and per slice, in words an annotator uses."""

from typing import Literal, get_args

from pydantic import Field

from schemas.base import Strict
from schemas.example import Split
from schemas.method import Family, Method

Arm = Literal["majority", "nearest", "copy", "base", "few-shot", "retrieved", "engineered", "tuned"]
# From the least to the most effort; every table and figure keeps this order.
ARMS: tuple[Arm, ...] = get_args(Arm)
ARM_MEANINGS: dict[Arm, str] = {
    "majority": "the commonest train answer of the template",
    "nearest": "the answer of the train prompt that looks most alike",
    "copy": "the input, given back as it is",
    "base": "the base model, asked the same way, untrained on this data",
    "few-shot": "the base model, with worked examples from train in its prompt, the same for all",
    "retrieved": "the base model, with those worked examples from train that look most alike",
    "engineered": "the base model, with the template's guideline as its instruction",
    "tuned": "the model trained on this data",
}
# Beside the arms scores.parquet holds what models that have not seen a train row make of it.
ScoreArm = Literal[Arm, "held"]
Measure = Literal["score", "nll"]
# Whether more of it is better.
MORE_IS_BETTER: dict[Measure, bool] = {"score": True, "nll": False}


# Of a p-value: one in twenty of comparisons without a difference falls below.
SIGNIFICANT = 0.05
Reading = Literal["better", "unclear", "worse"]


def reading_of(low: float, high: float, *, more_is_better: bool) -> Reading:
    """Return what the interval of a difference allows to say: the whole of it must lie on one side of zero."""
    if low > 0:
        return "better" if more_is_better else "worse"
    if high < 0:
        return "worse" if more_is_better else "better"
    return "unclear"


class Score(Strict):
    """How one arm did on one example: one row of `scores.parquet`."""

    example: str = Field(title="id of the example")
    group: str = Field(title="the example's group; examples of one group are one observation")
    split: Split
    template: str
    source: str
    arm: ScoreArm = Field(title="who; `held`: models that have not seen this train row")
    metric: str = Field(title="the template's first metric, which `score` is")
    score: float | None = Field(title="0 to 1, 1 = as the reference; empty where the arm did not answer (train rows)")
    answer: str | None = Field(title="what the arm answered")
    nll: float | None = Field(
        title="negative log-likelihood of the reference, nats a token, stop token included; empty where an arm has none"
    )
    n_tokens: int = Field(ge=1, title="tokens of the reference, stop token included")
    doubt: float | None = Field(
        default=None, title="how firmly a model contradicts the reference at its worst token, nats, 0 or more"
    )
    # The next seven are empty where the arm did not answer; `train/behaviour.py` says how each is read.
    stopped: bool | None = Field(default=None, title="ended by its stop token; empty for arms that write no tokens")
    is_empty: bool | None = Field(default=None, title="nothing but blanks")
    repetition: float | None = Field(default=None, title="share of its runs of 4 words that stood in it before")
    length_ratio: float | None = Field(default=None, title="its words over the reference's")
    copied: float | None = Field(default=None, title="share of its runs of 4 words that stand in the prompt")
    same_language: bool | None = Field(default=None, title="as the reference; empty where it cannot be told")
    valid_format: bool | None = Field(default=None, title="JSON, or one of the labels; empty where neither is asked")


class Mean(Strict):
    """What one arm reached over the examples of a split."""

    arm: Arm
    score: float = Field(title="mean over examples of each template's first metric, 0 to 1")
    nll: float | None = Field(title="mean over examples of nats a token; empty for an arm that gives no likelihood")


class McNemar(Strict):
    """Where answers are right or wrong: groups in which one arm is right more often, and the exact test of them."""

    won: int = Field(ge=0, title="groups in which the better arm is right more often")
    lost: int = Field(ge=0, title="groups in which it is right less often")
    p: float = Field(ge=0, le=1, title="two-sided; each group counts once")
    one_row_a_group: bool = Field(title="whether this is McNemar's exact test, or the sign test over groups")


class Comparison(Strict):
    """A mean difference between two arms on the same examples, and what the data allow to say of it."""

    better: Arm
    than: Arm
    measure: Measure
    difference: float = Field(title="mean over examples of better minus than")
    low: float = Field(title="lower end of the 95 % interval, clustered by group")
    high: float
    n: int = Field(ge=0, title="examples compared")
    n_groups: int = Field(ge=0)
    p: float | None = Field(
        default=None, title="two-sided p-value of no difference; under 0.05 if the interval leaves 0 out"
    )
    adjusted_p: float | None = Field(default=None, title="p after Holm, over all slices it is shown with")
    detectable: float | None = Field(
        default=None, title="true difference that such a test finds four times in five; empty if all rows differ alike"
    )
    mcnemar: McNemar | None = Field(default=None, title="exact test, where every score is 0 or 1")

    @property
    def reading(self) -> Reading:
        """What the interval allows to say of the better arm."""
        return reading_of(self.low, self.high, more_is_better=MORE_IS_BETTER[self.measure])

    @property
    def adjusted_reading(self) -> Reading:
        """What may be said of it among the slices it is shown with; without an adjusted p, as of it alone."""
        return "unclear" if self.adjusted_p is not None and self.adjusted_p >= SIGNIFICANT else self.reading

    @property
    def holds(self) -> bool:
        """Whether the whole interval lies on the side that is better."""
        return self.reading == "better"


# Kinds of slices, in the order of the report.
SliceKind = Literal["template", "source", "length", "language", "annotator", "guideline", "status"]
SLICE_KINDS: tuple[SliceKind, ...] = get_args(SliceKind)


class Advice(Strict):
    """Whether tuning is worth it on these data, beside what needs no training; from the comparisons on score."""

    reading: Literal["worth", "as-well", "not-worth", "unknown"] = Field(
        title="worth: better than all; as-well: no evidence against at least one; not-worth: one is better"
    )
    words: str = Field(title="the same in one to three sentences")


class Slice(Strict):
    """A named part of a split, such as one template or one source, with each arm's means."""

    by: SliceKind
    value: str
    n: int = Field(ge=1)
    metric: str = Field(title="names of the metrics `score` is there")
    means: list[Mean]
    against_base: Comparison | None = Field(
        title="tuned against base on score, in this slice alone; empty without base"
    )
    held_out: bool = Field(default=False, title="a template or source that was never trained on: another task")


class Reviewed(Strict):
    """The headline figures again, on the examples that people have checked."""

    n: int = Field(ge=1)
    means: list[Mean]
    comparisons: list[Comparison]


class Forgetting(Strict):
    """What training did to text that has nothing to do with the data."""

    text: str = Field(title="the file whose held documents were read")
    n_documents: int = Field(ge=1)
    base_nll: float = Field(title="nats a token")
    tuned_nll: float
    low: float = Field(title="lower end of the 95 % interval of tuned minus base, mean over documents")
    high: float


class CurvePoint(Strict):
    """One reading of the training run."""

    step: int
    train_loss: float = Field(title="nats a token over the batches since the last reading")
    validation_nll: float | None = Field(title="nats a token; empty between evaluations")


class Sample(Strict):
    """One validation example with what the arms answered; test rows are never shown."""

    example: str
    template: str
    prompt: str
    reference: str
    answers: dict[Arm, str]
    scores: dict[Arm, float]


class DoubtfulRow(Strict):
    """One train answer that a model which has not seen it firmly contradicts."""

    example: str
    template: str
    origin: str = Field(title="file and line it came from")
    prompt: str
    reference: str
    answer: str | None = Field(title="what that model answers; empty if it was not asked")
    doubt: float = Field(ge=0, title="nats")


class Doubtful(Strict):
    """Likely mistakes in the train data."""

    n: int = Field(title="train answers that were judged")
    by_template: dict[str, tuple[int, int]] = Field(title="template to answers firmly contradicted, of how many")
    rows: list[DoubtfulRow] = Field(title="the firmest first")


class Model(Strict):
    """What was trained."""

    run: str = Field(title="key of the run")
    base: str
    method: Method
    family: Family = "causal"
    n_parameters: int
    n_trainable: int
    steps: int = Field(title="optimizer steps taken")
    best_step: int = Field(title="the step whose weights were kept: lowest validation NLL")
    train_seconds: float
    tokens_per_second: float = Field(title="tokens that were no padding, prompt and completion")


class GateResult(Strict):
    """What became of one gate of the recipe."""

    gate: str = Field(title="its name in [evaluate] gates")
    asked: float
    found: float | None = Field(title="the end of the interval that is asked; empty if nothing was measured")
    holds: bool
    words: str = Field(title="what was found, and by how much it fails")
    fix: str = Field(title="what to do; empty if it holds")


class Behaviour(Strict):
    """How one arm answers, right or wrong: means over the examples it answered."""

    arm: Arm | Literal["reference"] = Field(title="`reference`: the same of the references, as a yardstick")
    n: int = Field(ge=0, title="answers")
    stopped: float | None = Field(title="share that ended by the stop token; empty where no tokens were written")
    empty: float = Field(title="share that is blank")
    repetition: float = Field(title="mean share of an answer's runs of 4 words that stood in it before")
    length_ratio: float | None = Field(title="mean of an answer's words over its reference's")
    copied: float | None = Field(title="mean share of an answer's runs of 4 words that stand in its prompt")
    same_language: float | None = Field(title="share in the reference's language, of those where it can be told")
    n_language: int = Field(ge=0, title="answers whose language can be told")
    valid_format: float | None = Field(title="share that is JSON, or one of the labels, where that is asked")
    n_format: int = Field(ge=0, title="answers of which a format is asked")


class CorpusMetric(Strict):
    """One metric of one arm over all answers to a template's examples."""

    template: str
    arm: Arm
    metric: str
    value: float | None = Field(title="BLEU and chrF 0 to 100 as sacrebleu prints them, MCC -1 to 1, others 0 to 1")
    n: int = Field(ge=0, title="answers it is of")
    signature: str = Field(default="", title="how it was counted, where the library says so")


class ClassMetric(Strict):
    """How one arm does on one label."""

    template: str
    arm: Arm
    label: str
    n: int = Field(ge=0, title="examples whose reference it is")
    n_given: int = Field(ge=0, title="examples that the arm gave it to")
    precision: float
    recall: float
    f1: float


class Measures(Strict):
    """What the answers are like, and every metric that a template names."""

    behaviour: list[Behaviour]
    corpus: list[CorpusMetric]
    classes: list[ClassMetric]
    n_without_reference: dict[str, int] = Field(title="template to rows left out of its metrics, none if all have one")
    warnings: list[str] = Field(title="metrics and tasks that do not fit each other")


class Benchmark(Strict):
    """One figure of lm-eval before and after training."""

    task: str
    metric: str = Field(title="with lm-eval's filter, such as acc or exact_match,strip")
    n: int | None = Field(title="questions, where lm-eval says how many")
    more_is_better: bool = True
    base: float
    tuned: float
    low: float | None = Field(title="lower end of the 95 % interval of tuned minus base; empty without standard errors")
    high: float | None

    @property
    def reading(self) -> Reading:
        """What the interval allows to say of the tuned model; without one, nothing."""
        if self.low is None or self.high is None:
            return "unclear"
        return reading_of(self.low, self.high, more_is_better=self.more_is_better)


class Judged(Strict):
    """What a judging model made of the answers, with what its judgement is worth."""

    model: str
    failed: str = Field(default="", title="why there is no judgement; then all else is empty")
    n: int = Field(default=0, title="validation rows whose two answers differ and were compared both ways round")
    n_same: int = Field(default=0, title="rows whose two answers are the same: ties that nobody was asked about")
    n_tuned: int = Field(default=0, title="tuned was better both ways round")
    n_base: int = Field(default=0, title="base was better both ways round")
    n_turned: int = Field(default=0, title="the verdict followed the position: counted as ties")
    n_unread: int = Field(default=0, title="rows with a verdict that could not be read: left out")
    difference: float | None = Field(default=None, title="wins of tuned minus wins of base, a row, with same answers")
    low: float | None = Field(default=None, title="lower end of its 95 % interval, clustered by group")
    high: float | None = None
    n_checked: int = Field(default=0, title="validation rows with people's verdict that it was asked about too")
    n_checked_wrong: int = Field(default=0, title="how many of these people had found wrong and edited")
    agreement: float | None = Field(default=None, title="share of these where it says what people say")
    kappa: float | None = Field(default=None, title="Cohen's kappa with people; empty where they all say the same")
    worth: str = Field(default="", title="what that means, in a sentence")


class Report(Strict):
    """One evaluation of one model on one split of one data version."""

    recipe: str
    data_version: str
    split: Split
    n: int
    n_reviewed: int = Field(title="how many of these examples people have checked")
    n_train: int
    n_train_reviewed: int
    model: Model
    verdict: str = Field(title="one sentence; 'no evidence of improvement' is one")
    means: list[Mean]
    comparisons: list[Comparison]
    slices: list[Slice]
    forgetting: Forgetting | None = Field(title="empty for models that write no text of their own accord")
    curve: list[CurvePoint]
    samples: list[Sample]
    slices_left: dict[SliceKind, int] = Field(default={}, title="smaller slices of a kind that are not shown")
    reviewed: Reviewed | None = Field(default=None, title="on checked rows alone; empty if none or all are checked")
    gates: list[GateResult] = Field(default=[], title="what became of the recipe's gates when last looked at")
    measures: Measures | None = Field(default=None, title="empty in reports from before they were taken")
    benchmarks: list[Benchmark] = Field(default=[], title="figures of lm-eval before and after, if there are any")
    judge: Judged | None = Field(default=None, title="empty where no judge was asked for")
    doubtful: Doubtful | None = Field(default=None, title="empty where no models were trained for that")
    advice: Advice | None = Field(default=None, title="is tuning worth it here; empty in reports from before it was")
    left_out: dict[Arm, str] = Field(default={}, title="arms that were asked for and did not answer, and why")
    arm_notes: dict[Arm, str] = Field(default={}, title="what is to be known of how an arm was asked")
    external: str | None = Field(default=None, title="what was judged, where no run of ours trained it; else empty")
    notes: list[str] = Field(default=[], title="what limits this report, such as examples without an answer")

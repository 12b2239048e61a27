"""A report as one HTML page: no script, nothing loaded, and no text of the data or the model is ever markup.

Report(verdict="better than base", samples=[... "<script>alert(1)</script>" ...])  ->  a page that shows that text
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined

from pipeline.page import csp_hash, visible
from pipeline.word_diff import Piece, word_diff
from schemas.report import ARM_MEANINGS, ARMS, Comparison, DoubtfulRow, Forgetting, Measure, Reading, Report, Sample
from train.doubtful import MOST_CREDIBLE
from train.figure import Interval, arm_plot, curve, interval_plot, number, signed
from train.measures_view import measured
from train.methods import METHODS
from train.slices_page import slice_tables, tested

MAX_PROMPT_CHARS = 1_000
MAX_ANSWER_CHARS = 800
MAX_NAME_CHARS = 60
# Below this share of text in common, marks would be all one sees.
_NEAR = 0.4
_MEASURE_NAMES: dict[Measure, str] = {"score": "Score", "nll": "NLL"}


@dataclass(frozen=True)
class Cut:
    """A text short enough to look at, and how many characters were left out."""

    text: str
    n_left: int

    @classmethod
    def of(cls, text: str, most: int) -> "Cut":
        """Return the first `most` characters, made visible."""
        return cls(visible(text[:most]), max(0, len(text) - most))


@dataclass(frozen=True)
class Standing:
    """What all comparisons of the tuned model say together.

    Attributes:
        reading: `worse` if any is worse, else `better` if all hold, else `unclear`.
        badge: A few words.
        words: One or two sentences.
    """

    reading: Reading
    badge: str
    words: str

    @classmethod
    def of(cls, comparisons: Sequence[Comparison]) -> "Standing":
        """Read the comparisons whose better arm is the tuned one."""
        found = [(one, one.reading) for one in comparisons if one.better == "tuned"]
        if not found:
            return cls("unclear", "No evidence", "The trained model was compared with nothing.")
        total = len(found)
        worse, unclear = (
            [f"{one.than} ({_MEASURE_NAMES[one.measure]})" for one, reading in found if reading == wanted]
            for wanted in ("worse", "unclear")
        )
        interval = "the whole 95 % interval lies"
        if worse:
            told = f"Worse: in {_some(worse, total)} {interval} on the worse side: against {_joined(worse)}."
            return cls("worse", f"Worse in {len(worse)} of {total}", told)
        if unclear:
            told = (
                f"No evidence of improvement: in {_some(unclear, total)} the 95 % interval includes no difference "
                f"at all: against {_joined(unclear)}."
            )
            return cls("unclear", f"No evidence in {len(unclear)} of {total}", told)
        told = f"Better: in {_some(found, total)} {interval} on the better side."
        return cls("better", f"Better in {total} of {total}", told)


@dataclass(frozen=True)
class Checked:
    """How much of a side people have checked, in a sentence; `is_loud` where nobody has."""

    words: str
    is_loud: bool

    @classmethod
    def of(cls, side: str, n: int, n_reviewed: int) -> "Checked":
        """Say it for one side of the split."""
        noun = f"{side} example" if n == 1 else f"{side} examples"
        if n and not n_reviewed:
            whose = f"The one {noun} has not" if n == 1 else f"None of the {n:,} {noun} has"
            return cls(f"{whose} been checked by a person.", True)
        if n == n_reviewed:
            return cls(f"All {n:,} {noun} have been checked by people.", False)
        share = f"{max(1, 100 * n_reviewed // n)} %"  # rounded down: not all is never 100 %
        return cls(f"{n_reviewed:,} of the {n:,} {noun} ({share}) have been checked by people.", False)


def page(report: Report) -> str:
    """Return the page, whole: its style and its figures are in it."""
    by_measure = {measure: [one for one in report.comparisons if one.measure == measure] for measure in _MEASURE_NAMES}
    template = environment().get_template("page.html.jinja")
    return template.render(
        report=report,
        arms=[mean.arm for mean in report.means],
        meanings=ARM_MEANINGS,
        standing=Standing.of(report.comparisons),
        checked=Checked.of(report.split, report.n, report.n_reviewed),
        train_checked=Checked.of("train", report.n_train, report.n_train_reviewed),
        duration=duration(report.model.train_seconds),
        arm_figures={
            measure: arm_plot(report.means, measure, f"{name} of each arm") for measure, name in _MEASURE_NAMES.items()
        },
        interval_figures={
            measure: interval_plot([Interval.of(one) for one in found], f"{_MEASURE_NAMES[measure]}: differences")
            for measure, found in by_measure.items()
            if found
        },
        compared=_compared(report.comparisons),
        slices=slice_tables(report),
        tested=tested,
        curve=curve(report.curve, report.model.best_step, "Learning curve, nats a token"),
        forgetting=forgetting(report.forgetting),
        forgetting_figure=interval_plot([change(report.forgetting)], "Forgetting, nats a token")
        if report.forgetting
        else "",
        method=METHODS[report.model.method],
        doubtful=[_doubtful(one) for one in report.doubtful.rows] if report.doubtful else [],
        most_credible=MOST_CREDIBLE,
        n_doubtful=sum(firm for firm, _ in report.doubtful.by_template.values()) if report.doubtful else 0,
        samples=[_sample(one) for one in report.samples],
        measured=measured(report.measures),
    )


def change(found: Forgetting) -> Interval:
    """Return what training did to general text: NLL of tuned minus base."""
    return Interval("tuned minus base", found.tuned_nll - found.base_nll, found.low, found.high, more_is_better=False)


def forgetting(found: Forgetting | None) -> str:
    """Return forgetting in a sentence."""
    if found is None:
        return "Forgetting was not measured: a model of this family does not go on with a text of its own accord."
    match change(found).reading:
        case "worse":
            return "The model forgot: it explains text that has nothing to do with the data worse than its base did."
        case "better":
            return "Nothing was forgotten: text that has nothing to do with the data is explained better than before."
    return "No sign of forgetting: the interval includes no change at all."


def duration(seconds: float) -> str:
    """Return a duration in the one or two units that matter."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60:,} h {minutes % 60} min"


def report_style() -> str:
    """Return the style sheet of the report, for pages that look like it."""
    text = files("train").joinpath("page.html.jinja").read_text("utf-8")
    return text.partition("{% set style %}")[2].partition("{% endset %}")[0]


def environment() -> Environment:
    """Return what renders pages: every value is escaped, and texts that people wrote are made visible."""
    environment = Environment(
        loader=PackageLoader("train", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "csp_hash": csp_hash,
        "name": lambda text: _short(text, MAX_NAME_CHARS),
        "number": number,
        "signed": signed,
        "visible": visible,
        "whole": lambda count: f"{count:,}",
    }
    return environment


def _short(text: str, most: int) -> str:
    cut = Cut.of(text, most)
    return f"{cut.text}… ({cut.n_left:,} more characters)" if cut.n_left else cut.text


def _some(part: Sequence[object], total: int) -> str:
    if len(part) == total:
        return "the one comparison" if total == 1 else f"all {total} comparisons"
    return f"{len(part)} of {total} comparisons"


def _joined(names: Sequence[str]) -> str:
    return " and ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)


def _compared(comparisons: Sequence[Comparison]) -> str:
    """Return how many examples and groups stand behind the intervals, once where all have the same."""
    counts = sorted({(one.n, one.n_groups) for one in comparisons})
    return _joined([f"{n:,} examples in {n_groups:,} groups" for n, n_groups in counts]) if counts else ""


def _sample(one: Sample) -> dict[str, object]:
    """Return a sample's texts, cut: prompt and reference first, then the arms in their order."""
    reference = Cut.of(one.reference, MAX_ANSWER_CHARS)
    cuts = [(arm, Cut.of(one.answers[arm], MAX_ANSWER_CHARS)) for arm in ARMS if arm in one.answers]
    answers = [(arm, cut, one.scores.get(arm), _difference(reference.text, cut.text)) for arm, cut in cuts]
    return {
        "example": one.example,
        "template": one.template,
        "texts": [
            ("prompt", Cut.of(one.prompt, MAX_PROMPT_CHARS), None, []),
            ("reference", reference, None, []),
            *answers,
        ],
    }


def _doubtful(one: DoubtfulRow) -> tuple[str, list[tuple[str, Cut, None, list[Piece]]]]:
    """Return where a row stands and its texts, cut: prompt, reference, and what the model would have said."""
    reference = Cut.of(one.reference, MAX_ANSWER_CHARS)
    texts: list[tuple[str, Cut, None, list[Piece]]] = [
        ("prompt", Cut.of(one.prompt, MAX_PROMPT_CHARS), None, []),
        ("reference", reference, None, []),
    ]
    if one.answer is not None:
        answer = Cut.of(one.answer, MAX_ANSWER_CHARS)
        texts.append(("model", answer, None, _difference(reference.text, answer.text)))
    return f"{one.template} · {one.origin} · doubt {number(one.doubt)}", texts


def _difference(reference: str, answer: str) -> list[Piece]:
    """Return an answer word by word beside the reference; nothing if it is the same, or another text altogether."""
    pieces = word_diff(reference, answer)
    same = sum(len(piece.text) for piece in pieces if piece.kind == "same" and piece.text.strip())
    is_near = same >= _NEAR * max(len(reference), len(answer))
    return pieces if is_near and any(piece.kind != "same" for piece in pieces) else []

"""Every metric that a template names, over all answers of an arm at once, by the libraries people compare with.

template translate, metrics [chrf, bleu], 40 answers of `tuned`
    ->  chrf 41.2, chrf++ 38.9, bleu 17.0, each with sacrebleu's signature

An answer that was not given counts as none: the figures are of the examples that an arm answered. Means over examples
use `train.metrics`. A row whose reference is missing or blank is left out, and counted.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef, precision_recall_fscore_support

from schemas.report import Arm, ClassMetric, CorpusMetric
from train.behaviour import JSON_METRICS, LABEL_METRICS, is_json
from train.metrics import METRICS, fold, is_without_blanks, last_number, words

_NO_LABEL = -1  # all answers that are no label of the references
BLEU_WORDS = 4  # BLEU counts runs of up to so many words
MOST_UNSEEN = 0.5  # of the references that train never gives: beyond, they are free text and no labels
Texts = Sequence[str]


@dataclass
class Found:
    """What the metrics of one template came to.

    Attributes:
        metrics: Of each arm.
        classes: Of each arm and label, where the answers are labels.
        n_without_reference: Rows left out.
        warnings: Where metric and references do not fit.
    """

    metrics: list[CorpusMetric] = field(default_factory=list)
    classes: list[ClassMetric] = field(default_factory=list)
    n_without_reference: int = 0
    warnings: list[str] = field(default_factory=list)


def corpus_metrics(
    template: str,
    names: Sequence[str],
    references: Sequence[str | None],
    answers: Mapping[Arm, Sequence[str | None]],
    train_references: Sequence[str],
) -> Found:
    """Return every metric that a template names, for each arm, and what does not fit.

    Args:
        template: Its name.
        names: Its metrics.
        references: One a row.
        answers: Of each arm, one a row; None where it did not answer.
        train_references: Of the template's train rows: a label is one that these give.
    """
    there = [place for place, text in enumerate(references) if text is not None and text.strip()]
    wanted = [str(references[place]) for place in there]
    found = Found(n_without_reference=len(references) - len(there), warnings=misfits(template, names, wanted))
    are_labels = not _is_free_text(wanted, train_references)
    if wanted and not are_labels and set(names) & set(LABEL_METRICS):
        found.warnings.append(
            f"{template}: accuracy and F1 by class are for labels, but most references here are no train answer; "
            "there is no table by class, and token_f1 or rouge_l would say more"
        )
    for arm, given in answers.items():
        pairs = [
            (str(given[place]), text) for place, text in zip(there, wanted, strict=True) if given[place] is not None
        ]
        if not pairs:
            continue
        said, right = [one for one, _ in pairs], [other for _, other in pairs]
        for name, (value, signature) in _values(names, said, right).items():
            found.metrics.append(
                CorpusMetric(template=template, arm=arm, metric=name, value=value, n=len(said), signature=signature)
            )
        if are_labels and set(names) & set(LABEL_METRICS):
            found.classes += by_class(template, arm, said, right)
    return found


def bleu(answers: Texts, references: Texts) -> tuple[float, str]:
    """Return sacrebleu's corpus BLEU, 0 to 100, and its signature; by characters where most references need it."""
    by_characters = np.mean([is_without_blanks(text) for text in references]) > 0.5
    return _sacrebleu(BLEU(tokenize="char" if by_characters else "13a"), answers, references)


def chrf(answers: Texts, references: Texts) -> tuple[float, str]:
    """Return sacrebleu's corpus chrF2, 0 to 100, and its signature."""
    return _sacrebleu(CHRF(), answers, references)


def chrf_plus_plus(answers: Texts, references: Texts) -> tuple[float, str]:
    """Return sacrebleu's corpus chrF2++ (6 letters, 2 words), 0 to 100, and its signature."""
    return _sacrebleu(CHRF(word_order=2), answers, references)


def label_values(answers: Texts, references: Texts) -> dict[str, float]:
    """Return accuracy, macro-F1 over the references' labels, and Matthews' coefficient (Gorodkin 2004).

    By scikit-learn; labels are compared as `train.metrics` does. All answers that are no label of the references are
    one class more: never right, and in no mean.
    """
    said, right, labels = _numbered(answers, references)
    numbers = range(len(labels))
    return {
        "accuracy": float(accuracy_score(right, said)),
        "macro_f1": float(f1_score(right, said, labels=numbers, average="macro", zero_division=0)),
        "mcc": float(matthews_corrcoef(right, said)),
    }


def by_class(template: str, arm: Arm, answers: Texts, references: Texts) -> list[ClassMetric]:
    """Return precision, recall and F1 of each label of the references, the commonest first."""
    said, right, labels = _numbered(answers, references)
    table = precision_recall_fscore_support(right, said, labels=range(len(labels)), zero_division=0)
    given = Counter(said)
    rows = [
        ClassMetric(
            template=template, arm=arm, label=label, n=int(n), n_given=given[number], precision=float(p),
            recall=float(r), f1=float(f1),
        )
        for number, (label, p, r, f1, n) in enumerate(zip(labels, *table, strict=True))
    ]  # fmt: skip
    return sorted(rows, key=lambda row: (-row.n, row.label))


def misfits(template: str, names: Sequence[str], references: Texts) -> list[str]:
    """Return a sentence for each metric that the references do not fit; none without references."""
    total = len(references)

    def said(count: int, words_of_it: str) -> str:
        return f"{template}: {count:,} of {total:,} references {words_of_it}"

    found = []
    if "bleu" in names:
        apart = sum(map(is_without_blanks, references))
        short = sum(len(words(text)) < BLEU_WORDS for text in references)
        if short > total / 2:
            few = f"have fewer than {BLEU_WORDS} words, and BLEU counts runs of up to four; read chrF or exact_match"
            found.append(said(short, few))
        if 0 < apart < total:
            found.append(said(apart, "are in a script without blanks, and BLEU cuts all of them one way; read chrF"))
    named = " and ".join(name for name in names if name in JSON_METRICS)
    if named and (other := sum(not is_json(text) for text in references)):
        found.append(said(other, f"are no JSON; {named} count exact matches there"))
    if "number_match" in names and (other := sum(last_number(text) is None for text in references)):
        found.append(said(other, "hold no number; number_match counts exact matches there"))
    return found


def _values(names: Sequence[str], answers: Texts, references: Texts) -> dict[str, tuple[float | None, str]]:
    """Return value and signature by name, in the template's order."""
    corpus: dict[str, Callable[[Texts, Texts], tuple[float, str]]] = {"bleu": bleu, "chrf": chrf}
    found: dict[str, tuple[float | None, str]] = {}
    for name in names:
        if name in corpus:
            found[name] = corpus[name](answers, references)
            if name == "chrf":
                found["chrf++"] = chrf_plus_plus(answers, references)
        elif name in LABEL_METRICS:
            found |= {key: (value, "") for key, value in label_values(answers, references).items()}
        elif name in METRICS:
            pairs = zip(answers, references, strict=True)
            found[name] = (float(np.mean([METRICS[name](one, other) for one, other in pairs])), "")
    if set(names) & set(JSON_METRICS):
        found["json_valid"] = (float(np.mean([is_json(text) for text in answers])), "")
    # What lm-eval calls exact_match; every template has it, so that every template can be compared.
    same = [one.strip() == other.strip() for one, other in zip(answers, references, strict=True)]
    found["same_text"] = (float(np.mean(same)), "")
    return found


def _sacrebleu(metric: BLEU | CHRF, answers: Texts, references: Texts) -> tuple[float, str]:
    score = metric.corpus_score(list(answers), [list(references)])
    return float(score.score), str(metric.get_signature())


def _numbered(answers: Texts, references: Texts) -> tuple[list[int], list[int], list[str]]:
    """Return the number of each answer's and each reference's label, and the labels as they were first written."""
    numbers: dict[str, int] = {}
    labels: list[str] = []
    for text in references:
        if (folded := fold(text)) not in numbers:
            numbers[folded] = len(labels)
            labels.append(text.strip())
    right = [numbers[fold(text)] for text in references]
    return [numbers.get(fold(text), _NO_LABEL) for text in answers], right, labels


def _is_free_text(references: Texts, train_references: Sequence[str]) -> bool:
    seen = {fold(text) for text in train_references}
    return sum(fold(text) not in seen for text in references) > MOST_UNSEEN * len(references)

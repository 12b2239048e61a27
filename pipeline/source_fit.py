"""How well the rows of a source fit a template: what is missing, what is too long, what cannot be rendered.

1,000 rows, 12 of them over 2,048 tokens  ->  "12 of 1,000 rows (1.2 %) of source press have more than ..."
"""

from collections import Counter
from collections.abc import Callable, Iterator

from pipeline.renderer import Renderer
from pipeline.source_rows import Row, Rows
from pipeline.wording import RenderError
from schemas import ConfigError, Template


def fit_warnings(
    source: str, rows: Rows, templates: dict[str, Template], count: Callable[[str], int], max_tokens: int
) -> Iterator[ConfigError]:
    """Yield what the first rows of a source show, template by template.

    Args:
        source: Its name.
        rows: Its first rows as examples.
        templates: The templates to look at, by name.
        count: Counts the tokens of a text.
        max_tokens: The recipe's limit on prompt and response together.
    """
    n_bad = sum(rows.bad.values())
    total = len(rows.good) + n_bad
    for reason, n in rows.bad.most_common():
        what = f"{_share(n, total)} of source {source} cannot be taken ({reason}), first {rows.first[reason]}"
        yield ConfigError(
            what, where=f"source {source}", fix="mend the rows, `fields` of the source, or set optional: true"
        )
    for name, template in templates.items():
        mine = [row for row in rows.good if row.template == name]
        if not mine:
            continue
        for field, spec in template.fields.items():
            if spec.optional and not any(row.fields.get(field) for row in mine):
                what = f"none of the first {len(mine):,} rows of source {source} fills the optional field {field!r}"
                yield ConfigError(
                    what, where=f"template {name}", fix="name its column in the source's `fields`, or leave it"
                )
        if template.chat:
            texts = ["\n".join(turn["content"] or "" for turn in row.turns) for row in mine]
            failures: Counter[str] = Counter()
        else:
            texts, failures = _rendered(Renderer(template), mine)
        for detail, n in failures.most_common(3):
            what = f"{_share(n, len(mine))} of source {source} cannot be rendered: {detail}"
            yield ConfigError(what, where=f"template {name}", fix="mend the text, or the rows")
        lengths = [count(text) for text in texts]
        over = [length for length in lengths if length > max_tokens]
        if over:
            what = (
                f"{_share(len(over), len(mine))} of source {source} have more than max_tokens = {max_tokens:,} and "
                f"would be dropped; the longest has {max(over):,}"
            )
            yield ConfigError(
                what, where=f"template {name}", fix="raise [format] max_tokens, or shorten the text in the source"
            )


def _rendered(renderer: Renderer, rows: list[Row]) -> tuple[list[str], Counter[str]]:
    texts, failures = [], Counter[str]()
    for row in rows:
        try:
            made = renderer.render(row.fields, row.id)
        except RenderError as error:
            failures[str(error)] += 1
            continue
        texts.append(f"{made.system}{made.prompt}{made.response or ''}")
    return texts, failures


def _share(n: int, total: int) -> str:
    return f"{n:,} of the first {total:,} rows ({n / total:.1%})"

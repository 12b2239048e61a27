"""Rendering beside plain jinja2, in the same run: what a row costs, by whole columns and one by one.

    python tests/bench/template_speed.py

Plain jinja2 is an Environment without sandbox, strictness or limits, given the same texts and values. The built-in
templates go as the stage renders them (choice of the paraphrase included, which jinja2 is spared); then texts with
filters, loops and methods, which no column can join.
"""

import hashlib
import time
from collections.abc import Callable

import jinja2
import pyarrow as pa
from figures import tell

from pipeline.renderer import Renderer
from pipeline.rendering import render_rows
from pipeline.template import load_templates
from pipeline.wording import Wording
from schemas import Template

ROWS, ROUNDS, FAST = 8192, 15, 3
TEXTS = {
    "filters": "Title: {{ title|trim|upper }}\n{% if input %}Input: {{ input }}{% endif %}\n{{ instruction }}",
    "loop": "{% for line in document.splitlines() %}{{ loop.index }}. {{ line }}\n{% endfor %}",
    "loop over words": "{% for word in document.split(' ') %}{{ word|lower }}{% if not loop.last %}, {% endif %}{% endfor %}",
    "methods and set": "{% set words = document.split(' ') %}{{ words[0] }} to {{ words|last }}, {{ words|length }} words",
    "comparison": "{% if input == '2 and 3' %}{{ instruction|lower }}{% else %}{{ instruction|title }}{% endif %}",
    "slice": "{{ document[:40] }} ... {{ document[40:] }}",
}
VALUES = {
    "document": "The harbour bridge closed on Monday.\nRepairs take six weeks.\nUntil then, buses run by the old town.",
    "instruction": "Add the numbers.",
    "input": "2 and 3",
    "title": " The harbour bridge ",
}
FIELDS = pa.list_(pa.struct([("name", pa.string()), ("value", pa.string())]))


def microseconds(work: dict[str, Callable[[], object]], calls: int) -> dict[str, float]:
    """Return the least processor time of one call over rounds, the candidates taking turns: noise only adds."""
    times: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(ROUNDS):
        for name, run in work.items():
            start = time.process_time()
            run()
            times[name].append((time.process_time() - start) / calls * 1e6)
    return {name: min(some) for name, some in times.items()}


def built_in(template: Template, plain: jinja2.Environment) -> dict[str, float]:
    """Time a template over rows made from its examples."""
    examples = [example.fields for example in template.examples]
    rows = [{name: f"{value} {n}" for name, value in examples[n % len(examples)].items()} for n in range(ROWS)]
    names = [hashlib.md5(str(n).encode(), usedforsecurity=False).hexdigest() for n in range(ROWS)]
    ids = pa.array(names)
    fields = pa.array([[{"name": k, "value": v} for k, v in sorted(row.items())] for row in rows], FIELDS)
    renderer = Renderer(template)
    chosen = list(map(renderer.paraphrase_of, names))
    prompts = {key: plain.from_string(text) for key, text in template.prompts.items()}
    response = plain.from_string(template.response)
    blank = dict.fromkeys(template.fields, "")

    def ours() -> object:
        return render_rows(ids, fields, renderer)

    def theirs() -> object:
        pairs = zip(chosen, rows, strict=True)
        return [(prompts[key].render(blank | row), response.render(blank | row)) for key, row in pairs]

    return microseconds({"ours": ours, "jinja2": theirs}, ROWS)


def one_text(text: str, plain: jinja2.Environment) -> dict[str, float]:
    """Time a text that no column can join."""
    mine, other, calls = Wording(text, "here"), plain.from_string(text), 2000
    if mine.render(VALUES) != other.render(VALUES).strip():
        raise SystemExit(f"not the same text: {text}")

    def ours() -> object:
        return [mine.render(VALUES) for _ in range(calls)]

    def theirs() -> object:
        return [other.render(VALUES) for _ in range(calls)]

    return microseconds({"ours": ours, "jinja2": theirs}, calls)


def main() -> None:
    plain = jinja2.Environment(trim_blocks=True, lstrip_blocks=True)
    print(f"{'built-in template':<24}{'ours':>9}{'jinja2':>9}   µs a row, times as fast")
    times = []
    for name, (template, _) in load_templates([]).items():
        if not template.chat:
            found = built_in(template, plain)
            times.append(found)
            print(f"{name:<24}{found['ours']:>9.2f}{found['jinja2']:>9.2f}   {found['jinja2'] / found['ours']:.1f}")
    ours, theirs = ([one[who] for one in times] for who in ("ours", "jinja2"))
    tell("microseconds a row, built-in templates", ours, "µs", peer="jinja2", theirs=theirs, better="less")
    fast = sum(one["jinja2"] / one["ours"] >= FAST for one in times)
    tell(f"built-in templates at least {FAST} times as fast", fast, of=len(times))
    print(f"\n{'text with':<24}{'ours':>9}{'jinja2':>9}   µs a text, times as fast")
    for name, text in TEXTS.items():
        found = one_text(text, plain)
        print(f"{name:<24}{found['ours']:>9.2f}{found['jinja2']:>9.2f}   {found['jinja2'] / found['ours']:.2f}")
        what = f"microseconds a text with {name}"
        tell(what, found["ours"], "µs", peer="jinja2", theirs=found["jinja2"], better="less")


if __name__ == "__main__":
    main()

"""How much of promptsource is taken over, and whether it renders as promptsource itself would.

    python tests/bench/promptsource_import.py [FOLDER] [--choose-first] [--rows 24] [--show] [--by-rule]

FOLDER holds promptsource's templates. Beside each text of ours stands the rendering by promptsource's own package, in
an environment of its own. With `--by-rule` or `--choose-first` its rule is followed here instead: plain Jinja2, answer
choices and text rendered with a lenient environment, cut at |||, each piece stripped, ||| in a value hidden meanwhile. Rows are made up from the columns each text reads, some with blank space, braces,
|||, or right-to-left text in their values. Asserts nothing.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from figures import tell
from jinja2 import BaseLoader, Environment, TemplateError, UndefinedError

from pipeline.promptsource_file import Foreign, promptsource_files, read_promptsource
from pipeline.promptsource_import import Made, Refused, Taken, make_templates, take
from pipeline.promptsource_parser import RefusedError
from pipeline.promptsource_rows import made_rows
from pipeline.renderer import Renderer
from pipeline.wording import RenderError

PEERS = Path(__file__).parent / "peers"
PIPE = "3ed2dface8203c4c9dfb1a5dc58e41e0"
ODD = ("  {} ", "{}\n\n", "a ||| {}", "{{{{ {} }}}}", "שלום {}", "{} <|im_start|>", "{}\nline two\n  line three")


def environment(*, choose_first: bool = False) -> Environment:
    """Return promptsource's environment; `choice` takes the first where that was asked of the import too."""
    made = Environment(loader=BaseLoader, autoescape=False)
    made.globals.update(zip=zip)
    made.filters["choice"] = (lambda items: items[0]) if choose_first else random.choice

    def most_frequent(items: list[Any]) -> list[Any]:
        counts = Counter(items).most_common()
        return [item for item, n in counts if n == counts[0][1]]

    made.filters["most_frequent"] = most_frequent
    return made


def escaped(value: Any) -> Any:
    """Return a value with the separator hidden, as promptsource does by way of JSON."""
    if isinstance(value, str):
        return value.replace("|||", PIPE)
    if isinstance(value, list):
        return [escaped(item) for item in value]
    return {key: escaped(item) for key, item in value.items()} if isinstance(value, dict) else value


class Rule:
    """Promptsource's rule, followed here."""

    def __init__(self, *, choose_first: bool) -> None:
        self._jinja = environment(choose_first=choose_first)

    def pieces(self, foreign: Foreign, row: dict[str, Any]) -> list[str]:
        """Return the stripped pieces of the rendering, or what was wrong as the only one."""
        try:
            return self._pieces(foreign, row)
        except (TemplateError, TypeError, ValueError, LookupError, ArithmeticError, AttributeError) as error:
            return [f"{error}"]

    def _pieces(self, foreign: Foreign, row: dict[str, Any]) -> list[str]:
        hidden = escaped(row)
        if foreign.choices:
            try:
                listed = self._jinja.from_string(foreign.choices).render(**hidden)
            except UndefinedError:
                listed = ""  # choices that the text does not use, of columns that were not made up
            hidden["answer_choices"] = [piece.strip().replace(PIPE, "|||") for piece in listed.split("|||")]
            hidden["answer_choices"] = escaped(hidden["answer_choices"])
        else:
            hidden["answer_choices"] = None
        whole = self._jinja.from_string(foreign.jinja).render(**hidden)
        return [piece.strip().replace(PIPE, "|||") for piece in whole.split("|||")]


class Package:
    """Promptsource's own package, in a process of its own."""

    def __init__(self, python: Path) -> None:
        words = [str(python), str(PEERS / "run_promptsource.py")]
        self._child = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )

    def pieces(self, foreign: Foreign, row: dict[str, Any]) -> list[str]:
        """Return the pieces of the rendering, or what was wrong as the only one."""
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._child.stdin.write(json.dumps({"jinja": foreign.jinja, "choices": foreign.choices, "row": row}) + "\n")
        self._child.stdin.flush()
        said = json.loads(self._child.stdout.readline())
        return said["pieces"] if "pieces" in said else [said["error"]]


def python_with_promptsource() -> Path:
    """Return the Python of an environment that has the package, made first if it is not there."""
    made = subprocess.run(
        [sys.executable, str(PEERS / "venv.py"), "promptsource"], capture_output=True, text=True, check=True
    )
    return Path(made.stdout.split()[-1])


def odd(value: Any, place: int) -> Any:
    """Return a value whose texts are unusual."""
    if isinstance(value, str) and value:
        return ODD[place % len(ODD)].format(value)
    if isinstance(value, dict):
        return {key: odd(item, place) for key, item in value.items()}
    return value


def rows_for(taken: Taken, most: int) -> Iterator[dict[str, Any]]:
    """Yield made-up rows, spread over all there are, then some with unusual texts."""
    made = list(made_rows(taken.columns))
    step = max(1, len(made) // most)
    chosen = made[::step][:most]
    yield from chosen
    for place, row in enumerate(islice(chosen, len(ODD))):
        yield {key: odd(value, place) for key, value in row.items()}


def outcome(
    one: Taken, renderer: Renderer, paraphrase: str, row: dict[str, Any], peer: Rule | Package
) -> tuple[str, Any]:
    """Return how the two renderings of a row compare, in a word, and both."""
    pieces = peer.pieces(one.foreign, row)
    pair = tuple(pieces) if len(pieces) == 2 and all(pieces) else None
    fields = {key: text for key, text in one.fields_of(row).items() if text}
    try:
        made = renderer.render_as(fields, paraphrase)
        ours = (made.prompt, made.response) if made.response else None
    except RenderError as error:
        if pair is None:
            return "neither", (pieces, str(error))
        return "only theirs", (pair, str(error))
    if pair is None and ours is None:
        return "neither", (pieces, ours)
    if pair is None:
        return "only ours", (pieces, ours)
    if ours is None:
        return "only theirs", (pair, ours)
    return ("equal" if pair == ours else "different"), (pair, ours)


def main() -> None:
    """Print the shares, the reasons and the comparison."""
    parser = argparse.ArgumentParser()
    shared = Path(os.environ.get("TUNELOOP_SHARED", Path(__file__).resolve().parents[3] / "shared" / "data"))
    parser.add_argument("folder", type=Path, nargs="?", default=shared / "promptsource" / "templates")
    parser.add_argument("--choose-first", action="store_true")
    parser.add_argument("--rows", type=int, default=24)
    parser.add_argument("--show", action="store_true")
    parser.add_argument("--by-rule", action="store_true")
    options = parser.parse_args()
    by_rule = options.by_rule or options.choose_first
    peer = Rule(choose_first=options.choose_first) if by_rule else Package(python_with_promptsource())
    began = time.monotonic()
    files = promptsource_files(options.folder)
    reasons: Counter[str] = Counter()
    told: Counter[str] = Counter()
    shown: dict[str, list[Any]] = defaultdict(list)
    n_all = n_taken = n_files = n_whole = n_made = n_clean = 0
    seconds = 0.0
    for file in files:
        foreign, taken, good = read_promptsource(file), [], 0
        start = time.monotonic()
        for one in foreign:
            try:
                taken.append(take(one, choose_first=options.choose_first))
            except RefusedError as error:
                reasons[error.reason] += 1
        results = list(make_templates(taken, set()))
        seconds += time.monotonic() - start
        for made in results:
            if isinstance(made, Refused):
                reasons[made.reason] += 1
                continue
            n_made += 1
            good += len(made.taken)
            words = compare(made, peer, options.rows, shown)
            told.update(words)
            n_clean += sum(1 for paraphrase in made.taken if (paraphrase not in BAD))
            BAD.clear()
        n_all, n_taken = n_all + len(foreign), n_taken + good
        n_files, n_whole = n_files + bool(good), n_whole + (good == len(foreign) > 0)
    print(f"files: {n_files} of {len(files)} give a template ({n_files / len(files):.1%}), {n_whole} wholly")
    print(
        f"templates: {n_taken} of {n_all} taken over ({n_taken / n_all:.1%}), as {n_made} files of ours; {seconds:.0f} s"
    )
    for reason, n in reasons.most_common():
        print(f"  {n:5} refused: {reason}")
    print("beside " + ("promptsource's rule" if by_rule else "promptsource 0.2.3"))
    print(f"rows rendered by both: {told['equal']:,} equal, {told['different']:,} different")
    print(
        f"rows without a pair: {told['neither']:,} by both, {told['only theirs']:,} dropped by ours, {told['only ours']:,} by theirs"
    )
    print(f"templates without a different row: {n_clean} of {n_taken}; {time.monotonic() - began:.0f} s in all")
    peer_name = "promptsource's rule" if by_rule else "promptsource 0.2.3"
    tell("templates taken over", n_taken, of=n_all)
    tell("files that give a template", n_files, of=len(files))
    tell(f"rows rendered as by {peer_name}", told["equal"])
    tell(f"rows rendered otherwise than by {peer_name}", told["different"])
    tell("rows dropped by ours alone", told["only theirs"])
    tell(f"rows dropped by {peer_name} alone", told["only ours"])
    if options.show:
        for word, some in shown.items():
            for one in some[:12]:
                print(word, one)


BAD: set[str] = set()


def compare(made: Made, peer: Rule | Package, most: int, shown: dict[str, list[Any]]) -> Counter[str]:
    """Return how many rows compare how; paraphrases with a difference are added to `BAD`."""
    told: Counter[str] = Counter()
    renderer = Renderer(made.template)
    for paraphrase, one in made.taken.items():
        for row in rows_for(one, most):
            word, both = outcome(one, renderer, paraphrase, row, peer)
            told[word] += 1
            if word in ("different", "only ours"):
                BAD.add(paraphrase)
            if word not in ("equal", "neither"):
                shown[word].append((one.foreign.dataset, one.foreign.name, both))
    return told


if __name__ == "__main__":
    main()

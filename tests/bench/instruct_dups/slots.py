"""Makes the slot pairs of the duplicate benchmark from sentence patterns, slot words and rules.

Everything is drawn from a fixed seed: the same bytes come out each time.
"""

import argparse
import json
import random
import re
from collections.abc import Iterator
from pathlib import Path

from changes import Changes
from filling import HERE, Fields, Filler, Pattern, read_patterns, side

PER_HALF = 160
HALVES = ("open", "held")
RULE_KINDS = ("typo", "case", "punctuation", "spacing", "repeated_word", "politeness")
PAIR_KINDS = ("article", "inflection", "word_order", "synonym")
SAME = frozenset(RULE_KINDS + PAIR_KINDS)
OTHER = (
    "number",
    "operator",
    "unit",
    "negation",
    "antonym",
    "name",
    "language_swap",
    "role_swap",
    "content_word",
    "other_instruction",
    "other_answer",
    "shared_boilerplate",
    "shared_template",
)
ATTACHED = re.compile("file|attach|photo|picture|upload|[Tt]ext|[Cc]laim|Task:|Subject:")


def known_words(patterns: list[Pattern], words: dict[str, list[str]]) -> frozenset[str]:
    """Returns every word that patterns and slots spell right."""
    texts = [field for pattern in patterns for field in pattern.fields]
    texts += [word for some in words.values() for word in some]
    return frozenset(re.findall(r"\w+", " ".join(texts).lower()))


def prompt_of(made: Fields) -> str:
    """Returns the prompt of an example with case and spacing taken off."""
    return "".join((made["instruction"] + made["input"]).lower().split())


def with_background(pattern: Pattern, filler: Filler) -> tuple[str, str, str]:
    """Returns the fields of a pattern, one time in three with a passage in an input that is empty."""
    instruction, given, response = pattern.fields
    if given or ATTACHED.search(instruction) or filler.rng.random() > 0.33:
        return pattern.fields
    return instruction, "<lead> <passage>", response


def half_pairs(half: str) -> Iterator[dict[str, object]]:
    """Gives the pairs of a half, PER_HALF for each kind; no prompt of one pair is a prompt of another."""
    rng = random.Random(f"instruct-dups-{half}")
    filler = Filler(half, rng)
    base = read_patterns(HERE / "patterns" / f"base_{half}.txt")
    paired = [one for path in sorted((HERE / "patterns").glob(f"pairs_{half}_*.txt")) for one in read_patterns(path)]
    changes = Changes(filler, known_words(base + paired, filler.words), rng)
    seen: set[str] = set()
    for kind in (*RULE_KINDS, *PAIR_KINDS, *OTHER):
        patterns = base if kind in RULE_KINDS else [one for one in paired if one.kind == kind]
        change = getattr(changes, kind) if kind in RULE_KINDS else None
        numbered = 0
        for turn in range(PER_HALF * 60):
            if numbered == PER_HALF:
                break
            pattern = patterns[turn % len(patterns)]
            texts = filler.fill(pattern.language, with_background(pattern, filler))
            left, right = (side(texts, which, pattern.language) for which in (1, 2))
            if change:
                changed = change(left, pattern.language)
                if changed is None:
                    continue
                right = changed
            prompts = {prompt_of(left), prompt_of(right)}
            if prompts & seen or left == right:
                continue
            seen |= prompts
            numbered += 1
            yield {
                "id": f"{kind}-{pattern.language}-s-{half[0]}{numbered:03d}",
                "kind": kind,
                "language": pattern.language,
                "label": "duplicate" if kind in SAME else "different",
                "made": "slot",
                "half": half,
                "left": left,
                "right": right,
            }
        if numbered < PER_HALF:
            print(f"{half} {kind}: only {numbered} pairs")


def generate() -> list[dict[str, object]]:
    """Returns all slot pairs of both halves."""
    return [pair for half in HALVES for pair in half_pairs(half)]


def main() -> None:
    """Writes the slot pairs to the file the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", type=Path, required=True)
    lines = [json.dumps(pair, ensure_ascii=False) + "\n" for pair in generate()]
    parser.parse_args().to.write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()

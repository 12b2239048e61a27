"""Reads sentence patterns and slot words, and fills the slots with the words of one half."""

import ast
import operator
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
SLOT = re.compile(r"<([a-z_]+)(\d?)>")
DIFF = re.compile(r"\[\[(.*?)~(.*?)\]\]", re.DOTALL)
SUM = re.compile(r"=\{([0-9+*/(). -]+)\}")
OPERATIONS: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
}
VOWEL = re.compile(r"\b([Aa]) (?=(?:[aeioAEI]\w|umb|urb|hon(?:est|our)|OCaml))")
PLURALS = {
    "wolfs": "wolves",
    "foxs": "foxes",
    "mooses": "moose",
    "walruss": "walruses",
    "gooses": "geese",
    "compasss": "compasses",
}
FIELDS = ("instruction", "input", "response")
Fields = dict[str, str]


class Pattern(NamedTuple):
    """One sentence pattern: its kind, its language and its three fields."""

    kind: str
    language: str
    fields: tuple[str, str, str]


def read_patterns(path: Path) -> list[Pattern]:
    """Returns the patterns of a file; a line `# kind` names the kind of those below it."""
    kind, found = "", []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("# "):
            kind = line[2:].strip()
        elif line.strip():
            language, *parts = line.split(" ¦ ")
            instruction, given, response = (part.replace("\\n", "\n") for part in parts)
            found.append(Pattern(kind, language, (instruction, "" if given == "-" else given, response)))
    return found


def read_words(path: Path) -> dict[str, list[str]]:
    """Returns the slot words of a file, by `language.slot`."""
    lines = [line.partition(": ") for line in path.read_text(encoding="utf-8").splitlines() if ": " in line]
    return {name: [word.strip() for word in words.split(" ; ")] for name, _, words in lines}


def value(node: ast.expr) -> float:
    """Returns what an arithmetic expression comes to."""
    if isinstance(node, ast.BinOp):
        return OPERATIONS[type(node.op)](value(node.left), value(node.right))
    if isinstance(node, ast.UnaryOp):
        return -value(node.operand)
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return node.value
    raise ValueError(f"not arithmetic: {ast.dump(node)}")


def work_out(text: str) -> str:
    """Returns the text with each `={2+3}` replaced by its value."""

    def put(found: re.Match[str]) -> str:
        result = round(value(ast.parse(found[1], mode="eval").body), 2)
        return str(int(result) if result == int(result) else result)

    return SUM.sub(put, text)


def smooth(text: str, language: str) -> str:
    """Returns the text with articles, plurals and elisions made to fit the words that were put in."""
    if language in ("en", "code"):
        text = VOWEL.sub(r"\1n ", text)
        for wrong, right in PLURALS.items():
            text = text.replace(wrong, right)
    if language == "fr":
        text = re.sub(r"\b([Dd]|[Qq]u)e (?=[AEIOUÉ])", r"\1'", text)
        text = re.sub(r"\b([Ll])e (?=anglais|allemand|italien|espagnol|hindi)", r"\1'", text)
    return text


class Filler:
    """Fills the slots of patterns with the words of one half."""

    def __init__(self, half: str, rng: random.Random) -> None:
        self.rng = rng
        self.words = read_words(HERE / "patterns" / f"words_{half}.txt")
        odd = 1 if half == "held" else 0
        self.numbers = [n for n in range(22, 400) if n % 2 == odd and n % 10 != 0]
        self.small = [n for n in range(2, 20) if n % 2 == odd]

    def choices(self, language: str, slot: str) -> list[str]:
        """Returns the words a slot can take in a language."""
        if slot == "n":
            return [str(n) for n in self.numbers]
        if slot == "k":
            return [str(n) for n in self.small]
        return self.words.get(f"{language}.{slot}") or self.words[f"en.{slot}"]

    def passage(self, language: str) -> str:
        """Returns a passage of several sentences in a language."""
        bank = self.words.get(f"{language}.sentence") or self.words["en.sentence"]
        count = min(len(bank), self.rng.choice((2, 3, 4, 6, 7, 8, 9, 10, 12)))
        chosen = self.rng.sample(bank, count)
        joiner = "" if language == "zh" else " "
        return joiner.join(self.fill(language, (sentence,))[0] for sentence in chosen)

    def fill(self, language: str, texts: tuple[str, ...]) -> tuple[str, ...]:
        """Returns the texts with every slot filled: the same name gets the same word, others differ."""
        drawn: dict[str, str] = {}

        def put(found: re.Match[str]) -> str:
            if found[0] not in drawn:
                if found[1] == "passage":
                    drawn[found[0]] = self.passage(language)
                else:
                    taken = set(drawn.values())
                    left = [word for word in self.choices(language, found[1]) if word not in taken]
                    drawn[found[0]] = self.rng.choice(left)
            return drawn[found[0]]

        return tuple(SLOT.sub(put, text) for text in texts)


def side(texts: tuple[str, ...], which: int, language: str) -> Fields:
    """Returns the left (1) or right (2) example of filled texts."""
    return {
        name: smooth(work_out(DIFF.sub(lambda found: found[which], text)), language)
        for name, text in zip(FIELDS, texts, strict=True)
    }

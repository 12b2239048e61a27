"""The rules that make a harmless copy of an example: typing errors, capitals, marks, spaces, polite words."""

import random
import re

from filling import Fields, Filler

NEIGHBOURS = dict(zip("asdfghjklqwertyuiopzxcvbnm", "sdfghjklkwertyuiopoxcvbnmn", strict=True))
REAL_WORDS = frozenset(
    ["quite", "trial", "fiend", "fiends", "shot", "star", "angle", "form", "soar", "clan", "lean", "coarse", "diary"]
)


def typo_in(word: str, rng: random.Random) -> str:
    """Returns the word with one real typing error in its inside; its first letter stays."""
    at = rng.randrange(1, len(word) - 2)
    error = rng.choice(("swap", "double", "missing", "neighbour"))
    if error == "swap":
        swaps = [i for i in range(1, len(word) - 1) if word[i] != word[i + 1]]
        at = rng.choice(swaps)
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    if error == "missing":
        return word[:at] + word[at + 1 :]
    if error == "neighbour" and word[at] in NEIGHBOURS:
        return word[:at] + NEIGHBOURS[word[at]] + word[at + 1 :]
    return word[: at + 1] + word[at] + word[at + 1 :]


class Changes:
    """The rules that make a harmless copy of an example."""

    def __init__(self, filler: Filler, known: frozenset[str], rng: random.Random) -> None:
        self.filler = filler
        self.known = known
        self.rng = rng
        slots = ("var", "func", "table", "column", "word")
        self.identifiers = {word for slot in slots for word in filler.choices("code", slot)}

    def typo(self, made: Fields, language: str) -> Fields | None:
        """Returns the example with one or two misspelt words of its prompt; no error makes a known word."""
        if language == "zh":
            return self._homophone(made)
        words = [m for m in re.finditer(r"(?<![\w.@'’\"“„])[a-zà-ÿß]{5,}(?![\w(=])", made["instruction"])]
        words = [word for word in words if language != "code" or word[0] not in self.identifiers]
        if not words:
            return None
        text, count = made["instruction"], 0
        for found in sorted(
            self.rng.sample(words, min(len(words), self.rng.choice((1, 1, 1, 2)))), key=lambda m: -m.start()
        ):
            wrong = typo_in(found[0], self.rng)
            if wrong != found[0] and wrong not in self.known | REAL_WORDS:
                text, count = text[: found.start()] + wrong + text[found.end() :], count + 1
        return {**made, "instruction": text} if count else None

    def _homophone(self, made: Fields) -> Fields | None:
        pairs = [word.split("=") for word in self.filler.words["zh.homophone"]]
        fitting = [(right, wrong) for right, wrong in pairs if right in made["instruction"]]
        if not fitting:
            return None
        right, wrong = self.rng.choice(fitting)
        return {**made, "instruction": made["instruction"].replace(right, wrong, 1)}

    def case(self, made: Fields, language: str) -> Fields | None:
        """Returns the example with its instruction in other capitals."""
        if language == "zh":
            return None
        text = made["instruction"]
        way = self.rng.choice(("first", "word") if language == "code" else ("lower", "lower", "upper", "first", "word"))
        if way == "word":
            words = [word for word in re.findall(r"(?<!\w)[a-zà-ÿ]{4,}(?!\w)", text) if word not in self.identifiers]
            word = self.rng.choice(words) if words else text
            text = re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", word.capitalize(), text, count=1)
        else:
            text = {"lower": text.lower(), "upper": text.upper(), "first": text[0].lower() + text[1:]}[way]
        return {**made, "instruction": text} if text != made["instruction"] else None

    def punctuation(self, made: Fields, language: str) -> Fields | None:
        """Returns the example with other end marks, quotes or commas before 'and' in its instruction."""
        text = made["instruction"]
        end = {"zh": ("", "。", "！")}.get(language, ("", ".", "!", " ."))
        if text[-1] in "?？":
            marks = {"zh": ("", "?", "？？"), "fr": ("", "?", ".")}.get(language, ("", "??", ".", " ?"))
            text = text[:-1].rstrip() + self.rng.choice(marks)
        else:
            text = text.rstrip(".。!") + self.rng.choice(end)
        if self.rng.random() < 0.4:
            text = text.replace('"', "'").replace("“", '"').replace("”", '"').replace("„", '"').replace("« ", '"')
            text = text.replace(" »", '"').replace(", ", " ", 1)
        return {**made, "instruction": text} if text != made["instruction"] else None

    def spacing(self, made: Fields, language: str) -> Fields | None:
        """Returns the example with spaces or line breaks added around or between words."""
        text = made["instruction"]
        way = self.rng.choice(("double", "end", "start", "newline", "answer", "input"))
        if way == "double" and " " in text:
            at = self.rng.choice([i for i, letter in enumerate(text) if letter == " "])
            text = text[:at] + " " * self.rng.randint(1, 3) + text[at:]
        elif way == "start":
            text = self.rng.choice((" ", "\n", "  ")) + text
        elif way == "answer":
            return {**made, "response": made["response"] + self.rng.choice((" ", "\n", "\n\n"))}
        elif way == "input" and made["input"]:
            given = made["input"] + "\n"
            if language != "code":
                given = given.replace(". ", self.rng.choice((".  ", ".\n")))
            return {**made, "input": given}
        else:
            text += self.rng.choice((" ", "  ", "\n", "\n\n"))
        return {**made, "instruction": text}

    def repeated_word(self, made: Fields, language: str) -> Fields | None:
        """Returns the example with one small word of its instruction written twice."""
        small = self.filler.words.get(f"{language}.small", self.filler.words["en.small"])
        text = made["instruction"]
        if language == "zh":
            fitting = [word for word in small if word in text]
            word = self.rng.choice(fitting) if fitting else ""
            return {**made, "instruction": text.replace(word, word * 2, 1)} if word else None
        places = [m for m in re.finditer(r"(?<=\s)\w+(?=\s)", text) if m[0] in small]
        if not places:
            return None
        found = self.rng.choice(places)
        return {**made, "instruction": text[: found.end()] + " " + found[0] + text[found.end() :]}

    def politeness(self, made: Fields, language: str) -> Fields | None:
        """Returns the example with polite words before or after its instruction."""
        before = self.filler.words.get(f"{language}.before", self.filler.words["en.before"])
        after = self.filler.words.get(f"{language}.after", self.filler.words["en.after"])
        text = made["instruction"]
        asks = text[-1] in "?？" or text.startswith("请") or text.split()[0] in self.filler.choices("en", "person")
        way = self.rng.choice(("before", "before", "after", "both"))
        if way != "after":
            words = [word for word in before if word[-1] in "!.,！，:" or not asks]
            lead = self.rng.choice(words)
            keep = language in ("de", "zh") or text.split()[0][-1:] in ",'" or lead[-1] in "!."
            text = lead + ("" if language == "zh" else " ") + (text if keep else text[0].lower() + text[1:])
        if way != "before":
            text += ("" if language == "zh" else " ") + self.rng.choice(after)
        return {**made, "instruction": text}

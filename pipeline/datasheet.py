"""The datasheet: what only people can say of a data set, asked in `datasheet.toml` and told in the card.

    [people]                                   ->   ### The people
    # How were they paid?                           **How were they paid?** 18 euros an hour.
    pay = "18 euros an hour"

What is left empty is listed in the card, so that a reader sees what nobody has answered. After Gebru et al. (2021),
"Datasheets for Datasets".
"""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from schemas import ConfigError, nearest

FILE = "datasheet.toml"
QUESTIONS: dict[str, tuple[str, dict[str, str]]] = {
    "motivation": (
        "Why it was made",
        {
            "purpose": "What was the data set made for?",
            "makers": "Who made it, and who paid for it?",
        },
    ),
    "collection": (
        "How it was collected",
        {
            "how": "Where do the texts come from, and how and when were they collected?",
            "consent": "Did the people who wrote the texts, or whom they are about, agree? How can they object?",
        },
    ),
    "people": (
        "The people who checked it",
        {
            "who": "Who were the annotators: how many, how found, which languages and training?",
            "pay": "How were they paid, by whom, and how does that compare with the local minimum wage?",
        },
    ),
    "uses": (
        "Uses",
        {
            "intended": "What is it meant to be used for?",
            "avoid": "What should it not be used for?",
        },
    ),
    "limits": (
        "Known limits",
        {"known": "Which errors, gaps and biases are known?"},
    ),
    "contact": (
        "Contact",
        {
            "authors": "Who is to be named when it is cited? Names with commas between them.",
            "address": "Where can one write to with questions, corrections and requests to remove a text?",
        },
    ),
}


@dataclass(frozen=True)
class Datasheet:
    """The answers.

    Attributes:
        answers: `table.key` to answer, without the empty ones.
    """

    answers: dict[str, str]

    @property
    def blank(self) -> list[str]:
        """The questions nobody has answered, as `table.key`."""
        return [
            f"{table}.{key}" for table, (_, asked) in QUESTIONS.items() for key in asked if not self.has(table, key)
        ]

    @property
    def authors(self) -> list[str]:
        """Who is to be named."""
        return [name.strip() for name in self.answers.get("contact.authors", "").split(",") if name.strip()]

    def has(self, table: str, key: str) -> bool:
        """Return whether a question is answered."""
        return f"{table}.{key}" in self.answers

    def told(self) -> Iterator[str]:
        """Yield the answers in Markdown, then what is left open."""
        for table, (title, asked) in QUESTIONS.items():
            given = {key: question for key, question in asked.items() if self.has(table, key)}
            if given:
                yield f"### {title}"
                yield ""
            for key, question in given.items():
                yield f"**{question}** {self.answers[f'{table}.{key}']}"
                yield ""
        if self.blank:
            yield "Nobody has answered yet:"
            yield ""
            for table, (_, asked) in QUESTIONS.items():
                yield from (f"- {question}" for key, question in asked.items() if not self.has(table, key))
            yield ""


def template() -> str:
    """Return an empty datasheet."""
    lines = [
        "# What only people can say of this data. Answers go into the card of what you publish, word for word:",
        "# write nothing here that is not for everybody. What stays empty is listed there as not answered.",
    ]
    for table, (_, asked) in QUESTIONS.items():
        lines += ["", f"[{table}]"]
        for key, question in asked.items():
            lines += [f"# {question}", f'{key} = ""']
    return "\n".join(lines) + "\n"


def write_empty(path: Path) -> bool:
    """Write an empty datasheet and return True; leave a file that is there as it is and return False.

    Raises:
        ConfigError: The file cannot be written.
    """
    try:
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(template())
    except FileExistsError:
        return False
    except OSError as error:
        raise ConfigError(
            f"the datasheet cannot be written: {error.strerror}",
            where=str(path),
            fix="name a file you may write by `datasheet` under [publish]",
        ) from error
    return True


def read_datasheet(path: Path) -> Datasheet:
    """Return the answers in a file.

    Raises:
        ConfigError: The file is no TOML, or has unknown keys or answers that are no text; all at once.
    """
    try:
        tables = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"the datasheet cannot be read: {error}", where=str(path), fix="mend that line") from error
    answers: dict[str, str] = {}
    problems = []
    known = [f"{table}.{key}" for table, (_, asked) in QUESTIONS.items() for key in asked]
    for table, given in tables.items():
        for key, answer in given.items() if isinstance(given, dict) else [("", given)]:
            name = f"{table}.{key}".rstrip(".")
            if name not in known:
                problems.append(ConfigError(f"no question {name!r}", where=str(path), fix=nearest(name, known)))
            elif not isinstance(answer, str):
                problems.append(ConfigError(f"{name} is no text", where=str(path), fix="write it in quotes"))
            elif answer.strip():
                answers[name] = answer.strip()
    if problem := ConfigError.of(problems):
        raise problem
    return Datasheet(answers)

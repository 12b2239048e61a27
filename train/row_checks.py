"""What must hold of every example, or the run is stopped: each broken rule names the row and its cure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from schemas import SourceError


class Said(NamedTuple):
    """One turn to be learnt, without the token that stops it.

    Attributes:
        ids: Its tokens.
        text: What they were made from.
        back: What they read back as.
    """

    ids: list[int]
    text: str
    back: str


@dataclass(frozen=True)
class Rules:
    """The rules of one base.

    Attributes:
        max_length: Longest example in tokens.
        stop: The token that ends a turn, and its id.
        bos: The token that begins a text, and its id; None if there is none, or it is the stop token.
        shots: Worked examples in each prompt, for the cure.
    """

    max_length: int
    stop: tuple[str, int]
    bos: tuple[str, int] | None
    shots: int = 0

    def problems(self, name: str, ids: list[int], turns: Sequence[Said]) -> Iterator[SourceError]:
        """Yield what is wrong with one example.

        Args:
            name: What to call it.
            ids: All its tokens.
            turns: What of it is to be learnt.
        """
        if not all(turn.ids for turn in turns):
            yield SourceError(
                "no token to learn: the answer is empty once rendered",
                where=name,
                fix="mend or drop the row; an answer with a tool call needs a chat template that writes calls",
            )
        n, n_said = len(ids), sum(len(turn.ids) for turn in turns)
        if n > self.max_length:
            shots = "take fewer [encode] shots; or " if self.shots else ""
            yield SourceError(
                f"{n:,} tokens ({n_said:,} of them the answer) are more than max_length = {self.max_length:,}",
                where=name,
                fix=f"{shots}set [format] max_tokens so that longer rows are dropped and counted; "
                f"or max_length = {n}, if the base takes so many",
            )
        if self.bos and (n_begins := ids.count(self.bos[1])) > 1:
            yield SourceError(
                f"the prompt begins {n_begins} times ({self.bos[0]})",
                where=name,
                fix="the chat template writes this token more than once: name another in [encode] chat_template",
            )
        for turn in turns:
            if self.stop[1] in turn.ids:
                yield SourceError(
                    f"the answer holds {self.stop[0]}, the token that ends it, before its end",
                    where=name,
                    fix="this tokenizer writes some other text with that token; use another base, or mend the row",
                )
            if turn.back != turn.text and turn.back.removeprefix(" ") != turn.text.removeprefix(" "):
                yield SourceError(
                    f"the answer reads back differently: {turn.back[:60]!r} instead of {turn.text[:60]!r}",
                    where=name,
                    fix="this tokenizer cannot write the answer; use another base, or mend the row",
                )

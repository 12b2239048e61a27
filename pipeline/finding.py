"""What a doctor says: something was looked at, and here is the cure if it is not well.

    Finding(ok=False, what="torch missing", fix="run `make setup`")

It is printed as `BAD torch missing`, with the fix under it.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        ok: False means something will not work.
        what: A sentence.
        fix: One command or edit; empty where all is well. Where `ok`, something to think of.
    """

    ok: bool
    what: str
    fix: str = ""

    @property
    def mark(self) -> str:
        """The word a line begins with: `ok`, `see` for something to think of, `BAD`."""
        return "BAD" if not self.ok else "see" if self.fix else "ok "

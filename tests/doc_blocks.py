"""The command blocks of a page of Markdown, and what its invisible comments say of them.

A block of commands is an indented or fenced block whose first word is a program. Before it may stand

    <!-- not run: needs a GPU -->        the next block is not run, and why
    <!-- with Label Studio -->           the next block needs a server, and a setup before it too
    <!-- exit: 4 -->                     the next block ends with this code
    <!-- setup: cp a.toml my.toml -->    is run here; the reader has that already
    <!-- here: 9f3c = ls data/runs -->   from here on 9f3c stands for what this command prints
"""

import re
from dataclasses import dataclass
from pathlib import Path

PROGRAMS = (
    "make|tuneloop|python|python3|pip|cp|mv|rm|mkdir|cd|cat|kill|export|source|git|sudo|docker|accelerate|lm_eval|ssh|rsync|"
    r"systemctl|axolotl|trl|\.venv\S*/bin/\S+|eval|ls|head|tail|du|df|jq|ollama|pg_dump|aws"
)
COMMAND = re.compile(rf"^(?:[A-Z_]+=\S+ )*(?:{PROGRAMS})(?: |$)")
COMMENT = re.compile(r"<!--(.*?)-->", re.DOTALL)
DIRECTIVE = re.compile(r"(not run|exit|setup|here|with Label Studio)(?::\s*(.*))?$", re.DOTALL)


@dataclass(frozen=True)
class Block:
    """Commands that stand together.

    Attributes:
        line: Where its first command stands, from 1.
        script: The commands, for a shell.
        why_not: Why it is not run; empty if it is.
        needs_server: It is run only where there is a Label Studio.
        exit_code: What it ends with.
        hidden: It stands in a comment; readers do not see it.
        here: The text that stands for what the script prints, if that is what it is for.
    """

    line: int
    script: str
    why_not: str = ""
    needs_server: bool = False
    exit_code: int = 0
    hidden: bool = False
    here: str = ""

    @property
    def commands(self) -> list[str]:
        """The commands: lines but for comments, what goes on from the line before, and texts given to one."""
        script = re.sub(r"(<<'(\w+)').*?^\2$", r"\1", self.script, flags=re.DOTALL | re.MULTILINE)
        script = re.sub(r'"\n.*?\n"', '""', script, flags=re.DOTALL)
        lines = [line for line in script.replace("\\\n", " ").splitlines() if line.strip()]
        return [line for line in lines if not line.lstrip().startswith("#")]


def blocks_of(page: Path) -> list[Block]:
    """Return the command blocks of a page, top to bottom, hidden ones among them."""
    found: list[Block] = []
    about: dict[str, str] = {}
    for line, kind, text in _pieces(page.read_text("utf-8")):
        if kind == "code":
            if COMMAND.match(next(one for one in text.splitlines() if not one.startswith("#"))):
                found.append(
                    Block(
                        line, text, about.get("not run", ""), "with Label Studio" in about, int(about.get("exit", "0"))
                    )
                )
            about = {}
        elif said := DIRECTIVE.match(text):
            name, value = said[1], said[2] or ""
            if name == "setup":
                found.append(Block(line, value, needs_server="with Label Studio" in about, hidden=True))
            elif name == "here":
                here, _, script = value.partition(" = ")
                found.append(Block(line, script, hidden=True, here=here))
            else:
                about[name] = value
    return found


def _pieces(text: str) -> list[tuple[int, str, str]]:
    """Return (line, "comment" or "code", text) for each comment and each block of code, without its indent."""
    lines = text.splitlines()
    found: list[tuple[int, str, str]] = []
    at = 0
    while at < len(lines):
        line = lines[at]
        if line.lstrip().startswith("<!--"):
            whole = line
            start, indent = at, len(line) - len(line.lstrip())
            while "-->" not in whole and at + 1 < len(lines):
                at += 1
                whole += "\n" + lines[at][indent:]
            found += [(start + 1, "comment", one.strip()) for one in COMMENT.findall(whole)]
        elif line.lstrip().startswith("```"):
            start, is_shell = at + 1, line.strip()[3:] in ("sh", "bash", "shell", "console")
            at += 1
            while at < len(lines) and not lines[at].lstrip().startswith("```"):
                at += 1
            if is_shell:
                found.append((start + 1, "code", _dedented(lines[start:at])))
        elif re.match(r" {4,}\S", line) and (at == 0 or not lines[at - 1].strip()):
            start = at
            while at + 1 < len(lines) and (lines[at + 1].startswith("    ") or _goes_on(lines, at + 1)):
                at += 1
            found.append((start + 1, "code", _dedented(lines[start : at + 1])))
        at += 1
    return found


def _goes_on(lines: list[str], at: int) -> bool:
    """Return whether a blank line stands within an indented block."""
    return not lines[at].strip() and at + 1 < len(lines) and lines[at + 1].startswith("    ")


def _dedented(lines: list[str]) -> str:
    indent = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    return "\n".join(line[indent:] for line in lines)

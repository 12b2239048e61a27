"""S3: planted secrets in the environment, of which no file may hold one. S4: no network, and nobody who looks for it.

Both on one project's whole life in `secret_journey.py`, run in a network namespace that has the loopback alone.
"""

import base64
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from secret_journey import MARK, REACH, WORD
from table import Line

from tests.needles import files_with

ANCHORS = ("S3", "S4")
ROOT = Path(__file__).resolve().parents[2]
_JOURNEY = Path(__file__).with_name("secret_journey.py")
_ALONE = ["unshare", "--map-root-user", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
_BUG = 1


def run(share: float, seed: int) -> Iterator[Line]:
    """Give where a secret was found, and who looked for a network."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        words = [sys.executable, str(_JOURNEY), str(folder), str(share), str(seed)]
        cut = not subprocess.run([*_ALONE, "true"], capture_output=True, check=False).returncode
        done = subprocess.run(
            [*_ALONE, *words] if cut else words, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(done.stderr[-2000:])
        ended = json.loads((folder / "commands.json").read_text())
        yield _secrets(folder)
        yield _network(folder, ended, cut=cut)


def _secrets(folder: Path) -> Line:
    planted = folder / "project" / ".env"
    planted.unlink()
    # These hold what was planted on purpose: a recipe with a password, which is refused, and what was typed.
    (folder / "project" / "password.toml").unlink()
    (folder / "commands.json").unlink()
    n = sum(path.is_file() and not path.is_symlink() for path in folder.rglob("*"))
    found = files_with(folder, MARK)
    for shift in range(3):  # base64 of a text depends on how many letters stand before it
        found |= files_with(folder, base64.b64encode(b"x" * shift + MARK.encode())[4:-4].decode())
    control = files_with(folder, WORD)
    kinds = Counter(Path(one).suffix for one in control)
    problems = [f"S3 a secret stands in {one}" for one in sorted(found)]
    if not {".parquet", ".html"} <= kinds.keys():
        problems.append(f"S3 the search does not find a planted word: {sorted(control)[:5]}")
    return Line(
        "S3", "planted secrets, bytes of all files and unpacked", n, {"holds none": n - len(found), "holds a secret": len(found)},
        bad=len(found), must_see=("holds none",), note=f"a word that is no secret is found in {len(control)} files", problems=tuple(problems),
    )  # fmt: skip


def _network(folder: Path, ended: list[tuple[str, int, str]], *, cut: bool) -> Line:
    attempts = [line.split("\t") for line in (folder / "attempts.txt").read_text().splitlines()]
    control = [where for command, where in attempts if command == "control"]
    stray = [
        (command, where)
        for command, where in attempts
        if command != "control" and not any(one in command for one in REACH)
    ]
    codes = Counter("ended well" if not code else "ended with an error of ours" for _, code, _ in ended if code != _BUG)
    bugs = [(name, told) for name, code, told in ended if code == _BUG or code < 0]
    codes["traceback"] = len(bugs)
    problems = [f"S4 {command!r} looked for {where}" for command, where in stray]
    problems += [f"S4 {name!r} failed: {told[-300:]}" for name, told in bugs]
    problems += [] if control else ["S4 the hook does not see who calls out"]
    return Line(
        "S4", f"all commands, help and imports, {'in a namespace without network' if cut else 'behind a hook alone'}", len(ended), codes,
        bad=len(stray) + len(bugs), must_see=("ended well", "ended with an error of ours"),
        note=f"attempts to leave this machine 0 wanted, {len(stray)} seen; control seen {len(control)}", problems=tuple(problems[:20]),
    )  # fmt: skip

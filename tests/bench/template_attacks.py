"""Attacks on templates: how long each takes to be stopped, and what the slowest is told.

    python tests/bench/template_attacks.py FOLDER      # with ssti-payloads in it; default $TUNELOOP_SHARED

Each line of the payload lists is a template's text, and so is each bomb of tests/pipeline/test_sandbox.py; they are
rendered with fields of 900,000 and 50,000 characters, one after the other in one process, which goes on to the end.
"""

import importlib.util
import os
import resource
import sys
import time
from pathlib import Path

from figures import tell

from pipeline.wording import RenderError, Wording
from schemas import ConfigError

ROOT = Path(__file__).resolve().parents[2]
VALUES = {"a": "x" * 900_000, "b": "y" * 50_000}


def bombs() -> list[str]:
    spec = importlib.util.spec_from_file_location("bombs", ROOT / "tests" / "pipeline" / "test_sandbox.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return list(module.BOMBS)


def attempt(text: str) -> tuple[float, str]:
    start = time.perf_counter()
    try:
        said = f"gave {Wording(text, 'here').render(VALUES)[:40]!r}"
    except (ConfigError, RenderError) as error:
        said = f"{type(error).__name__}: {str(error).splitlines()[0]}"
    return time.perf_counter() - start, said


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("TUNELOOP_SHARED", ROOT.parent / "shared/data"))
    lists = [path for path in (folder / "ssti-payloads").rglob("*") if path.suffix == ".txt"]
    lines = sorted({line for path in lists for line in path.read_text("utf-8").splitlines() if line.strip()})
    for name, texts in (("payloads", lines), ("bombs", bombs())):
        found = {text: attempt(text) for text in texts}
        # A line without Jinja in it is plain text, and stays so.
        plain = sum(
            said.startswith("gave") for text, (_, said) in found.items() if "{{" not in text and "{%" not in text
        )
        gave = {
            text: said
            for text, (_, said) in found.items()
            if said.startswith("gave") and ("{{" in text or "{%" in text)
        }
        seconds = sorted(took for took, _ in found.values())
        print(
            f"{name}: {len(found)}, stopped {len(found) - plain - len(gave)}, plain text {plain}; slowest {seconds[-1]:.3f} s, all {sum(seconds):.1f} s"
        )
        tell(f"{name}: stopped, of those with Jinja in them", len(found) - plain - len(gave), of=len(found) - plain)
        tell(f"{name}: the slowest to be stopped", seconds[-1], "s")
        for text, said in gave.items():
            print(f"  {text!r} {said}")
        slowest = max(found, key=lambda text: found[text][0])
        print(f"  slowest: {slowest[:60]!r} -> {found[slowest][1][:160]}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory {peak:.0f} MB; the process lives")
    tell("peak memory", peak, "MB")


if __name__ == "__main__":
    main()

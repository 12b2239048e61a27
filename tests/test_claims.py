"""The list of what is claimed and measured: it holds every benchmark, and every figure that a page claims by a command."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BENCH = ROOT / "tests" / "bench"
sys.path.insert(0, str(BENCH))

import claims  # noqa: E402 - the scripts of tests/bench are no package
import figures  # noqa: E402
import page  # noqa: E402

LISTED = claims.read_claims()
PAGES = [ROOT / name for name in ("README.md", "DECISIONS.md")] + sorted((ROOT / "docs").glob("*.md"))


def script(command: str) -> str:
    """Return the file of tests/bench that a command runs, "" where it runs none."""
    module = re.match(r"python -m tests\.bench\.(\w+)", command)
    found = re.match(r"python tests/bench/([\w/]+\.py)", command)
    return f"{module[1]}.py" if module else found[1] if found else ""


def result(**changes: object) -> page.Result:
    settings: dict[str, object] = {
        "id": "sums", "command": "python tests/bench/sums.py", "began": "2026-01-02T03-04-05Z", "seconds": 7.0,
        "load_before": 0.1, "load_after": 1.2, "machine": "1 core", "commit": "abc", "problem": "",
        "figures": [figures.Figure("seconds", [2.0, 1.0, 4.0], "s", "abacus", [6.0], "less")],
    }  # fmt: skip
    return page.Result(**{**settings, **changes})


SUMS = claims.Claim(id="sums", says="sums", command="python tests/bench/sums.py", minutes=1, page="")


def test_every_command_of_the_readmes_table_of_figures_is_listed():
    rows = claims.readme_rows()
    assert len(rows) > 20
    assert set(rows) <= {claim.command for claim in LISTED.claim}


def test_every_claim_of_the_readme_has_its_row_there():
    rows = claims.readme_rows()
    gone = [claim.id for claim in LISTED.claim if claim.page == "README.md" and claim.command not in rows]
    assert not gone, "take these out of claims.toml, or give them another page"


@pytest.mark.parametrize("claim", [one for one in LISTED.claim if one.quote], ids=lambda claim: claim.id)
def test_what_another_page_claims_is_quoted_from_it(claim):
    assert " ".join(claim.quote.split()) in " ".join((ROOT / claim.page).read_text("utf-8").split())


def test_every_benchmark_that_a_page_names_is_listed():
    named = {
        script(command)
        for path in PAGES
        for command in re.findall(r"`(python (?:-m tests\.bench\.|tests/bench/)[^`]+)`", path.read_text("utf-8"))
    }
    listed = {script(claim.run or claim.command) for claim in LISTED.claim}
    assert named - {"peers/venv.py"} <= listed


def test_every_file_is_a_benchmark_or_a_part_and_is_there():
    run = {script(claim.run or claim.command) for claim in LISTED.claim}
    files = {path.name for path in BENCH.glob("*.py")}
    assert run - {"instruct_dups/score.py"} | set(LISTED.parts) == files, "list it in tests/bench/claims.toml"
    assert not run & set(LISTED.parts)
    assert all((BENCH / name).is_file() for name in run)


def test_ids_are_unique_and_every_need_is_one_that_can_be_looked_for():
    ids = [claim.id for claim in LISTED.claim]
    assert len(set(ids)) == len(ids)
    for claim in LISTED.claim:
        claims.lacks(claim)


@pytest.mark.parametrize("name", sorted({script(one.run or one.command) for one in LISTED.claim}))
def test_a_benchmark_tells_a_figure(name):
    # loop_gain prints through loop_turns, and real_training through sample_seconds too
    text = (BENCH / name).read_text("utf-8")
    assert "tell(" in text or "tell_found(" in text


def test_a_figure_is_read_as_it_was_told(tmp_path, monkeypatch):
    monkeypatch.setenv(figures.VARIABLE, str(tmp_path / "told"))
    figures.tell("seconds", [2.0, 1.0, 4.0], "s", peer="abacus", theirs=6.0, better="less")
    (figure,) = figures.read_figures(tmp_path / "told")
    assert figure == figures.Figure("seconds", [2.0, 1.0, 4.0], "s", "abacus", [6.0], "less")
    assert figure.ratio == 3.0  # 6 s of theirs over the median of 1, 2 and 4
    assert figures.shown(figure.ours, "s") == "2 s (1 to 4, 3 times)"


def test_a_benchmark_run_by_hand_tells_nobody(tmp_path, monkeypatch):
    monkeypatch.delenv(figures.VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    figures.tell("seconds", 2.0, "s")
    assert list(tmp_path.iterdir()) == []


def test_a_count_is_shown_out_of_how_many():
    assert figures.shown([25.0], "", 26) == "25 of 26"


def test_more_is_better_turns_the_ratio_round():
    assert figures.Figure("rows a second", [100.0], "", "abacus", [50.0], "more").ratio == 2.0
    assert figures.Figure("F1", [0.9], "", "abacus", [0.6]).ratio is None


def test_the_page_tells_figure_peer_ratio_date_load_and_command():
    text = page.page_of([SUMS], {"sums": result()}, {})
    assert "| seconds | 2 s (1 to 4, 3 times) | abacus 6 s | 3 |" in text
    assert "`python tests/bench/sums.py`, begun 2026-01-02T03-04-05Z, 7 s, load 0.1 before and 1.2 in the end" in text


def test_what_was_not_run_says_why_and_has_no_figure():
    text = page.page_of([SUMS], {}, {"sums": "takes about 4 h"})
    assert text.count("not run here: takes about 4 h") == 2
    assert "abacus" not in text


def test_what_failed_says_so():
    text = page.page_of([SUMS], {"sums": result(problem="ended with code 1: no sums", figures=[])}, {})
    assert text.count("ended with code 1: no sums") == 2


def test_a_failed_benchmark_is_told_on_the_page_and_ends_the_run_with_1(tmp_path):
    (tmp_path / "fails.py").write_text("print('so far')\nraise SystemExit('no rows')\n", encoding="utf-8")
    (tmp_path / "works.py").write_text("from figures import tell\n\ntell('sums', 3, 's')\n", encoding="utf-8")
    listed = "[parts]\n"
    for name in ("fails", "works", "takes-long"):
        minutes = 999 if name == "takes-long" else 1
        command = f"env PYTHONPATH={BENCH} python {tmp_path / name}.py"
        listed += f'[[claim]]\nid = "{name}"\nsays = "{name}"\nminutes = {minutes}\npage = ""\ncommand = "{command}"\n'
    (tmp_path / "claims.toml").write_text(listed, encoding="utf-8")
    options = {"--claims": "claims.toml", "--to": "results", "--page": "page.md"}
    words = [word for name, file in options.items() for word in (name, str(tmp_path / file))]
    done = subprocess.run([sys.executable, str(BENCH), *words], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "FAILED: fails" in done.stderr
    text = (tmp_path / "page.md").read_text("utf-8")
    assert "**failed**: ended with code 1: no rows" in text
    assert "| sums: 3 s |" in text
    assert "not run here: takes about 17 h, and was not asked for" in text
    (kept,) = (tmp_path / "results" / "works").glob("*.json")
    assert json.loads(kept.read_text("utf-8"))["figures"][0]["ours"] == [3.0]


def test_the_page_has_a_section_for_every_claim():
    sections = re.findall(r"^### (.+)$", (ROOT / "docs" / "benchmarks.md").read_text("utf-8"), re.MULTILINE)
    assert sections == [claim.id for claim in LISTED.claim], "write it anew: python tests/bench --minutes 0"

"""Pages to look through rows: every row is there, every link leads somewhere, and small groups are whole."""

import re

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.browse import browse
from pipeline.cli import run
from pipeline.facets import Facets, Part
from pipeline.figures import Scale, quantile


@pytest.fixture
def made(project, monkeypatch):
    monkeypatch.chdir(project.root)
    project.run()
    return project


def pages(folder):
    return {path.name: path.read_text("utf-8") for path in sorted(folder.glob("*.html"))}


def cards(text):
    return re.findall(r'<article class="row" id="(r\d+)">', text)


def test_every_row_kept_or_dropped_is_on_the_pages_and_every_link_leads_to_one(made, capsys):
    assert run(["browse", "--recipe", "tiny", "--to", "rows"]) == 0
    told = capsys.readouterr()
    assert told.out == "rows/index.html\n"
    assert told.err.startswith("13 of 13 rows on ")
    found = pages(made.root / "rows")
    assert cards(found["all.0001.html"]) == [f"r{n}" for n in range(13)]
    links = {(name, link) for name, text in found.items() for link in re.findall(r'href="([^"]+)"', text)}
    for name, link in links:
        page, _, anchor = link.partition("#")
        assert page in found, f"{name} links to {link}"
        assert not anchor or anchor in cards(found[page])


def test_a_dropped_row_leads_to_the_row_that_stays_in_its_place(made):
    run(["browse", "--recipe", "tiny", "--to", "rows"])
    found = pages(made.root / "rows")
    (reason,) = [text for name, text in found.items() if name.startswith("reason-") and "duplicate" in name]
    link, origin = re.search(r'<a href="(all[^"]+)">([^<]+)</a>', reason).groups()
    assert origin == "questions.jsonl:1"
    page, _, anchor = link.partition("#")
    card = found[page].partition(f'id="{anchor}"')[2].partition("</article>")[0]
    assert "questions.jsonl:1" in card
    assert "assistant" in card


def test_a_facet_holds_its_rows_only(made):
    run(["browse", "--recipe", "tiny", "--to", "rows"])
    found = pages(made.root / "rows")
    (notes,) = [text for name, text in found.items() if name.startswith("source-") and "notes" in name]
    assert len(cards(notes)) == 4
    assert "questions.jsonl" not in notes
    (conflict,) = [text for name, text in found.items() if name.startswith("mark-")]
    assert len(cards(conflict)) == 2


def test_dropped_rows_alone_one_stage_one_version_and_a_file_can_be_looked_at(made, capsys):
    record = made.outcomes["dedupe"].record
    for words, n in (
        (["--dropped"], 2),
        (["dedupe"], 12),
        (["dedupe", "--dropped"], 1),
        ([record.version[:10]], 12),
        ([f"data/split/{made.outcomes['split'].record.version}"], 11),
        (["data/split/latest-tiny"], 11),
        ([f"data/dedupe/dropped/{record.dropped[0].name}"], 1),
    ):
        assert run(["browse", *words, "--recipe", "tiny", "--to", "rows"]) == 0
        assert len(cards((made.root / "rows" / "all.0001.html").read_text("utf-8"))) == n, words
    capsys.readouterr()
    assert run(["browse", "format", "--dropped", "--recipe", "tiny", "--to", "rows"]) == 2
    assert "no row was dropped there" in capsys.readouterr().err
    pq.write_table(pa.table({"text": ["hi"]}), "other.parquet")
    assert run(["browse", "other.parquet"]) == 2
    assert "no stage of tuneloop wrote them" in capsys.readouterr().err


def test_few_rows_are_spread_over_the_groups_and_partners_come_along(made, capsys):
    assert run(["browse", "--recipe", "tiny", "--to", "rows", "-n", "8"]) == 0
    shown = int(re.match(r"(\d+) of 13", capsys.readouterr().err)[1])
    found = pages(made.root / "rows")
    assert 8 <= shown <= 9
    assert {name.partition("-")[0] for name in found} >= {"reason", "source", "split"}
    assert all(cards(text) for name, text in found.items() if name.startswith("reason-"))
    assert f"13 rows, {shown} of them on these pages" in found["index.html"]


def test_whichever_rows_are_chosen_a_dropped_one_leads_to_its_partner(made):
    for n in range(1, 13):
        run(["browse", "--recipe", "tiny", "--to", "rows", "-n", str(n)])
        everything = pages(made.root / "rows")["all.0001.html"]
        for anchor in re.findall(r'href="all.0001.html#(r\d+)"', everything):
            assert anchor in cards(everything), n
        assert ("dropped by dedupe" in everything) <= ('href="all.0001.html#' in everything), n


def test_a_second_run_replaces_the_first_and_a_folder_with_other_things_is_left_alone(made, capsys):
    run(["browse", "--recipe", "tiny", "--to", "rows"])
    before = set(pages(made.root / "rows"))
    run(["browse", "dedupe", "--dropped", "--recipe", "tiny", "--to", "rows"])
    assert all(name in before or "fate-1" in name for name in pages(made.root / "rows"))
    assert len(pages(made.root / "rows")) < len(before)
    capsys.readouterr()
    assert run(["browse", "--recipe", "tiny", "--to", "tokenizer"]) == 2
    assert "there is something else than pages of `tuneloop browse`" in capsys.readouterr().err
    assert [path.name for path in (made.root / "tokenizer").iterdir()] == ["tokenizer.json"]


def test_pages_hold_fifty_rows_and_lead_on_and_back(make_project, monkeypatch):
    project = make_project()
    words = ["amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "hazel", "inlet", "jetty"]
    lines = [f'{{"q": "How far is {one} from {other}?", "a": "{one} {other}"}}' for one in words for other in words]
    (project.root / "questions.jsonl").write_text("\n".join(lines[:60]) + "\n")
    monkeypatch.chdir(project.root)
    project.run(to="ingest")
    run(["browse", "ingest", "--recipe", "tiny", "--to", "rows"])
    found = pages(project.root / "rows")
    assert [len(cards(found[f"all.000{n}.html"])) for n in (1, 2)] == [50, 14]
    assert 'href="all.0002.html" rel="next"' in found["all.0001.html"]
    assert 'href="all.0001.html" rel="prev"' in found["all.0002.html"]
    assert "Rows 51 to 64 of 64" in found["all.0002.html"]


def test_texts_are_text_and_what_hides_is_written_out(make_project, monkeypatch):
    project = make_project()
    long = "word " * 1000
    project.replace("questions.jsonl", "Who wrote the play Hamlet?", f"<script>alert(1)</script>\\u202e {long}")
    monkeypatch.chdir(project.root)
    project.run(to="ingest")
    run(["browse", "ingest", "--recipe", "tiny", "--to", "rows"])
    text = (project.root / "rows" / "all.0001.html").read_text("utf-8")
    assert "<script" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;⟨U+202E⟩" in text
    assert re.search(r"<details><summary>[^\n]*5,027 characters", text)


def test_an_empty_snapshot_is_said_to_hold_no_rows(tmp_path):
    done = browse("nothing", [Part("split", dropped=False, paths=[])], tmp_path / "rows", 10)
    assert (done.rows, done.shown) == (0, 0)
    assert "0 rows" in (tmp_path / "rows" / "index.html").read_text("utf-8")


@given(st.lists(st.sampled_from("abcde"), min_size=1, max_size=200), st.integers(1, 50))
def test_of_many_rows_at_most_so_many_are_chosen_and_no_small_group_gives_way_to_a_large_one(templates, most):
    facets = Facets(n=len(templates))
    for name in sorted(set(templates)):
        facets.rows["template"][name] = [np.flatnonzero(np.array(templates) == name)]
    chosen = facets.chosen(most)
    assert len(chosen) == min(most, len(templates))
    assert sorted(set(chosen.tolist())) == chosen.tolist()
    taken = {name: sum(templates[at] == name for at in chosen.tolist()) for name in set(templates)}
    if len(taken) <= most:
        whole = [name for name in taken if taken[name] == templates.count(name)]
        cut = [taken[name] for name in taken if name not in whole]
        assert all(taken[name] <= max(cut, default=200) + 1 for name in whole)
        assert max(cut, default=0) - min(cut, default=0) <= 1


@given(st.lists(st.integers(0, 3000), min_size=1, max_size=60))
def test_every_row_is_in_one_bin_and_half_of_them_under_the_median(tokens):
    counts = np.bincount(tokens)
    scale = Scale.up_to(len(counts), 1024)
    bins = scale.binned(counts)
    assert sum(bins) == len(tokens)
    for low, high, n in zip(scale.edges, scale.edges[1:], bins, strict=False):
        assert n == sum(low <= one < high for one in tokens)
    assert quantile(counts, 0.5) == sorted(tokens)[(len(tokens) - 1) // 2]
    assert quantile(counts, 1) == max(tokens)

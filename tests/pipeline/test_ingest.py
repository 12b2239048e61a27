import gzip
import json
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.ingest import Ingest
from pipeline.stage import Place, Slice, State
from schemas import (
    ConfigError,
    Ingested,
    Quarantined,
    Review,
    SourceError,
    Template,
    TemplateField,
    WorkedExample,
    arrow_schema,
    dropped_schema,
)

ALPACA = {"instruction": "Add", "input": "2 3", "output": "5"}


def _template(name, chat=False, **fields):
    """instruction="prompt", input="prompt?" (optional), label="response:a,b" (choices)."""
    made = {}
    for field, text in fields.items():
        side, _, choices = text.partition(":")
        made[field] = TemplateField(
            side=side.rstrip("?"), about="a", optional=side.endswith("?"), choices=choices.split(",") if choices else []
        )
    rendered = {} if chat else {"prompts": {"plain": "x"}, "response": "y"}
    review = Review(question="Right?", error_types=["wrong"], guideline="Look.")
    examples = [WorkedExample(), WorkedExample()]
    return Template(
        name=name, task=f"{name}-task", about="a", license="CC0-1.0", chat=chat, fields=made,
        metrics=["exact_match"], review=review, examples=examples, **rendered,
    )  # fmt: skip


TEMPLATES = (
    _template("instruct", instruction="prompt", input="prompt?", response="response"),
    _template("renamed", task_text="prompt", reply="response"),
    _template("classify", text="prompt", label="response:yes,no"),
    _template("title", instruction="prompt", response="response"),
    _template("chat", chat=True, tools="prompt?"),
)


class _Project:
    """Files in a folder, and the stage run over them as the runner does it."""

    def __init__(self, root):
        self.root = root

    def write(self, name, content):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif name.endswith((".jsonl", ".jsonl.gz")) and isinstance(content, list):
            data = "".join(json.dumps(row) + "\n" for row in content).encode()
            path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        else:
            path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
        return name

    def place(self, templates=TEMPLATES):
        known = {template.name: (template, Path(template.name)) for template in templates}
        return Place("tiny", self.root, self.root / "data", known, (), (), self.root, {})

    def run(self, *sources, templates=TEMPLATES, **settings):
        """Return kept rows, dropped rows, counts and facts."""
        named = [{"name": f"s{i}", "template": "instruct"} | source for i, source in enumerate(sources)]
        stage = Ingest(sources=named, **settings)
        inputs = stage.inputs(self.place(templates))
        kept, dropped, counts = [], [], Counter()
        for part in stage.parts({}, inputs):
            for batch in stage.read(part, inputs):
                mapped = stage.map(batch, Slice(None, {}, inputs))
                assert mapped.kept.schema == arrow_schema(Ingested)
                assert mapped.dropped.schema == dropped_schema(Quarantined)
                assert batch.num_rows == mapped.kept.num_rows + mapped.dropped.num_rows
                kept += mapped.kept.to_pylist()
                dropped += mapped.dropped.to_pylist()
                counts.update(mapped.counts)
        return kept, dropped, counts, stage.check(None, inputs, counts, State())


@pytest.fixture
def project(tmp_path):
    return _Project(tmp_path)


def _fields(row):
    return {field["name"]: field["value"] for field in row["fields"]}


def test_a_row_becomes_an_example(project):
    project.write("raw/a.jsonl", [ALPACA | {"topic": "sums", "n": 3}])
    source = {"name": "alpaca", "path": "raw/a.jsonl", "keep": ["topic", "n"], "license": "CC0-1.0"}
    (row,), _, _, facts = project.run(source)
    assert _fields(row) == {"input": "2 3", "instruction": "Add", "response": "5"}
    assert [field["name"] for field in row["fields"]] == ["input", "instruction", "response"]
    assert (row["source"], row["origin"], row["license"]) == ("alpaca", "raw/a.jsonl:1", "CC0-1.0")
    assert (row["task"], row["template"], row["turns"], row["marks"]) == ("instruct-task", "instruct", [], [])
    assert row["meta"] == '{"n":3,"topic":"sums"}'
    assert facts["sources"]["alpaca"] == {
        "shapes": {"instruct": "alpaca"},
        "columns": {"instruct": {"instruction": "instruction", "input": "input", "response": "output"}},
        "kept": 1,
        "bad": 0,
        "to_write": 0,
    }


def test_every_format_gives_the_same_ids_and_its_own_places(project):
    rows = [ALPACA, {"instruction": "Say\nhi", "input": "", "output": "hi"}, ALPACA | {"output": "6"}]
    project.write("a.jsonl", rows)
    project.write("b.jsonl.gz", rows)
    project.write("c.json", rows)
    project.write("d.csv", 'instruction,input,output\nAdd,2 3,5\n"Say\nhi",,hi\nAdd,2 3,6\n')
    kept, _, _, _ = project.run(*({"path": name} for name in ("a.jsonl", "b.jsonl.gz", "c.json", "d.csv")))
    ids = [row["id"] for row in kept]
    assert ids == ids[:3] * 4
    assert len(set(ids[:3])) == 3
    places = [row["origin"].partition(":")[2] for row in kept]
    assert places == ["1", "2", "3", "1", "2", "3", "1", "2", "3", "2", "3", "5"]  # csv: after the header, 3 spans two


def test_bad_rows_are_kept_with_word_sentence_place_and_text(project):
    lines = [
        json.dumps(ALPACA),
        '{"instruction": "Add", "instruction": "Sub", "output": "5"}',
        "[1, 2]",
        '{"input": "2 3", "output": "5"}',
        '{"instruction": " ", "output": "5"}',
        '{"instruction": "Add", "output": null}',
    ]
    project.write("a.jsonl", "\n".join(lines).encode() + b'\n{"instruction": "caf\xe9", "output": "5"}\n')
    kept, dropped, counts, _ = project.run({"path": "a.jsonl"}, max_bad_share=1.0)
    assert (len(kept), counts["kept:s0"]) == (1, 1)
    assert [(row["origin"], row["reason"]) for row in dropped] == [
        ("a.jsonl:2", "malformed"),
        ("a.jsonl:3", "wrong_type"),
        ("a.jsonl:4", "missing_field"),
        ("a.jsonl:5", "empty_prompt"),
        ("a.jsonl:6", "empty_response"),
        ("a.jsonl:7", "undecodable"),
    ]
    assert dropped[0]["detail"] == "key 'instruction' stands twice in one object"
    assert (dropped[0]["raw"], dropped[0]["offset"], dropped[0]["id"]) == (lines[1], len(lines[0]) + 1, None)
    assert dropped[4]["id"] is not None  # its columns could be read
    assert "\\xe9" in dropped[5]["raw"]
    assert {row["partner_id"] for row in dropped} == {None}


def test_choices_are_held_to(project):
    project.write("a.jsonl", [{"text": "a", "label": "yes"}, {"text": "b", "label": "maybe"}])
    _, dropped, _, _ = project.run({"path": "a.jsonl", "template": "classify"}, max_bad_share=0.5)
    assert [(row["reason"], row["detail"]) for row in dropped] == [
        ("bad_choice", "label is 'maybe'; known names: no, yes")
    ]


def test_a_source_may_name_several_templates_and_bad_rows_count_for_each(project):
    project.write("a.jsonl", [{"instruction": "Add", "response": "5"}, {"instruction": "", "response": "6"}])
    source = {"path": "a.jsonl", "template": None, "templates": ["instruct", "title"]}
    kept, dropped, counts, _ = project.run(source, max_bad_share=0.5)
    assert [(row["origin"], row["template"]) for row in kept] == [("a.jsonl:1", "instruct"), ("a.jsonl:1", "title")]
    assert len({row["id"] for row in kept}) == 2
    assert (len(dropped), counts["bad:s0:empty_prompt"]) == (2, 2)


def test_rows_not_asked_for_are_dropped_and_are_not_bad(project):
    rows = [ALPACA | {"split": split, "ok": ok} for split, ok in (("train", True), ("dev", True), ("train", False))]
    project.write("a.jsonl", rows)
    source = {"path": "a.jsonl", "where": {"split": ["train", "x"], "ok": True}}
    kept, dropped, counts, _ = project.run(source, max_bad_share=0.0)
    assert [row["origin"] for row in kept] == ["a.jsonl:1"]
    assert [(row["reason"], row["detail"]) for row in dropped] == [
        ("where", "column 'split' is 'dev'"),
        ("where", "column 'ok' is 'false'"),
    ]
    assert not any(name.startswith("bad:") for name in counts)


def test_a_where_that_nothing_meets_is_refused(project):
    project.write("a.jsonl", [ALPACA | {"split": "train"}])
    with pytest.raises(SourceError, match="no row has split = 'dev'"):
        project.run({"path": "a.jsonl", "where": {"split": "dev"}})


def test_a_limit_counts_rows_over_all_files_and_makes_one_part(project):
    for name in ("a.jsonl", "b.jsonl", "c.jsonl"):
        project.write(f"raw/{name}", [ALPACA, ALPACA])
    kept, _, _, _ = project.run({"path": "raw", "limit": 3})
    assert [row["origin"] for row in kept] == ["raw/a.jsonl:1", "raw/a.jsonl:2", "raw/b.jsonl:1"]


def test_more_than_a_batch_of_rows_comes_out_whole_and_in_order(project):
    project.write("a.jsonl", [ALPACA | {"input": str(i)} for i in range(20_000)])
    kept, _, _, _ = project.run({"path": "a.jsonl"})
    assert [_fields(row)["input"] for row in kept] == [str(i) for i in range(20_000)]


def test_conversations_become_turns_and_tools_a_field(project):
    tools = [{"type": "function", "function": {"name": "add"}}]
    call = {"id": "c", "type": "function", "function": {"name": "add", "arguments": "{}"}}
    messages = [
        {"role": "user", "content": "2 + 2?"},
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "content": "4", "tool_call_id": "c"},
        {"role": "assistant", "content": "4", "weight": 1},
    ]
    project.write("a.jsonl", [{"messages": messages, "tools": tools}])
    (row,), _, _, facts = project.run({"path": "a.jsonl", "template": "chat"})
    assert [turn["role"] for turn in row["turns"]] == ["user", "assistant", "tool", "assistant"]
    assert json.loads(row["turns"][1]["tool_calls"]) == [call]
    assert row["turns"][3]["weight"] == 1.0
    assert json.loads(_fields(row)["tools"]) == tools
    assert facts["sources"]["s0"]["shapes"] == {"chat": "messages"}


def test_prompts_without_responses_wait_for_people(project):
    project.write("a.jsonl", [{"instruction": "Add", "input": "2 3"}])
    (row,), _, counts, _ = project.run({"path": "a.jsonl"})
    assert (_fields(row), counts["to_write:s0"]) == ({"input": "2 3", "instruction": "Add"}, 1)


def test_a_response_behind_the_first_rows_is_not_lost_in_silence(project):
    project.write("a.jsonl", [{"instruction": "Add"}] * 1000 + [{"instruction": "Add", "output": "5"}])
    _, dropped, _, _ = project.run({"path": "a.jsonl"})
    assert [(row["origin"], row["reason"]) for row in dropped] == [("a.jsonl:1001", "late_response")]


def test_empty_responses_stop_the_run_unless_people_are_to_write_them(project):
    project.write("a.jsonl", [ALPACA | {"output": ""}])
    with pytest.raises(SourceError) as refusal:
        project.run({"path": "a.jsonl"})
    assert refusal.value.fix == "if people are to write the responses, add to the source: to_write = true"
    kept, _, counts, _ = project.run({"path": "a.jsonl", "to_write": True})
    assert (len(kept), counts["to_write:s0"]) == (1, 1)


def test_too_many_bad_rows_stop_the_run_with_reasons_and_first_places(project):
    project.write("a.jsonl", "\n".join([json.dumps(ALPACA)] * 18 + ["{", '{"instruction": ""}']))
    project.write("b.jsonl", [ALPACA, {"instruction": "", "output": "x"}])
    project.run({"path": "a.jsonl"}, max_bad_share=0.1)  # 2 of 20 is not more than a tenth
    with pytest.raises(SourceError) as refusal:
        project.run({"path": "a.jsonl"}, {"path": "b.jsonl"}, max_bad_share=0.09)
    text = str(refusal.value)
    assert "2 of 20 rows are bad" in text
    assert "malformed 1 (first: a.jsonl:19: Expecting property name" in text
    assert "empty_prompt 1 (first: a.jsonl:20: column 'instruction' is empty)" in text
    assert "1 of 2 rows are bad: empty_prompt 1 (first: b.jsonl:2" in text
    assert "raise ingest.max_bad_share" in refusal.value.fix


def test_a_source_without_a_good_row_stops_the_run_whatever_the_share(project):
    project.write("a.jsonl", [{"instruction": "", "output": "x"}])
    with pytest.raises(SourceError, match="1 of 1 rows are bad"):
        project.run({"path": "a.jsonl"}, max_bad_share=1.0)


def test_problems_of_all_sources_are_told_at_once(project):
    project.write("a.jsonl", [ALPACA])
    with pytest.raises(ConfigError) as refusal:
        project.run(
            {"path": "gone.jsonl"}, {"path": "a.jsonl", "template": "instrct"}, {"path": "a.jsonl", "keep": ["x"]}
        )
    text = str(refusal.value)
    assert all(part in text for part in ("no file at 'gone.jsonl'", "did you mean 'instruct'?", "no column 'x'"))


def test_two_sources_of_one_name_are_refused_with_both():
    with pytest.raises(ValidationError, match=r"two sources are named 's': a\.jsonl and b\.jsonl"):
        Ingest(sources=[{"name": "s", "path": f"{name}.jsonl", "template": "instruct"} for name in "ab"])


def test_texts_are_marked_counted_and_changed_only_where_asked(project):
    row = ALPACA | {"input": "schÃ¶n", "output": "ann@example.org"}
    project.write("a.jsonl", [row])
    (found,), _, counts, _ = project.run({"path": "a.jsonl"})
    assert (found["marks"], _fields(found)["input"]) == (["mojibake", "pii:email"], "schÃ¶n")
    assert (counts["mojibake"], counts["pii:email"]) == (1, 1)
    (changed,), _, counts, _ = project.run({"path": "a.jsonl"}, repair=True, pii="redact")
    assert (_fields(changed)["input"], _fields(changed)["response"]) == ("schön", "[EMAIL]")
    assert (changed["marks"], counts["repaired"], changed["id"]) == (["pii:email"], 1, found["id"])


TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8).filter(str.strip)


@given(question=TEXT, answer=TEXT, other=TEXT)
def test_an_id_follows_the_mapped_words_and_nothing_else(tmp_path_factory, question, answer, other):
    project = _Project(tmp_path_factory.mktemp("ids"))
    project.write("a.jsonl", [{"q": question, "r": answer, "note": other}])
    project.write("deep/moved.jsonl", [{"note": "new", "r": answer, "q": question}])
    project.write("changed.jsonl", [{"q": question, "r": answer + other}])
    fields = {"instruction": "q", "response": "r"}

    def ids(**settings):
        care = {name: settings.pop(name) for name in ("repair", "pii") if name in settings}
        return [row["id"] for row in project.run({"path": "a.jsonl", "fields": fields} | settings, **care)[0]]

    assert ids() == ids(path="deep/moved.jsonl", license="MIT", name="other", keep=["note"])
    assert ids() == ids(constants={"input": "fixed"})
    assert ids() == ids(repair=True, pii="redact")
    assert ids() != ids(path="changed.jsonl")
    assert ids() != ids(template="title")
    swapped = _template("instruct", say="prompt", reply="response")  # the same template, its fields renamed
    renamed = project.run({"path": "a.jsonl", "fields": {"say": "q", "reply": "r"}}, templates=[swapped])[0]
    assert ids() == [row["id"] for row in renamed]


def test_with_a_key_changed_words_keep_their_id(project):
    project.write("a.jsonl", [ALPACA | {"ticket": 7}, ALPACA | {"ticket": 8}, ALPACA | {"ticket": None}])
    project.write("b.jsonl", [ALPACA | {"ticket": 7, "output": "mended"}])
    source = {"path": "a.jsonl", "key": "ticket"}
    kept, dropped, _, _ = project.run(source, max_bad_share=0.5)
    (mended,), _, _, _ = project.run(source | {"path": "b.jsonl"})
    assert (mended["id"] == kept[0]["id"], kept[0]["id"] == kept[1]["id"]) == (True, False)
    assert kept[0]["meta"] == '{"key":7}'
    assert [(row["reason"], row["detail"]) for row in dropped] == [
        ("missing_field", "the key column 'ticket' is empty")
    ]


def test_another_source_changes_no_part_of_the_first(project):
    project.write("a.jsonl", [ALPACA])
    project.write("b.jsonl", [ALPACA])

    def parts(*names, **settings):
        stage = Ingest(sources=[{"name": n, "path": f"{n}.jsonl", "template": "instruct"} for n in names], **settings)
        inputs = stage.inputs(project.place())
        return [(part.digest, stage.part_settings(part)) for part in stage.parts({}, inputs)]

    assert parts("a", "b")[0] == parts("a")[0]
    assert parts("a", max_bad_share=1.0) == parts("a")
    assert parts("a", pii="redact") != parts("a")
    assert parts("a")[0][0] == parts("b")[0][0]  # equal bytes come in
    assert parts("a")[0] != parts("b")[0]


def test_a_changed_wording_changes_no_declared_value(project):
    project.write("a.jsonl", [ALPACA])
    stage = Ingest(sources=[{"name": "a", "path": "a.jsonl", "template": "instruct"}])
    reworded = TEMPLATES[0].model_copy(update={"prompts": {"plain": "Do this: {{ instruction }}"}})
    assert stage.inputs(project.place([reworded])).values == stage.inputs(project.place()).values


@given(data=st.binary(max_size=80))
def test_any_bytes_are_rows_or_a_refusal(tmp_path_factory, data):
    project = _Project(tmp_path_factory.mktemp("any"))
    for name in ("a.jsonl", "a.json", "a.csv"):
        project.write(name, data)
        # Any other error than these two is a bug, and fails the test.
        with suppress(ConfigError, SourceError):
            project.run({"path": name, "fields": {"instruction": "a"}}, max_bad_share=1.0)


@pytest.mark.shared
def test_naughty_strings_pass_unchanged(project, shared_data):
    strings = [s for s in json.loads((shared_data / "blns" / "blns.json").read_text("utf-8")) if s.strip()]
    project.write("a.jsonl", [{"instruction": s, "output": s} for s in strings])
    kept, dropped, _, _ = project.run({"path": "a.jsonl"})
    assert [_fields(row)["instruction"] for row in kept] == strings
    assert dropped == []


@pytest.mark.shared
def test_malformed_json_of_the_test_suite_never_becomes_an_example(project, shared_data):
    files = sorted((shared_data / "json-test-suite" / "test_parsing").glob("n_*"))
    good = json.dumps({"a": "é"}, ensure_ascii=False).encode() + b"\n"
    project.write("a.jsonl", good * 300 + b"\n".join(path.read_bytes() for path in files))
    source = {"path": "a.jsonl", "fields": {"instruction": "a"}}
    kept, dropped, _, _ = project.run(source, max_bad_share=1.0)
    assert len(kept) == 300
    assert {row["reason"] for row in dropped} == {"malformed", "undecodable", "wrong_type"}


NESTED = {"instruction": "instruction", "input": "instances.0.input", "response": "instances.0.output"}
REVISED = {"instruction": "Revised Instruction", "input": "Revised Input", "response": "Revised Response"}


@pytest.mark.shared
@pytest.mark.parametrize(
    ("path", "settings", "kept", "dropped"),
    [
        ("stanford_alpaca/*.json", {}, 5015, {"empty_response": 4}),
        ("gpteacher/Roleplay/*.json", {}, 1923, {}),
        ("gsm8k/train.jsonl", {}, 7473, {}),
        ("instruction-wild/data_v2", {}, 873, {"malformed": 5}),
        ("self-instruct/data/*.jsonl", {"fields": NESTED}, 175, {}),
        ("coachlm/Expert*.json", {"fields": REVISED}, 2299, {"empty_prompt": 1, "empty_response": 1}),
        ("sharegpt-format", {"template": "chat"}, 500, {}),
        ("llama-factory-demos/glaive_toolcall_zh_demo.json", {"template": "chat"}, 298, {"bad_turns": 2}),
    ],
)
def test_real_sources_are_read_as_they_are(shared_data, path, settings, kept, dropped):
    rows, gone, _, _ = _Project(shared_data).run({"path": path} | settings)
    assert (len(rows), Counter(row["reason"] for row in gone)) == (kept, dropped)


TEXTS = _template("title-of", document="prompt", title="response")


def test_every_text_file_of_a_folder_is_a_row(project):
    project.write("notes/a/one.txt", "The harbour.\n")
    project.write("notes/two.md", "\ufeffDer Hafen.")
    project.write("notes/bad.txt", b"caf\xe9")
    source = {"path": "notes", "template": "title-of", "fields": {"document": "text"}, "keep": ["name", "folder"]}
    kept, dropped, _, _ = project.run(source, templates=(TEXTS,), max_bad_share=0.5)
    assert [(_fields(row), row["origin"], row["meta"]) for row in kept] == [
        ({"document": "The harbour.\n"}, "notes/a/one.txt:1", '{"folder":"notes/a","name":"one.txt"}'),
        ({"document": "Der Hafen."}, "notes/two.md:1", '{"folder":"notes","name":"two.md"}'),
    ]
    assert [(row["reason"], row["origin"]) for row in dropped] == [("undecodable", "notes/bad.txt:1")]
    assert 'encoding = "cp1252"' in dropped[0]["detail"]


def test_a_readme_beside_data_is_no_row(project):
    project.write("raw/a.jsonl", [ALPACA])
    project.write("raw/README.md", "What this is.")
    kept, _, _, _ = project.run({"path": "raw"})
    assert [row["origin"] for row in kept] == ["raw/a.jsonl:1"]


def test_text_files_share_parts(project):
    for n in range(3):
        project.write(f"notes/{n}.txt", "x")
    stage = Ingest(sources=[{"name": "s", "path": "notes", "template": "title-of", "fields": {"document": "text"}}])
    assert len(stage.parts({}, stage.inputs(project.place((TEXTS,))))) == 1


MEND = """
def mend(row):
    if row["output"] == "drop":
        return None
    return {"instruction": row["instruction"].strip(), "output": row["output"]}
"""


def test_a_function_cleans_rows_before_anything_else(project):
    project.write("mend.py", MEND)
    project.write(
        "a.jsonl",
        [
            {"instruction": "  Add ", "output": "5"},
            {"instruction": "x", "output": "drop"},
            {"instruction": 7, "output": "5"},
        ],
    )
    source = {"path": "a.jsonl", "clean": "mend.py:mend"}
    kept, dropped, counts, _ = project.run(source, max_bad_share=0.5)
    assert [_fields(row) for row in kept] == [{"instruction": "Add", "response": "5"}]
    assert [(row["reason"], row["detail"]) for row in dropped] == [
        ("cleaned_out", "mend returned None"),
        ("clean_failed", "AttributeError: 'int' object has no attribute 'strip'"),
    ]
    assert counts == {"kept:s0": 1, "bad:s0:clean_failed": 1}  # cleaned_out was asked for
    # The id is that of the cleaned row.
    project.write("b.jsonl", [{"instruction": "Add", "output": "5"}])
    assert project.run({"path": "b.jsonl"})[0][0]["id"] == kept[0]["id"]


def test_another_function_makes_another_part(project):
    project.write("a.jsonl", [ALPACA])
    project.write("mend.py", "def mend(row):\n    return row\n")
    stage = Ingest(sources=[{"name": "s", "path": "a.jsonl", "template": "instruct", "clean": "mend.py:mend"}])
    before = stage.inputs(project.place())
    assert set(before.files) == {"a.jsonl", "mend.py"}
    (part,) = stage.parts({}, before)
    project.write("mend.py", "def mend(row):\n    return dict(row)\n")
    (other,) = stage.parts({}, stage.inputs(project.place()))
    assert part.settings["clean"] != other.settings["clean"]


def test_languages_are_told_kept_and_counted(project):
    english = {"instruction": "Who?", "output": "The harbour of Lund opened a second pier on Monday."}
    german = {"instruction": "Wer?", "output": "Der Hafen von Lund wurde am Montag wieder geöffnet.", "language": "gsw"}
    project.write("a.jsonl", [english, german, {"instruction": "2", "output": "3"}])
    kept, _, counts, _ = project.run({"path": "a.jsonl"}, languages="find")
    assert [json.loads(row["meta"]) for row in kept] == [{"language": "en"}, {"language": "de"}, {}]
    assert {name: n for name, n in counts.items() if "language" in name} == {
        "language:en": 1,
        "language:de": 1,
        "language:unclear": 1,
    }
    kept, dropped, counts, _ = project.run({"path": "a.jsonl"}, languages="find", keep_languages=["en"])
    assert [_fields(row)["response"][:3] for row in kept] == ["The", "3"]
    assert [(row["reason"], row["detail"]) for row in dropped] == [("language", "taken for de; keep_languages = en")]
    assert not any(name.startswith("bad:") for name in counts)
    # What the source says and keeps wins.
    kept, _, _, _ = project.run({"path": "a.jsonl", "keep": ["language"]}, languages="find")
    assert [json.loads(row["meta"]).get("language") for row in kept] == ["en", "gsw", None]


def test_normalizing_changes_texts_and_no_id(project):
    project.write("a.jsonl", [{"instruction": "cafe\u0301\r\n?", "output": "5"}])
    (plain,), _, _, _ = project.run({"path": "a.jsonl"})
    (normal,), _, counts, _ = project.run({"path": "a.jsonl"}, normalize=True)
    assert (plain["id"], _fields(normal)["instruction"]) == (normal["id"], "caf\u00e9\n?")
    assert counts["normalized"] == 1


def test_right_to_left_text_comes_through_unharmed(project):
    text = "\u200fהאם (abc) נכון?\u200e می\u200cخواهم"
    project.write("a.csv", f"instruction,output\n{text},5\n")
    (row,), _, _, _ = project.run({"path": "a.csv"}, normalize=True, repair=True, pii="redact")
    assert _fields(row)["instruction"] == text


def test_one_row_in_many_without_a_field_costs_that_row(project):
    rows = [{"instruction": f"Add {n}", "output": str(n)} for n in range(10_000)]
    del rows[5_000]["output"]
    project.write("a.jsonl", rows)
    kept, dropped, counts, _ = project.run({"path": "a.jsonl"})
    assert (len(kept), counts["bad:s0:missing_field"]) == (9_999, 1)
    assert (dropped[0]["origin"], dropped[0]["detail"]) == ("a.jsonl:5001", "no column 'output' for field 'response'")


def test_a_hub_dataset_that_was_copied_is_read_without_the_network(project):
    commit = "0123456789abcdef0123456789abcdef01234567"
    packed = zstandard.compress(json.dumps(ALPACA).encode() + b"\n")
    project.write(f"data/hub/tatsu-lab--alpaca/{commit}/default.train.jsonl.zst", packed)
    (row,), _, _, _ = project.run({"path": "hf://tatsu-lab/alpaca", "revision": commit})
    assert (row["origin"], _fields(row)["response"]) == ("hf://tatsu-lab/alpaca/train:1", "5")


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"sources": [{"revision": "main", "path": "hf://a/b"}]}, "revision 'main' can move"),
        ({"sources": [{"path": "hf://a/../b"}]}, "is no dataset; write hf://owner/name"),
        ({"sources": [{"path": "-"}]}, '`format` goes with path = "-"'),
        ({"sources": [{"path": "a.py", "clean": "mend.py"}]}, "names no function of a file"),
        ({"sources": [{"path": "a"}], "keep_languages": ["en"]}, 'keep_languages needs languages = "find"'),
        (
            {"sources": [{"path": "a"}], "languages": "find", "keep_languages": ["english"]},
            "'english', which cannot be",
        ),
        ({"sources": [{"path": "-", "format": "csv"}] * 2}, "two sources read standard input"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(settings, sentence):
    sources = [{"name": f"s{n}", "template": "instruct"} | one for n, one in enumerate(settings.pop("sources"))]
    with pytest.raises(ValidationError) as refusal:
        Ingest(sources=sources, **settings)
    assert sentence in str(refusal.value)

"""The stage that renders and counts: what comes in goes out, rendered or with a reason."""

import json
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers

from pipeline.format import Format
from pipeline.renderer import Renderer
from pipeline.stage import Inputs, Mapped, Place, Slice
from pipeline.template import load_templates
from schemas import ConfigError, Deduped, Formatted, arrow_schema, dropped_schema

TEMPLATES = load_templates([])
SUM = {"instruction": "Add.", "input": "2 and 3", "response": "5"}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    """Return what the stage declares with a tokenizer of one token a byte."""
    folder = tmp_path_factory.mktemp("bytes")
    tokenizer = Tokenizer(
        models.BPE({char: n for n, char in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}, [])
    )
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.save(str(folder / "tokenizer.json"))
    return Format().inputs(place(folder))


def place(tokenizer: Path, *used: str) -> Place:
    names = used or ("chat", "instruct", "summarize")
    return Place("tiny", Path(), Path(), TEMPLATES, ("s",), names, tokenizer, {})


def row(
    template: str, fields: dict[str, str], turns: list[dict[str, Any]] | None = None, number: int = 0
) -> dict[str, Any]:
    return {
        "id": f"{number:032}", "source": "s", "origin": f"s.jsonl:{number}", "task": template, "template": template,
        "fields": [{"name": name, "value": value} for name, value in sorted(fields.items())],
        "turns": turns or [], "license": None, "meta": "{}", "marks": [], "group": f"{number:032}",
    }  # fmt: skip


def run(inputs: Inputs, rows: list[dict[str, Any]], **settings: Any) -> Mapped:
    batch = pa.RecordBatch.from_pylist(rows, schema=arrow_schema(Deduped))
    return Format(**settings).map(batch, Slice(None, {}, inputs))


def kept(inputs: Inputs, *rows: dict[str, Any]) -> list[dict[str, Any]]:
    made = run(inputs, [*rows])
    assert made.dropped.num_rows == 0, made.dropped.column("detail").to_pylist()
    return made.kept.to_pylist()


def dropped(inputs: Inputs, *rows: dict[str, Any], **settings: Any) -> list[tuple[str, str]]:
    made = run(inputs, [*rows], **settings).dropped.to_pylist()
    return [(each["reason"], each["detail"]) for each in made]


def said(messages: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(message["role"], message["content"]) for message in messages]


def test_a_single_turn_is_rendered_and_counted(inputs):
    (made,) = kept(inputs, row("instruct", SUM))
    expected = Renderer(TEMPLATES["instruct"][0]).render(SUM, "0" * 32)
    assert said(made["prompt"]) == [("user", expected.prompt)]
    assert said(made["completion"]) == [("assistant", "5")]
    assert made["paraphrase"] == expected.paraphrase
    assert made["tools"] is None
    assert (made["n_prompt_tokens"], made["n_completion_tokens"]) == (len(expected.prompt), 1)  # a byte, a token


def test_the_rows_own_columns_stay_as_they_came(inputs):
    before = row("instruct", SUM)
    (after,) = kept(inputs, before)
    assert {name: after[name] for name in before} == {**before, "turns": []}


def test_a_system_message_comes_first(inputs, tmp_path):
    text = (TEMPLATES["summarize"][1]).read_text("utf-8").replace("name: summarize", "name: brief")
    text = text.replace("\nprompts:", "\nsystem: Be brief.\n\nprompts:")
    text = text.replace("    paraphrase:", "    system: Be brief.\n    paraphrase:")
    (tmp_path / "brief.yaml").write_text(text, encoding="utf-8")
    load_templates([tmp_path])
    files = {**inputs.files, "templates/brief.yaml": tmp_path / "brief.yaml"}
    (made,) = kept(Inputs(files), row("brief", {"document": "Long.", "summary": "L."}))
    assert [role for role, _ in said(made["prompt"])] == ["system", "user"]
    assert made["prompt"][0]["content"] == "Be brief."


def test_a_row_that_nobody_answered_waits_for_people(inputs):
    for fields in ({"instruction": "Add."}, {"instruction": "Add.", "response": ""}):
        made = run(inputs, [row("instruct", fields)])
        (waiting,) = made.kept.to_pylist()
        assert waiting["completion"] == []
        assert waiting["n_completion_tokens"] == 0
        assert made.counts["to_write"] == 1


CHAT = [
    {"role": "system", "content": "Be kind."},
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": "Hello", "weight": 0.0},
    {"role": "user", "content": "Bye"},
    {"role": "assistant", "content": "See you"},
]


def test_a_conversation_is_answered_by_its_last_turn(inputs):
    (made,) = kept(inputs, row("chat", {}, CHAT))
    assert said(made["prompt"]) == [(turn["role"], turn["content"]) for turn in CHAT[:4]]
    assert said(made["completion"]) == [("assistant", "See you")]
    assert made["prompt"][2]["weight"] == 0.0  # turns are handed on whole
    assert made["paraphrase"] == ""
    assert made["n_prompt_tokens"] == len("Be kind." + "Hi" + "Hello" + "Bye")


def test_a_conversation_that_ends_with_the_user_waits_for_people(inputs):
    (made,) = kept(inputs, row("chat", {}, CHAT[:4]))
    assert said(made["prompt"]) == [(turn["role"], turn["content"]) for turn in CHAT[:4]]
    assert made["completion"] == []


def test_tool_calls_and_tools_are_kept_and_counted(inputs):
    tools = json.dumps([{"name": "clock"}])
    turns = [{"role": "user", "content": "Time?"}, {"role": "assistant", "content": "", "tool_calls": '[{"id":"c"}]'}]
    with_tools, without = kept(inputs, row("chat", {"tools": tools}, turns), row("chat", {}, turns))
    assert with_tools["tools"] == tools
    assert without["tools"] is None
    assert with_tools["completion"][0]["tool_calls"] == '[{"id":"c"}]'
    assert with_tools["n_completion_tokens"] == len('[{"id":"c"}]')
    assert with_tools["n_prompt_tokens"] == len("Time?") + len(tools)
    assert without["n_prompt_tokens"] == len("Time?")


def test_templates_in_one_batch_keep_the_order_of_rows(inputs):
    rows = [
        row("summarize", {"document": "d0", "summary": "s0"}, number=0),
        row("chat", {}, [{"role": "user", "content": "u1"}, {"role": "assistant", "content": "a1"}], number=1),
        row("instruct", {"instruction": "i2", "response": "r2"}, number=2),
        row("summarize", {"document": "d3", "summary": "s3"}, number=3),
    ]
    made = kept(inputs, *rows)
    assert [each["completion"][0]["content"] for each in made] == ["s0", "a1", "r2", "s3"]
    assert [each["origin"] for each in made] == [f"s.jsonl:{n}" for n in range(4)]
    assert ["d0" in made[0]["prompt"][0]["content"], made[1]["paraphrase"]] == [True, ""]


@pytest.mark.parametrize(
    ("bad", "reason", "detail"),
    [
        (row("summarize", {"summary": "s"}), "render_error", "needs the field 'document', which this row has not"),
        (row("summarize", {"document": "d", "summary": " "}), "empty_render", "response came out empty"),
        (row("summarize", {"document": "\n", "summary": "s"}), None, ""),  # a wording has words of its own
        (row("chat", {}, []), "empty_render", "no text before its last assistant turn"),
        (row("chat", {}, CHAT[4:]), "empty_render", "no text before its last assistant turn"),
        (row("chat", {}, [{"role": "assistant", "content": "x" * 3000}]), "empty_render", "no text before"),
        (row("chat", {}, [*CHAT[:4], {"role": "assistant", "content": " "}]), "empty_render", "neither text nor tool"),
        (row("instruct", {**SUM, "response": "x" * 3000}), "too_long", "3000 of completion are over max_tokens = 2048"),
        (row("instruct", {**SUM, "response": "x" * 1_000_001}), "too_long", "more than 1,000,000 characters"),
    ],
)
def test_a_row_that_cannot_be_used_is_dropped_with_reason_and_cure(inputs, bad, reason, detail):
    found = dropped(inputs, row("instruct", SUM), bad)
    if reason is None:
        assert found == []
    else:
        ((got, sentence),) = found
        assert got == reason
        assert detail in sentence


def test_the_limit_counts_both_sides_and_is_kept_when_met_exactly(inputs):
    turns = [{"role": "user", "content": "12345"}, {"role": "assistant", "content": "12345"}]
    assert dropped(inputs, row("chat", {}, turns), max_tokens=10) == []
    (found,) = dropped(inputs, row("chat", {}, turns), max_tokens=9)
    assert found == (
        "too_long",
        "5 tokens of prompt and 5 of completion are over max_tokens = 9; raise it, or shorten the text",
    )


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["instruct", "summarize", "chat"]),
            st.text(max_size=12),
            st.text(max_size=12),
            st.sampled_from(["user", "assistant"]),
        ),
        max_size=8,
    )
)
def test_rows_in_are_rows_kept_and_rows_dropped(inputs, drawn):
    rows = []
    for n, (template, one, two, role) in enumerate(drawn):
        fields = {"instruct": ("instruction", "response"), "summarize": ("document", "summary"), "chat": ()}[template]
        turns = [{"role": "user", "content": one}, {"role": role, "content": two}] if template == "chat" else []
        rows.append(row(template, dict(zip(fields, (one, two), strict=False)), turns, number=n))
    made = run(inputs, rows, max_tokens=60)
    assert made.kept.schema == arrow_schema(Formatted)
    assert made.dropped.schema == dropped_schema(Deduped)
    ids = made.kept.column("id").to_pylist() + made.dropped.column("id").to_pylist()
    assert sorted(ids) == sorted(each["id"] for each in rows)
    for each in made.kept.to_pylist():
        contents = "".join(message["content"] for message in each["prompt"] + each["completion"])
        assert each["n_prompt_tokens"] + each["n_completion_tokens"] == len(contents.encode()) <= 60


def test_how_rows_are_batched_changes_nothing(inputs):
    rows = [row("instruct", {"instruction": f"i{n}", "response": f"r{n}"}, number=n) for n in range(7)]
    rows += [row("chat", {}, CHAT, number=n) for n in range(7, 10)]
    batch = pa.RecordBatch.from_pylist(rows, schema=arrow_schema(Deduped))
    state = Slice(None, {}, inputs)
    whole = Format().map(batch, state).kept.to_pylist()
    cut = [Format().map(batch.slice(start, 4), state).kept for start in (0, 4, 8)]  # slices: offsets are not 0
    assert pa.Table.from_batches(cut).to_pylist() == whole


def test_a_changed_template_file_is_read_anew(inputs, tmp_path):
    path = tmp_path / "summarize.yaml"
    text = TEMPLATES["summarize"][1].read_text("utf-8")
    mine = Inputs({**inputs.files, "templates/summarize.yaml": path})
    given = row("summarize", {"document": "d", "summary": "s"})
    for answer in ("{{ summary }}", "So: {{ summary }}"):
        path.write_text(text.replace("{{ summary }}", answer), encoding="utf-8")
        (made,) = kept(mine, given)
        assert made["completion"][0]["content"] == answer.replace("{{ summary }}", "s")


def test_the_stage_travels_to_worker_processes(inputs):
    stage, sent = pickle.loads(pickle.dumps((Format(max_tokens=9), inputs)))
    assert stage == Format(max_tokens=9)
    assert sent == inputs


def test_inputs_are_the_templates_in_use_and_the_tokenizer(inputs):
    folder = inputs.files["tokenizer/tokenizer.json"].parent
    declared = Format().inputs(place(folder, "chat", "translate"))
    assert declared.files == {
        "templates/chat.yaml": TEMPLATES["chat"][1],
        "templates/translate.yaml": TEMPLATES["translate"][1],
        "tokenizer/tokenizer.json": folder / "tokenizer.json",
    }
    assert declared.values == {}


def test_a_template_or_tokenizer_that_is_not_there_stops_the_run(inputs, tmp_path):
    folder = inputs.files["tokenizer/tokenizer.json"].parent
    with pytest.raises(ConfigError) as error:
        Format().inputs(place(folder, "sumarize"))
    assert error.value.what == "there is no template 'sumarize'"
    assert error.value.where == "recipe tiny, sources"
    assert error.value.fix == "did you mean 'summarize'?; your own are found through template_dirs"
    with pytest.raises(ConfigError, match=r"there is no tokenizer\.json"):
        Format().inputs(place(tmp_path))


def test_rows_of_a_template_that_the_recipe_does_not_use_stop_the_run(inputs):
    with pytest.raises(ConfigError) as error:
        run(inputs, [row("instrukt", SUM)])
    assert error.value.what == "rows use the template 'instrukt', which the recipe does not"
    assert error.value.where == "stage format"
    assert "did you mean 'instruct'?" in error.value.fix


def test_the_run_tells_who_counted(inputs, tmp_path):
    state = Format().prepare({}, inputs, tmp_path)
    assert str(state.notes["tokens_counted_by"]).startswith("tiktoken: ids are the same")
    broken = replace(inputs, files={**inputs.files, "tokenizer/tokenizer.json": tmp_path / "tokenizer.json"})
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(ConfigError, match="not a tokenizer"):  # before any row is read
        Format().prepare({}, broken, tmp_path)


@pytest.mark.shared
def test_real_rows_keep_what_they_say(inputs, shared_data):
    rows = json.loads((shared_data / "stanford_alpaca" / "alpaca_first5019.json").read_text("utf-8"))
    given = [
        row("instruct", {"instruction": r["instruction"], "input": r["input"], "response": r["output"]}, number=n)
        for n, r in enumerate(rows)
    ]
    made = run(inputs, given, max_tokens=100_000)
    assert made.kept.num_rows + made.dropped.num_rows == len(rows)
    for each in made.kept.to_pylist():
        before = rows[int(each["id"])]
        prompt = each["prompt"][0]["content"]
        assert before["instruction"] in prompt
        assert before["input"] in prompt
        assert [message["content"] for message in each["completion"]] == (
            [before["output"]] if before["output"] else []
        )

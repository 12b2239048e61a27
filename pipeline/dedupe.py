"""Dedupe: of rows that say the same, one stays; what only looks alike stays and is marked.

    a.jsonl:1 "Explain how self-driving cars work."    "They use sensors ..."   kept, group = its id
    a.jsonl:7 "explain how a self-driving car works"   "They use sensors ..."   dropped: near_duplicate of a.jsonl:1
    a.jsonl:9 "Explain how self-driving cars work."    "By magic."              kept, marked conflict, same group

Raw fields are compared, so the words of a template never make two rows alike, and only within one task. Rows are
duplicates when every prompt field and every response field is equal, or near and of the same meaning
(`pipeline.difference`); short texts that differ in punctuation alone need not be near. Of duplicates the one stays
that people have reviewed; then one with a response; then by priority of the source, number of filled fields,
characters, id, file and line. A row without a response goes where one with the same prompt has a response, unless that
is a model's draft which people rejected. Benchmark items and their duplicates go first.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ClassVar, cast

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, Field, JsonValue

from pipeline.annotations import annotation_files, read_annotations
from pipeline.benchmarks import Item, read_items, unasked
from pipeline.contamination import Contamination, Decontaminate
from pipeline.corpus import Corpus
from pipeline.difference import forget_texts, read_lists
from pipeline.duplicates import Policy, decide
from pipeline.hashing import Codes
from pipeline.nodes import nodes_of
from pipeline.pair_memory import Keys, PairMemory
from pipeline.pairing import Nodes, candidates
from pipeline.prompt_views import repeats
from pipeline.segments import Cutting, open_segments
from pipeline.snapshot import Snapshot
from pipeline.stage import Inputs, Mapped, Place, Settings, Slice, State
from pipeline.text_verdicts import VerdictMemory
from pipeline.verdicts import Verdicts
from pipeline.verified import Alike, verify
from pipeline.vocabulary import word_files
from schemas import Annotation, ConfigError, Deduped, Ingested, arrow_schema, dropped_schema, nearest

_LEARNT = ("reason", "detail", "partner_id", "partner_origin", "score")
_ROWS_AT_ONCE = 1 << 16


class Dedupe(Settings):
    """Settings of the stage `dedupe`."""

    name: ClassVar[str] = "dedupe"
    makes: ClassVar[type[BaseModel]] = Deduped
    drops: ClassVar[type[BaseModel]] = Ingested
    threads: ClassVar[bool] = True

    near: float = Field(
        default=0.9,
        ge=0.5,
        le=1,
        title="least similarity of two texts that may be duplicates, unless they hold the same words in other forms; "
        "1 finds equal texts only",
    )
    benchmarks: list[str] = Field(
        default=[],
        title="files of benchmark items (.jsonl, .json, .csv, .tsv, .parquet, .gz of these); rows that repeat one go",
    )
    decontaminate: Decontaminate = Field(default=Decontaminate(), title="how much of an item a row must repeat")
    protect: list[str] = Field(
        default=[],
        title="sources whose prompts no other source may repeat: such rows of the others go, whatever they answer",
    )
    boilerplate_chars: int = Field(
        default=80, ge=1, title="a response this long under different prompts is marked boilerplate"
    )

    def inputs(self, place: Place) -> Inputs:
        """Declare benchmark files, word lists, reviewed ids, the order of sources and the fields' sides.

        Raises:
            ConfigError: Benchmark files and protected sources that are not there, all of them at once.
        """
        files = {name: place.root / name for name in self.benchmarks}
        problems = [_missing(name, path) for name, path in files.items() if not path.is_file()]
        problems += [
            ConfigError(f"no source {name!r}", where="dedupe.protect", fix=nearest(name, place.sources))
            for name in self.protect
            if name not in place.sources
        ]
        if problem := ConfigError.of(problems):
            raise problem
        answers = read_annotations(annotation_files(place.data_root).values())
        drafted: dict[str, JsonValue] = {"turned_down": [*_turned_down(answers, place)]} if place.synthetic else {}
        return Inputs(
            files | word_files(),
            {
                "annotated": [*sorted({answer.example for answer in answers if answer.example})],
                "sources": [*place.sources],
                **fields_of(place),
                **drafted,
            },
        )

    def prepare(self, parents: Mapping[str, Snapshot], inputs: Inputs, spill: Path, cache: Path | None = None) -> State:
        """Decide on every row and write the verdicts; texts stay in mapped files."""
        items = read_items({name: inputs.files[name] for name in self.benchmarks})
        parent = parents["ingest"]
        cache = cache or spill / "index"
        sides = cast(dict[str, list[tuple[str, str]]], inputs.values["sides"])
        documents = cast(dict[str, list[str]], inputs.values["documents"])
        opened = open_segments(parent, Cutting.by_field(sides, documents), cache.parent / "segments")
        with ThreadPoolExecutor(1) as pool:
            # Reading lists would keep the threads above from their work; here little else is done.
            lists = pool.submit(read_lists)
            corpus = Corpus(opened.segments)
            lists.result()
        memory, texts = PairMemory.of(cache, self.near), VerdictMemory(corpus, cache)
        verdicts = self.verdicts(corpus, inputs, items, spill, texts, memory.search)
        texts.keep()
        forget_texts()
        path = spill / "dedupe.arrow"
        _write(path, parent, verdicts)
        notes: dict[str, JsonValue] = {"index": {"parts_built": opened.built, **memory.told}}
        if opened.faults:
            notes["index_rebuilt"] = [*opened.faults]
        if told := unasked(items):
            notes["items_unasked"] = [*told]
        return State(rows=path, counts=verdicts.counts, notes=notes)

    def verdicts(
        self,
        corpus: Corpus,
        inputs: Inputs,
        items: Sequence[Item],
        spill: Path,
        texts: VerdictMemory,
        search: Callable[[Nodes, Keys], Alike],
    ) -> Verdicts:
        """Return the verdicts on all rows; what is known of texts and pairs is used, and nothing is kept.

        Args:
            corpus: The rows.
            inputs: What `inputs` declared.
            items: Of the benchmarks.
            spill: Folder for what is mapped meanwhile.
            texts: Knows verdicts on pairs of texts.
            search: Given prompts' texts and their keys, finds those that are alike.
        """
        policy = Policy(
            annotated=cast(list[str], inputs.values["annotated"]),
            sources=cast(list[str], inputs.values["sources"]),
            protected=self.protect,
            near=self.near,
            long_chars=self.boilerplate_chars,
            turned_down=cast(list[str], inputs.values.get("turned_down", [])),
        )
        return decide(
            corpus,
            repeats(corpus, Contamination.of(items, self.near, self.decontaminate)) if items else {},
            policy,
            texts,
            lambda space, text: _prompts_alike(corpus, search, texts, spill, self.near, space, text),
            lambda space, text: _responses_alike(corpus, self.near, space, text),
        )

    def map_inputs(self, inputs: Inputs) -> Inputs:
        """Return nothing: all verdicts stand in the state, so a new answer touches no part it does not change."""
        del inputs
        return Inputs()

    def map(self, batch: pa.RecordBatch, state: Slice) -> Mapped:
        """Return the rows that stay, with group and marks, and those that go, with the reason."""
        learnt = state.rows
        assert learnt is not None
        stays = pc.is_null(learnt.column("reason"))
        own = dict(zip(batch.schema.names, batch.columns, strict=True))
        kept = own | {"marks": learnt.column("marks"), "group": learnt.column("group")}
        gone = own | {name: learnt.column(name) for name in _LEARNT}
        return Mapped(
            kept=_batch(kept, arrow_schema(Deduped)).filter(stays),
            dropped=_batch(gone, dropped_schema(Ingested)).filter(pc.invert(stays)),
        )


def _turned_down(answers: Iterable[Annotation], place: Place) -> list[str]:
    """Return the ids of the rows a model wrote of which people have said nothing but that they are wrong, in order."""
    said: dict[str, set[str]] = defaultdict(set)
    for answer in answers:
        if answer.example and answer.source in place.synthetic and answer.verdict != "prefer":
            said[answer.example].add(answer.verdict)
    return sorted(example for example, verdicts in said.items() if verdicts == {"reject"})


def fields_of(place: Place) -> dict[str, JsonValue]:
    """Return the sides of the fields of all templates in use, and which of them are documents."""
    used = {name: place.templates[name][0] for name in place.used_templates}
    return {
        "sides": {
            name: [cast(JsonValue, [field, one.side]) for field, one in template.fields.items()]
            for name, template in used.items()
        },
        "documents": {
            name: [field for field, one in template.fields.items() if one.document] for name, template in used.items()
        },
    }


def _prompts_alike(
    corpus: Corpus,
    search: Callable[[Nodes, Keys], Alike],
    texts: VerdictMemory,
    spill: Path,
    near: float,
    space: Codes,
    text: Codes,
) -> Alike:
    """Return the alike pairs of prompts' texts, from what is known of them and of their parts."""
    if near >= 1:
        return Alike.joined([])
    found = search(corpus.nodes(space, text, spill), corpus.node_keys(space, text))
    texts.learn(found, text)
    return found.near(near)


def _responses_alike(corpus: Corpus, near: float, space: Codes, text: Codes) -> Alike:
    """Return the alike pairs of responses' texts: of those few whose prompts others have too."""
    if near >= 1 or not len(text):
        return Alike.joined([])
    nodes = nodes_of(corpus.texts(text), space)
    return verify(nodes, candidates(nodes, near), near).near(near)


def _missing(name: str, path: Path) -> ConfigError:
    there = [other.name for other in path.parent.iterdir() if other.is_file()] if path.parent.is_dir() else []
    return ConfigError(f"no file {name}", where=f"dedupe.benchmarks: {path}", fix=nearest(path.name, there[:50]))


def _batch(columns: Mapping[str, pa.Array], schema: pa.Schema) -> pa.RecordBatch:
    arrays = [columns[field.name].cast(field.type) for field in schema]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _write(path: Path, parent: Snapshot, verdicts: Verdicts) -> None:
    """Write one row a row of the parent: why it goes, or its group, and its marks old and new."""
    schema = pa.schema(
        [
            *((name, pa.float64() if name == "score" else pa.string()) for name in _LEARNT),
            ("group", pa.string()),
            ("marks", pa.list_(pa.string())),
        ]
    )
    start = 0
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        for file in parent.manifest.files:
            read = list(Snapshot.read_part(parent.folder / file.name, ["marks"]))
            if not read:
                continue
            known = pa.concat_arrays([batch.column("marks") for batch in read])
            for offset in range(0, len(known), _ROWS_AT_ONCE):
                marks = known.slice(offset, _ROWS_AT_ONCE)
                some = slice(start, start + len(marks))
                columns = verdicts.columns(some) | {"marks": verdicts.marks(some, marks)}
                writer.write_batch(_batch(columns, schema))
                start += len(marks)

"""A model that no run of ours trained, judged as one of ours is: a folder, an adapter, a hub id, a server or a file.

Qwen/Qwen3-0.6B, out/merged, out/adapter, http://127.0.0.1:8000/v1, answers.jsonl
    ->  data/runs/<key>/ with scores.parquet, report.json, report.html and manifest.json, as after training
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Literal

from pipeline.digest import file_digest, value_digest
from pipeline.execute import git_commit, peak_memory_bytes
from pipeline.lock import locked
from pipeline.snapshot import make_folder
from schemas import ConfigError
from schemas.method import Method
from schemas.report import Model, Report
from schemas.training import Train, TrainingRecord, Tuned
from train.answer_cache import AnswerCache
from train.arms import read_rows
from train.asking import Examinee, Judgement
from train.assess import assess
from train.encoded import Encoded
from train.endpoint import Endpoint
from train.exam import Result, Side, read_side
from train.finish import finish
from train.generations_file import read_generations
from train.model import count, load_base, release
from train.plan import MANIFEST, Plan, scoring_settings
from train.prepared import Prepared, Tell, prepare_run, row_encoder
from train.pretrained import named_source
from train.reload import load_adapter
from train.run import quiet_transformers
from train.shots import Shots
from train.text_ids import tokenizer_digest
from train.tune import write

Kind = Literal["folder", "adapter", "hub", "endpoint", "generations"]
ADAPTER_CONFIG = "adapter_config.json"
_METHODS: dict[str, Method] = {
    "LORA": "lora",
    "IA3": "ia3",
    "PREFIX_TUNING": "prefix",
    "PROMPT_TUNING": "prompt",
    "P_TUNING": "p-tuning",
    "ADAPTION_PROMPT": "adapters",
}


@dataclass(frozen=True)
class External:
    """What is judged.

    Attributes:
        kind: How it is asked.
        name: As the user wrote it: a folder, a hub id, an address or a file.
        served_as: An endpoint's name of the model.
    """

    kind: Kind
    name: str
    served_as: str = ""

    @classmethod
    def of(cls, model: str | None, generations: Path | None, served_as: str) -> "External":
        """Return what the words of a command mean.

        Raises:
            ConfigError: There is nothing to judge, or two things, or no such folder.
        """
        if (model is None) == (generations is None):
            raise ConfigError(
                "nothing says what is to be judged" if model is None else "two things are to be judged",
                where="tuneloop evaluate",
                fix="give --model (a folder, an adapter, a hub id, an address) or --generations FILE.jsonl",
            )
        if model is None:
            return cls("generations", str(generations))
        if model.startswith(("http://", "https://")):
            if not served_as:
                fix = f"give --name, one of those that {model.rstrip('/')}/models lists"
                raise ConfigError("a server may hold several models", where="--model", fix=fix)
            return cls("endpoint", model, served_as)
        folder = Path(model).expanduser()
        if (folder / ADAPTER_CONFIG).is_file():
            return cls("adapter", model)
        if folder.is_dir() or model.startswith((".", "/", "~")) or model.count("/") > 1:
            if not (folder / "config.json").is_file():
                what = "holds no model" if folder.is_dir() else "is not there"
                fix = f"name a folder with config.json or {ADAPTER_CONFIG}, a hub id or an address"
                raise ConfigError(f"{model} {what}", where="--model", fix=fix)
            return cls("folder", model)
        return cls("hub", model)

    @property
    def words(self) -> str:
        """What people read."""
        return f"{self.served_as} at {self.name}" if self.kind == "endpoint" else self.name

    def identity(self) -> str:
        """Return what names its content, as far as it lies here."""
        path = Path(self.name).expanduser()
        if self.kind == "generations" and path.is_file():
            return file_digest(path)
        if self.kind in ("folder", "adapter"):
            return value_digest([[file.name, file_digest(file)] for file in sorted(path.iterdir()) if file.is_file()])
        return f"{self.kind} {self.name} {self.served_as}"


def judge_external(plan: Plan, what: External, tell: Tell, *, latest: bool) -> tuple[Report, Path]:
    """Judge a model on the plan's split, beside its base and arms; return the report and its page.

    Args:
        plan: Of the recipe, with the base to compare with; its key is replaced.
        what: Is judged.
        tell: Whom to tell.
        latest: Whether it becomes the recipe's newest run, which `tuneloop feedback` takes without a key.

    Raises:
        DataError: What, where and how to mend.
    """
    quiet_transformers()
    began, started_at = time.monotonic(), datetime.now(UTC).isoformat(timespec="seconds")
    parts = {
        "value external": value_digest([what.kind, what.words, what.identity()]),
        "value base": value_digest(plan.base),
        "parent split": plan.split.manifest.version,
        "setting max_new_tokens": value_digest(plan.settings.max_new_tokens),
        "setting encode": value_digest(plan.encode.model_dump(mode="json")),
        "setting evaluate": value_digest(scoring_settings(plan.evaluate)),
    }
    plan = replace(plan, key=value_digest(dict(parts)), key_parts=parts)
    with locked(make_folder(plan.folder), f"evaluation {plan.key}"):
        prepared = prepare_run(plan, tell)
        if prepared.labels and what.kind in ("folder", "hub"):
            raise ConfigError(
                "a classifier's classes are numbers, and whose they are is not known",
                where=f"--model {what.name}",
                fix="let it answer, and give its answers with --generations",
            )
        release(prepared.base.model)
        judge, prepared, facts = _judge(plan, prepared, what, tell)
        model = Model(
            run=plan.key, base=plan.settings.base, method=facts.method, family=prepared.base.family,
            n_parameters=0, n_trainable=0, steps=0, best_step=0, train_seconds=0, tokens_per_second=0,
        )  # fmt: skip
        assess(plan, prepared, Tuned(model=model, curve=[]), tell, judge, what.words)
        record = TrainingRecord(
            key=plan.key, key_parts=plan.key_parts, evaluation=plan.evaluation, recipe=plan.recipe,
            parents={"split": plan.split.manifest.version, "encode": prepared.encoding.version},
            settings=plan.settings.model_dump(mode="json"), encode=plan.encode.model_dump(mode="json"),
            base=plan.base, code=plan.code.digest, distributions=plan.code.distributions, git_commit=git_commit(),
            started_at=started_at, seconds=round(time.monotonic() - began, 1), peak_memory_bytes=peak_memory_bytes(),
            model=model, external=what.words,
        )  # fmt: skip
        write(plan.folder / MANIFEST, record.model_dump_json(indent=1))
        return finish(plan, tell.line, tell.asked, latest=latest)


@dataclass(frozen=True)
class _Facts:
    method: Method = "full"


_Judge = Callable[[dict[str, Side], Encoded | None, AnswerCache], Judgement]


def _judge(plan: Plan, prepared: Prepared, what: External, tell: Tell) -> tuple[_Judge, Prepared, _Facts]:
    """Return what asks the model, the sides it is asked, and what is known of it."""
    match what.kind:
        case "generations":
            ids = {name: [row["id"] for row in side.rows] for name, side in prepared.sides.items()}
            found = read_generations(Path(what.name), ids)
            for note in found.notes:
                tell.line(f"evaluate  {note}")
            some = {
                name: side if name == "train" else _answered(side, found.answers)
                for name, side in prepared.sides.items()
            }
            return partial(_ask_file, found.answers, tuple(found.notes)), replace(prepared, sides=some), _Facts()
        case "endpoint":
            server = Endpoint(what.name, what.served_as, plan.settings.max_new_tokens)
            return partial(_ask_server, server, plan, tell), prepared, _Facts()
        case "adapter":
            settings = _adapter_settings(plan.settings, Path(what.name).expanduser(), tell)
            return partial(_ask_adapter, plan, prepared, settings, what, tell), prepared, _Facts(settings.method)
        case _:
            return partial(_ask_whole, plan, prepared, what, tell), prepared, _Facts()


def _ask_file(
    answers: dict[str, str], notes: tuple[str, ...], sides: dict[str, Side], _: Encoded | None, __: AnswerCache
) -> Judgement:
    results = {
        name: Result(None, [answers[row["id"]] for row in side.rows]) for name, side in sides.items() if name != "train"
    }
    return Judgement(results, None, notes)


def _ask_server(
    server: Endpoint, plan: Plan, tell: Tell, sides: dict[str, Side], _: Encoded | None, cache: AnswerCache
) -> Judgement:
    results = {}
    shots = Shots(plan.split, plan.encode) if plan.encode.shots else None
    for name in ("validation", "test"):
        rows = {row["id"]: row for row in read_rows(plan.split, name)}
        given = [rows[row["id"]] for row in sides[name].rows]
        asked = [(row if shots is None else shots.before(row))["prompt"] for row in given]
        said = server.answers(asked, cache, lambda done, of, name=name: tell.asked(f"endpoint on {name}", done, of))  # type: ignore[misc]
        results[name] = Result(None, said.texts, said.stopped)
    notes = ["The model is a server's: it gives no likelihood, so only answers are compared."]
    if server.refused:
        notes.append(f"{len(server.refused):,} prompts were refused and count as empty: {server.refused[0]}")
    return Judgement(results, None, tuple(notes))


def _ask_adapter(
    plan: Plan, prepared: Prepared, settings: Train, what: External, tell: Tell,
    sides: dict[str, Side], general: Encoded | None, cache: AnswerCache,
) -> Judgement:  # fmt: skip
    labels = prepared.labels.known if prepared.labels else None
    base = load_base(settings, prepared.source, plan.encode, labels)
    model = load_adapter(base, settings.method, Path(what.name).expanduser())
    ready = replace(prepared, base=replace(base, packs=prepared.base.packs))
    return Examinee(model, replace(plan, settings=settings), ready, tell, cache).judgement(sides, general)


def _ask_whole(
    plan: Plan, prepared: Prepared, what: External, tell: Tell,
    sides: dict[str, Side], general: Encoded | None, cache: AnswerCache,
) -> Judgement:  # fmt: skip
    changed = {"base": what.name, "method": "full", "revision": None, "family": "auto"}
    settings = plan.settings.model_copy(update=changed)
    base = load_base(settings, named_source(settings), plan.encode)
    tell.line(f"evaluate  {what.words}: {count(base.model)[0]:,} parameters")
    encoder = row_encoder(base, plan.encode, None)
    ready, own = replace(prepared, base=base, encoder=encoder), sides
    notes: tuple[str, ...] = ()
    alike = tokenizer_digest(encoder.tokenizer) == tokenizer_digest(prepared.encoder.tokenizer)
    if not alike or dict(encoder.depends_on) != dict(prepared.encoder.depends_on):
        own = {name: read_side(plan.split, name, encoder) for name in sides}
        notes = (
            "The model has a tokenizer, a chat template or a context of its own: its NLL is summed over its own tokens "
            "and divided by the number of the base's, so that the two can be compared.",
        )
    examinee = Examinee(base.model, replace(plan, settings=settings), ready, tell, cache)
    found = examinee.judgement(own, general if own is sides else None)
    results = {
        name: replace(result, nll=result.nll * own[name].encoded.n_supervised / sides[name].encoded.n_supervised)
        for name, result in found.results.items()
        if result.nll is not None
    }
    return Judgement(results, found.general, notes)


def _answered(side: Side, answers: dict[str, str]) -> Side:
    """Return the examples of a side that have an answer."""
    places = [place for place, row in enumerate(side.rows) if row["id"] in answers]
    encoded = side.encoded
    pairs = [(encoded.prompt(i).tolist(), encoded.target(i).tolist()) for i in places]
    return Side(
        side.name,
        [side.rows[i] for i in places],
        [side.prompts[i] for i in places],
        [side.references[i] for i in places],
        Encoded.of(pairs, [encoded.names[i] for i in places]),
    )


def _adapter_settings(settings: Train, folder: Path, tell: Tell) -> Train:
    """Return settings under which an adapter is loaded on the base."""
    try:
        said = json.loads((folder / ADAPTER_CONFIG).read_bytes())
        kind = said["peft_type"]
        method = _METHODS[kind]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"the adapter's config cannot be used: {type(error).__name__} {error}",
            where=str(folder / ADAPTER_CONFIG),
            fix=f"kinds that are known: {', '.join(_METHODS)}; merge others into a whole model and name that",
        ) from error
    if (made_on := said.get("base_model_name_or_path")) and Path(str(made_on)).name != Path(settings.base).name:
        tell.line(f"evaluate  the adapter says it was made on {made_on}; it is put on {settings.base} (--base)")
    return settings.model_copy(update={"method": method, "virtual_tokens": said.get("num_virtual_tokens") or 1})

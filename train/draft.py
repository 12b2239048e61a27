"""Lets a model draft what `train.draft_rows` lists, and writes down what it said, each thing asked once.

    asked [user "Add 2 and 3."]  said "5"   ->  a line in data/drafts/<recipe>/support.instruct.jsonl
                                 said ""    ->  a line in data/drafts/<recipe>/_refused.jsonl, reason empty

A draft is no example yet: `tuneloop data` reads it as a row that a model wrote, and trains on it only once a person
has accepted it.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.drafts import REFUSED, add_drafts, drafts_folder
from pipeline.lock import locked
from pipeline.recipe import Recipe
from pipeline.refusals import refuses
from pipeline.renderer import Renderer
from pipeline.synthetic import SYNTHETIC
from pipeline.wording import RenderError
from schemas import ConfigError, ServiceError, Template
from schemas.draft import DraftSettings, Synthetic
from schemas.training import Encode, Train
from train.answer_cache import AnswerCache, identity_of
from train.draft_rows import Templates, ToAsk, Wanted
from train.encoded import Encoded
from train.endpoint import Endpoint
from train.generate import Said, answers
from train.model import load_base
from train.prepared import row_encoder
from train.pretrained import named_source
from train.run import quiet_transformers

# Asked and then written together, so that an interrupt or a server that goes away costs few answers.
_AT_ONCE = 64
_ANY_LENGTH = 1 << 40
_THOUGHT = re.compile(r"^\s*<think>.*?</think>", re.DOTALL)
_TOO_LONG = "too_long"
# None stands for what cannot be asked at all.
Answer = tuple[str, bool] | None
Ask = Callable[[Sequence[ToAsk], Callable[[int, int], None]], list[Answer]]


@dataclass(frozen=True)
class Drafted:
    """What became of what was asked.

    Attributes:
        kept: Examples written.
        refused: Why answers were not kept, to how many they are.
        folder: Where all of it lies.
    """

    kept: int
    refused: Mapping[str, int]
    folder: Path


def draft(
    recipe: Recipe,
    data_root: Path,
    templates: Templates,
    todo: Wanted,
    line: Callable[[str], None],
    asked: Callable[[int, int], None],
) -> Drafted:
    """Ask for every draft that is wanted, write the good ones as examples, and say why others are none.

    Args:
        recipe: With a section `[draft]`.
        data_root: The store.
        templates: All templates, by name.
        todo: What is to be asked.
        line: Whom to tell.
        asked: Told how many are asked, and of how many.

    Raises:
        ServiceError: The server does not answer or refuses us; what it said before is written.
        ConfigError: The model in the folder cannot be asked.
        SnapshotError: Somebody else drafts for this recipe, or the folder cannot be written.
    """
    settings, folder = recipe.draft, drafts_folder(data_root, recipe.name)
    assert settings is not None
    renderers = {name: Renderer(template) for name, (template, _) in templates.items() if not template.chat}
    n_kept, refused = 0, Counter[str]()
    with locked(folder, f"the drafts of recipe {recipe.name}"):
        ask = _asker(settings, recipe.encode, data_root, line)
        for start in range(0, len(todo.asks), _AT_ONCE):
            some = todo.asks[start : start + _AT_ONCE]
            try:
                said = ask(some, lambda done, _, start=start: asked(start + done, len(todo.asks)))  # type: ignore[misc]
            except ServiceError:
                line(f"draft     {n_kept:,} drafts are kept in {folder}; the same command goes on from there")
                raise
            n_kept += _write(folder, settings, some, said, templates, renderers, refused)
    return Drafted(n_kept, dict(refused.most_common()), folder)


def fault_of(text: str, one: ToAsk, template: Template, renderer: Renderer | None) -> str:
    """Return why a text is no draft, in one word, or an empty text: empty, repeats_prompt, refusal, ...

    Args:
        text: What the model wrote, without white space at its ends.
        one: What it was asked.
        template: Of the example to be.
        renderer: Of that template; None for a conversation.
    """
    if not text:
        return "empty"
    said_already = one.fields["response"] if one.kind == "inversion" else one.messages[-1]["content"]
    if _plain(text) == _plain(said_already):
        return "repeats_prompt"
    if refuses(pa.array([text]))[0].as_py():
        return "refusal"
    if renderer is None:
        return ""
    choices = template.fields[one.fills].choices
    if choices and text not in choices:
        return "not_a_choice"
    try:
        rendered = renderer.render(one.fields | {one.fills: text}, one.parent)
    except RenderError:
        return "not_rendered"
    # Where the template adds words of its own to the response, the model cannot know which.
    return "not_rendered" if one.kind == "draft" and (rendered.response or "").strip() != text else ""


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()


def _write(
    folder: Path, settings: DraftSettings, some: Sequence[ToAsk], said: Sequence[Answer], templates: Templates,
    renderers: Mapping[str, Renderer], refused: Counter[str],
) -> int:  # fmt: skip
    """Write what was said; return how many examples it gave, and count why others are none."""
    lines: dict[str, list[dict[str, Any]]] = defaultdict(list)
    now, n_kept = datetime.now(UTC).isoformat(timespec="seconds"), 0
    for one, answer in zip(some, said, strict=True):
        if answer is None:
            # Not written down: with another model or limit it can be asked.
            refused[_TOO_LONG] += 1
            continue
        text, stopped = _THOUGHT.sub("", answer[0]).strip(), answer[1]
        note = Synthetic(
            kind=one.kind, model=settings.model, prompt=one.digest, parents=[one.parent], license=settings.license
        )
        story = {SYNTHETIC: note.model_dump(exclude_none=True), "asked": one.messages, "at": now}
        template = templates[one.template][0]
        fault = fault_of(text, one, template, renderers.get(one.template)) or ("" if stopped else "cut")
        if fault:
            refused[fault] += 1
            lines[REFUSED].append({"reason": fault, "answer": answer[0], **story})
            continue
        n_kept += 1
        fields = one.fields | ({one.fills: text} if one.fills else {})
        turns = {"turns": [*one.turns, {"role": "assistant", "content": text}]} if template.chat else {}
        example = {"source": one.source, "template": one.template, "fields": fields, **turns, **story, **one.kept}
        lines[f"{one.source}.{one.template}.jsonl"].append(example)
    for name, added in lines.items():
        add_drafts(folder / name, added)
    return n_kept


def _asker(settings: DraftSettings, encode: Encode, data_root: Path, line: Callable[[str], None]) -> Ask:
    cache = AnswerCache.of(data_root, line)
    return _server(settings, cache) if settings.endpoint else _folder(settings, encode, cache)


def _server(settings: DraftSettings, cache: AnswerCache) -> Ask:
    assert settings.endpoint is not None
    at = settings.temperature or 0
    server = Endpoint(
        settings.endpoint, settings.model, settings.max_new_tokens, key_name=settings.key_env, temperature=at
    )

    def ask(some: Sequence[ToAsk], tell: Callable[[int, int], None]) -> list[Answer]:
        return [*zip(*server.answers([one.messages for one in some], cache, tell), strict=True)]

    return ask


def _folder(settings: DraftSettings, encode: Encode, cache: AnswerCache) -> Ask:
    """Return what asks a model that lies in a folder, greedily.

    Raises:
        ConfigError: It cannot be loaded, or writes no text.
    """
    quiet_transformers()
    how = Train(base=settings.model, method="full", max_new_tokens=settings.max_new_tokens)
    # Worked examples and a limit on length belong to training.
    encode = encode.model_copy(update={"shots": 0, "max_length": _ANY_LENGTH})
    base = load_base(how, named_source(how), encode)
    encoder = row_encoder(replace(base, context=_ANY_LENGTH), encode, None)
    stop = encoder.stop_id
    if stop is None:
        raise ConfigError(
            "the model names classes and writes no text",
            where=f"[draft] model = {settings.model!r}",
            fix="name a folder with a causal model or an encoder-decoder",
        )
    who = identity_of(base.model, {"stop": stop, "context": base.context, "longest": settings.max_new_tokens})

    def ask(some: Sequence[ToAsk], tell: Callable[[int, int], None]) -> list[Answer]:
        encoded = encoder.encode([_row(one) for one in some])
        fits = [at for at, n in enumerate(encoded.n_prompt.tolist()) if n + settings.max_new_tokens <= base.context]
        found: list[Answer] = [None] * len(some)

        def say(prompts: Encoded) -> Said:
            return answers(
                base.model, base.tokenizer, prompts, stop=stop, context=base.context,
                max_new_tokens=settings.max_new_tokens, token_budget=how.token_budget, tell=tell, family=base.family,
            )  # fmt: skip

        if fits:
            said = cache.answers(who, encoded.some(np.array(fits)), say)
            for at, text, stopped in zip(fits, said.texts, said.stopped, strict=True):
                found[at] = (text, stopped)
        return found

    return ask


def _row(one: ToAsk) -> dict[str, Any]:
    """Return a row as encoders take it; its completion is never asked."""
    empty = {"name": None, "tool_calls": None, "tool_call_id": None, "weight": None}
    messages = [{**empty, **message} for message in one.messages]
    completion = [{**empty, "role": "assistant", "content": "x"}]
    return {"origin": one.parent, "prompt": messages, "completion": completion, "tools": None}

"""Shapes: which column of a source fills which field of a template, found once, said, and never guessed.

columns instruction, input, output; template fields instruction, input, response
    ->  Reading(shape="alpaca", columns={"instruction": "instruction", "input": "input", "response": "output"})
"""

from collections.abc import Collection, Mapping
from difflib import get_close_matches
from typing import Literal

from pipeline.preference import PROMPT, REJECTED
from pipeline.reading import Declaration, Reading
from schemas import ConfigError, nearest

Shape = Literal["alpaca", "dolly", "prompt_completion", "sharegpt", "messages", "preference", "fields"]

PROMPTS = ("prompt", "instruction", "question", "query", "input")
RESPONSES = ("completion", "response", "answer", "output", "target")
# A column whose name holds one of these may be a response: a source with one is no source without responses.
_ANSWERISH = (*RESPONSES, "chosen", "label", "summary", "translation", "reply", "solution")
CHOSEN = "chosen"
_ASKED = ("prompt", "question", "instruction", "input", "conversations", "messages")
_CONVERSATIONS = {"sharegpt": ("conversations", "conversation"), "messages": ("messages",)}


def reading_of(
    template: str,
    declaration: Declaration,
    columns: Collection[str],
    *,
    shape: Shape | None,
    fields: Mapping[str, str],
    constants: Mapping[str, str],
    spare: Collection[str],
    where: str,
) -> Reading:
    """Return how rows with these columns fill the template.

    Args:
        template: Its name.
        declaration: Its fields.
        columns: Columns found in the source, in order.
        shape: As the recipe says; None to recognise it.
        fields: Template field to column, as the recipe says; wins over the shape.
        constants: Template field to fixed text.
        spare: Columns used for other things, which therefore hold no response.
        where: The source, for errors.

    Raises:
        ConfigError: Required fields left out; a constant that is no choice; a shape that does not fit; or, where it is
            to be recognised, none or more than one that does.
    """
    if declaration.chat:
        found = _conversation(declaration, columns, shape, fields)
    elif fields and shape in (None, "fields"):
        found = ("fields", {})
    else:
        found = _single_turn(declaration, columns, shape, fields, constants, spare)
    if isinstance(found, str):
        raise _no_shape(found, template, declaration, columns, where)
    name, by_shape = found
    chosen = {field: column for field, column in by_shape.items() if field not in constants}
    reading = Reading(
        template=template,
        declaration=declaration,
        shape=name,
        columns={**chosen, **fields},
        constants=dict(constants),
    )
    if reading.is_draft and not fields:
        watched = {*RESPONSES, *declaration.required("response")} - {*spare, *reading.columns.values()}
        reading = Reading(**reading.model_dump() | {"watched": sorted(watched)})
    _check_complete(reading, columns, where)
    return reading


def _conversation(
    declaration: Declaration, columns: Collection[str], shape: Shape | None, fields: Mapping[str, str]
) -> tuple[Shape, dict[str, str]] | str:
    if shape in ("alpaca", "dolly", "prompt_completion"):
        return f"shape {shape!r} is single-turn and the template is a conversation"
    if REJECTED in declaration.fields:
        return _preference(declaration, columns, shape, fields)
    if shape == "preference":
        return f"it has no field {REJECTED!r} for the worse answer; the template `preference` has one"
    beside = {"system": "system", "tools": "tools"} | {
        name: name for name in declaration.fields if name not in ("turns", "system")
    }
    if "turns" in fields:
        return "fields" if shape is None else shape, beside
    fits: list[tuple[Shape, dict[str, str]]] = []
    kinds: tuple[Shape, ...] = ("sharegpt", "messages")
    for kind in kinds:
        fits += [(kind, {"turns": c, **beside}) for c in _CONVERSATIONS[kind] if c in columns and shape in (None, kind)]
    if len(fits) != 1:
        return f"columns {', '.join(f[1]['turns'] for f in fits)} all may hold it" if fits else "no conversation column"
    return fits[0]


def _preference(
    declaration: Declaration, columns: Collection[str], shape: Shape | None, fields: Mapping[str, str]
) -> tuple[Shape, dict[str, str]] | str:
    """Return where a pair of answers and their prompt stand; the prompt may stand inside both answers."""
    if shape not in (None, "preference"):
        return f"shape {shape!r} has no worse answer"
    placed = {"turns": CHOSEN, REJECTED: REJECTED}
    if lacks := [column for name, column in placed.items() if name not in fields and column not in columns]:
        return f"no column holds the {' and the '.join(lacks)} answer"
    asked = [column for column in _ASKED if column in columns]
    if len(asked) > 1 and PROMPT not in fields:
        return f"columns {', '.join(asked)} all may hold the prompt"
    beside = {name: name for name in ("system", *declaration.fields) if name in columns}
    return "preference", {**placed, **beside, **({PROMPT: asked[0]} if asked else {})}


def _single_turn(
    declaration: Declaration,
    columns: Collection[str],
    shape: Shape | None,
    fields: Mapping[str, str],
    constants: Mapping[str, str],
    spare: Collection[str],
) -> tuple[Shape, dict[str, str]] | str:
    """Return the one shape that fits, or a sentence why there is none."""
    if shape in (*_CONVERSATIONS, "preference"):
        return f"shape {shape!r} is a conversation and the template is single-turn"
    given = {*fields, *constants}
    tries: dict[Shape, dict[str, str]] = {
        "fields": {name: name for name in declaration.fields},
        "alpaca": _alpaca(declaration, columns),
        "dolly": _dolly(declaration, columns),
        "prompt_completion": _prompt_completion(declaration, columns),
    }
    fits: dict[Shape, dict[str, str]] = {}
    drafts: dict[Shape, dict[str, str]] = {}
    responses = set(declaration.required("response")) - given
    for name, mapped in tries.items():
        lacks = _missing(declaration, mapped, columns) - given
        if shape not in (None, name) or not mapped:
            continue
        if not lacks:
            fits[name] = mapped
        elif lacks == responses:
            drafts[name] = mapped
    if not fits and drafts:
        return _draft(declaration, columns, drafts, {*fields.values(), *spare})
    seen = {name: {field: c for field, c in mapped.items() if c in columns} for name, mapped in fits.items()}
    for name, mapped in fits.items():
        # A shape that reads all that the others read, in the same way, is the one; alpaca adds its input.
        if all(other.items() <= seen[name].items() for other in seen.values()):
            return name, mapped
    if fits:
        return f"shapes {' and '.join(fits)} fit and read different columns"
    return "no shape fits its columns" if shape is None else f"shape {shape!r} does not fit its columns"


def _draft(
    declaration: Declaration,
    columns: Collection[str],
    drafts: Mapping[Shape, Mapping[str, str]],
    spare: Collection[str],
) -> tuple[Shape, dict[str, str]] | str:
    """Return the prompt side of a source without responses, or a sentence if some column may be one."""
    name, mapped = next(iter(drafts.items()))
    prompts = {field: column for field, column in mapped.items() if declaration.fields[field].side == "prompt"}
    names = (*_ANSWERISH, *declaration.required("response"))
    used = {*prompts.values(), *spare}
    doubtful = [c for c in columns if c not in used and any(word in c.lower() for word in names)]
    if doubtful:
        return f"no column is known to be the response, and {', '.join(map(repr, doubtful))} may be it"
    return name, prompts


def _alpaca(declaration: Declaration, columns: Collection[str]) -> dict[str, str]:
    if not {"instruction", "response"} <= set(declaration.fields) or "instruction" not in columns:
        return {}
    if "input" in declaration.fields:
        return {"instruction": "instruction", "input": "input", "response": "output"}
    return {} if "input" in columns else {"instruction": "instruction", "response": "output"}


def _dolly(declaration: Declaration, columns: Collection[str]) -> dict[str, str]:
    if not {"instruction", "input", "response"} <= set(declaration.fields):
        return {}
    if not {"instruction", "context", "response"} <= set(columns):
        return {}
    return {"instruction": "instruction", "input": "context", "response": "response"}


def _prompt_completion(declaration: Declaration, columns: Collection[str]) -> dict[str, str]:
    prompts, responses = declaration.required("prompt"), declaration.required("response")
    asked = [column for column in PROMPTS if column in columns]
    replied = [column for column in RESPONSES if column in columns]
    if len(prompts) != 1 or len(responses) != 1 or len(asked) != 1 or len(replied) > 1:
        return {}
    if prompts[0] in RESPONSES or responses[0] in PROMPTS:
        # The template writes what others read, such as the question to a text: its sides are exchanged.
        return {}
    return {prompts[0]: asked[0], responses[0]: replied[0] if replied else RESPONSES[0]}


def _missing(declaration: Declaration, mapped: Mapping[str, str], columns: Collection[str]) -> set[str]:
    """Return the required fields whose column is not there."""
    required = {*declaration.required("prompt"), *declaration.required("response")}
    return {field for field in required if mapped.get(field) not in columns}


def _check_complete(reading: Reading, columns: Collection[str], where: str) -> None:
    """Raise for required fields nothing fills and constants that are no choice."""
    filled = {*reading.columns, *reading.constants}
    needed = [] if reading.declaration.chat else reading.declaration.required("prompt")
    if not reading.declaration.chat and not reading.is_draft:
        needed += reading.declaration.required("response")
    paste = _paste(reading.declaration, columns, filled)
    problems = [
        ConfigError(f"nothing fills field {name!r} of template {reading.template!r}", where=where, fix=paste)
        for name in needed
        if name not in filled
    ]
    for name, text in reading.constants.items():
        declared = reading.declaration.fields.get(name)
        if declared and declared.choices and text not in declared.choices:
            problems.append(
                ConfigError(f"constant {name} = {text!r}", where=where, fix=nearest(text, declared.choices))
            )
    if problem := ConfigError.of(problems):
        raise problem


def _no_shape(why: str, template: str, declaration: Declaration, columns: Collection[str], where: str) -> ConfigError:
    found = ", ".join(map(repr, columns)) or "none"
    fix = f"columns found: {found}; {_paste(declaration, columns, ())}"
    if len(columns) == 1 and (mark := next((m for m in ";\t|" if m in next(iter(columns))), None)):
        fix = f"columns found: {found}; add to the source: delimiter = {mark!r}"
    return ConfigError(f"template {template!r} cannot read this source: {why}", where=where, fix=fix)


def _paste(declaration: Declaration, columns: Collection[str], filled: Collection[str]) -> str:
    """Return the setting that names a column for every field, ready to be mended and pasted."""
    left, pairs = list(columns), []
    for name in [*(["turns"] if declaration.chat else []), *declaration.fields]:
        if name in filled:
            continue
        close = [name] if name in left else get_close_matches(name, left, n=1, cutoff=0.5)
        pairs.append(f'{name} = "{close[0] if close else "<column>"}"')
        left = [column for column in left if column not in close]
    return f"say which column is what: fields = {{ {', '.join(pairs)} }}"

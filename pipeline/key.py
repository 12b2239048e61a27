"""The run key: a digest of all that can change a stage's rows, and the words for what changed since last time."""

from collections.abc import Mapping

from pydantic import JsonValue

from pipeline.code import Code, code_of
from pipeline.digest import file_digest, value_digest
from pipeline.stage import Inputs, Stage
from pipeline.working_copy import bring
from schemas import InputFile

_KINDS = {
    "setting": "setting {} changed",
    "value": "{} changed",
    "input": "{} changed",
    "parent": "{} has new rows",
    "package": "package {} has another version",
    "code": "the code of {} changed",
}


def code_of_stage(stage: Stage) -> Code:
    """Return the code digest and distributions of the module that defines a stage."""
    return code_of(type(stage).__module__)


def input_files(inputs: Inputs) -> list[InputFile]:
    """Return every input file with size and digest, in order of name."""
    bring(inputs.files.values())
    return [
        InputFile(name=name, bytes=path.stat().st_size, digest=file_digest(path))
        for name, path in sorted(inputs.files.items())
    ]


def key_parts(
    stage: Stage, inputs: Inputs, files: list[InputFile], parents: Mapping[str, str], code: Code
) -> dict[str, str]:
    """Return everything that enters the key, by name; their digest is the key.

    Settings come from the model's own dump and inputs from what the stage declared, so a new setting
    or input cannot be forgotten.
    """
    settings: dict[str, JsonValue] = stage.model_dump(mode="json")  # type: ignore[attr-defined]
    return {
        **{f"setting {name}": value_digest(value) for name, value in settings.items()},
        **{f"value {name}": value_digest(value) for name, value in inputs.values.items()},
        **{f"input {file.name}": file.digest for file in files},
        **{f"parent {name}": version for name, version in parents.items()},
        **{f"package {name}": version for name, version in code.distributions.items()},
        f"code {stage.name}": code.digest,
    }


def what_changed(parts: Mapping[str, str], before: Mapping[str, str] | None) -> list[str]:
    """Return one phrase for each difference between this key's parts and those of the run before, if there was one."""
    if before is None:
        return ["never run for this recipe"]
    changed = []
    for part in sorted(set(before) | set(parts)):
        kind, _, name = part.partition(" ")
        if before.get(part) == parts.get(part):
            continue
        if part not in before:
            changed.append(f"{kind} {name} is new")
        elif part not in parts:
            changed.append(f"{kind} {name} is gone")
        else:
            changed.append(_KINDS[kind].format(name))
    return changed


def part_key(
    stage: Stage,
    settings: Mapping[str, JsonValue],
    own: Mapping[str, JsonValue],
    inputs: Mapping[str, JsonValue],
    code: Code,
) -> str:
    """Return the digest of all that can change one part.

    Args:
        stage: The stage.
        settings: Its settings as far as they concern this part.
        own: Digest, source and state slice of the part itself.
        inputs: Declared values, and digests of files that every part may read.
        code: Digest and distributions of the stage's code.
    """
    return value_digest([stage.name, dict(settings), dict(own), dict(inputs), code.digest, dict(code.distributions)])

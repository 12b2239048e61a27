"""schemas <- pipeline <- {annotation, train}; stages never import stages; seams hold."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MAY_IMPORT = {
    "schemas": {"schemas"},
    "pipeline": {"schemas", "pipeline"},
    "annotation": {"schemas", "pipeline", "annotation"},
    "train": {"schemas", "pipeline", "train"},
}
ONLY_UNDER = {
    "label_studio_sdk": "annotation", "torch": "train", "transformers": "train", "peft": "train", "accelerate": "train"
}  # fmt: skip
STAGES = ("ingest", "dedupe", "format", "annotate", "split")
MODULES = sorted(path for folder in MAY_IMPORT for path in (ROOT / folder).rglob("*.py"))


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import; write the whole name"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_imports_only_what_its_folder_may(path):
    folder = path.relative_to(ROOT).parts[0]
    tops = {name.split(".")[0] for name in imports(path)}
    assert tops & set(MAY_IMPORT) <= MAY_IMPORT[folder]
    assert all(ONLY_UNDER.get(top, folder) == folder for top in tops)


@pytest.mark.parametrize("stage", STAGES)
def test_no_stage_imports_another_stage(stage):
    others = {f"pipeline.{other}" for other in STAGES if other != stage}
    found = {".".join(name.split(".")[:2]) for name in imports(ROOT / "pipeline" / f"{stage}.py")}
    assert not found & others


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_import_hides_in_a_function(path):
    tree = ast.parse(path.read_text("utf-8"))
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    hidden = [
        node.lineno
        for function in functions
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    assert not hidden


def test_the_rule_is_seen_to_fail(tmp_path):
    bad = tmp_path / "bad.py"
    bad.write_text("from pipeline import run\n")
    assert {name.split(".")[0] for name in imports(bad)} - MAY_IMPORT["schemas"] == {"pipeline"}

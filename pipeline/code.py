"""The code digest of a stage: what its module and everything it imports say, not how they are commented.

Also the versions of the third-party distributions these modules import. Nobody lists anything by hand:
both are read off the syntax trees.
"""

import ast
import json
import os
import sys
from contextlib import suppress
from functools import cache
from hashlib import blake2b
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions, version
from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import Field, TypeAdapter

ROOT = Path(__file__).resolve().parent.parent
_KNOWN = TypeAdapter(dict[str, Annotated[list[str], Field(min_length=1)]])
_MOST_KEPT = 4000  # sources; then all are read anew
FIRST_PARTY = ("schemas", "pipeline", "annotation", "train")


class Code(NamedTuple):
    """What the code of a stage is."""

    digest: str
    distributions: dict[str, str]


class _Module(NamedTuple):
    tree_digest: str
    first_party: frozenset[Path]
    third_party: frozenset[str]


def code_of(module: str) -> Code:
    """Return the digest of a first-party module with all it imports, and its distributions' versions."""
    seen: dict[Path, _Module] = {}
    waiting = _files_of(module)
    n_known = len(_known())
    while waiting:
        path = waiting.pop()
        if path not in seen:
            seen[path] = read_module(path, path.stat().st_mtime_ns)
            waiting.extend(seen[path].first_party)
    if len(_known()) > n_known:
        _keep(dict(_known()))
    whole = blake2b(digest_size=16)
    for path in sorted(seen):
        whole.update(f"{path.relative_to(ROOT)}\0{seen[path].tree_digest}\0".encode())
    names = sorted({name for one in seen.values() for name in one.third_party})
    return Code(whole.hexdigest(), {dist: number for name in names for dist, number in _versions(name).items()})


@cache
def read_module(path: Path, _mtime_ns: int) -> _Module:
    """Return what one file says and imports; read again when the file changes."""
    source = path.read_bytes()
    key = blake2b(source, digest_size=16).hexdigest()
    if key not in _known():
        _known()[key] = _said(source, path)
    digest, *imported = _known()[key]
    first_party = {file for name in imported if name.split(".")[0] in FIRST_PARTY for file in _files_of(name)}
    third_party = {name.split(".")[0] for name in imported} - set(FIRST_PARTY) - sys.stdlib_module_names
    return _Module(digest, frozenset(first_party), frozenset(third_party))


def _said(source: bytes, path: Path) -> list[str]:
    """Return a digest of the syntax tree without docstrings, and then the names that are imported."""
    tree = ast.parse(source, filename=str(path))
    imported: set[str] = set()
    for node in ast.walk(tree):
        imported.update(_imports(node))
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.body:
            first = node.body[0].value if isinstance(node.body[0], ast.Expr) else None
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                del node.body[0]  # a docstring
    return [blake2b(ast.dump(tree).encode(), digest_size=16).hexdigest(), *sorted(imported)]


def _kept() -> Path:
    """Return where digests are kept between runs, beside Python's own compiled files: trees take 0.3 s a stage."""
    return ROOT / "pipeline" / "__pycache__" / f"trees.{sys.implementation.cache_tag}.json"


@cache
def _known() -> dict[str, list[str]]:
    """Return what sources said, by the digest of their bytes; added to as more are read."""
    with suppress(OSError, ValueError):
        return _KNOWN.validate_json(_kept().read_bytes())
    return {}


def _keep(known: dict[str, list[str]]) -> None:
    path = _kept()
    draft = path.with_suffix(f".{os.getpid()}")
    with suppress(OSError):  # a checkout that may not be written reads its trees every time
        path.parent.mkdir(exist_ok=True)
        draft.write_text(json.dumps(known if len(known) <= _MOST_KEPT else {}))
        draft.replace(path)


def _imports(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
        return [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return []


def _files_of(name: str) -> list[Path]:
    """Return the file of a dotted first-party name and of its package, as far as they exist."""
    base = ROOT.joinpath(*name.split("."))
    found = [path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file()]
    package = base.parent / "__init__.py"
    return found + ([package] if found and package.is_file() and base.parent != ROOT else [])


@cache
def _versions(name: str) -> dict[str, str]:
    """Return distribution to version for an import name; empty for what no distribution provides."""
    # Reading what every distribution provides takes 0.2 s; most are called what they provide, or Py-that.
    for guess in (name, f"Py{name}"):
        try:
            found = distribution(guess)
        except PackageNotFoundError:
            continue
        if name == guess or name in (found.read_text("top_level.txt") or "").split():
            return {str(found.metadata["Name"]): found.version}
    return {dist: version(dist) for dist in sorted(set(_all_distributions().get(name, [])))}


@cache
def _all_distributions() -> dict[str, list[str]]:
    return {name: list(dists) for name, dists in packages_distributions().items()}

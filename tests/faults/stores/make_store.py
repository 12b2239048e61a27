"""Write `tests/faults/stores/<version>.tar.gz`: a project and its store as this version of tuneloop leaves them.

Run it once before a release, from the clone, and check in what it wrote; every later version is tested to read it.

    PYTHONPATH=.:tests python tests/faults/stores/make_store.py

Thirteen rows, two runs and a tag. What can be made again at any time (indexes, locks) is left out.
"""

import json
import shutil
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

from conftest import NOTES, QUESTIONS, RECIPE, Project, write_tokenizer

from pipeline.tags import tag

HERE = Path(__file__).resolve().parent


def main() -> None:
    """Write the archive; refuse to write over one."""
    name = version("tuneloop")
    if (HERE / f"{name}.tar.gz").exists():
        sys.exit(f"{name}.tar.gz is there: a store that was checked in never changes")
    with tempfile.TemporaryDirectory() as place:
        root = Path(place) / name
        root.mkdir()
        lines = [json.dumps({"q": q, "a": a}) for q, a in QUESTIONS]
        (root / "questions.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
        notes = ["id,text,short", *(f'n{n},"{text}",{short}' for n, (text, short) in enumerate(NOTES))]
        (root / "notes.csv").write_text("\n".join(notes) + "\n", encoding="utf-8")
        (root / "recipe.toml").write_text(RECIPE, encoding="utf-8")
        write_tokenizer(root / "tokenizer")
        project = Project(root)
        project.run()
        tag(project.data, "tiny", "v1")
        project.replace("questions.jsonl", '"the Nile"', '"the river Nile"')
        project.run()
        shutil.rmtree(project.data / "dedupe" / "index")
        for path in [one for one in project.data.rglob("*") if one.name in (".lock", ".holder.json", "tmp")]:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        shutil.make_archive(str(HERE / name), "gztar", place, name)


if __name__ == "__main__":
    main()

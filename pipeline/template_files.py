"""Which template files a person means by a name, a file or a folder.

"slogan" in my_templates/  ->  my_templates/slogan.yaml
"my_templates"               ->  every .yaml in it
"""

from collections.abc import Sequence
from pathlib import Path

from pipeline.template import BUILT_IN
from schemas import ConfigError, DataError, nearest

MINE = Path("my_templates")


def template_files(asked: Sequence[str], dirs: Sequence[Path]) -> list[Path]:
    """Return the files asked for, each once, in the order asked; without any, those of `dirs`.

    A name is looked for in `dirs`, in `my_templates` and among the built-in templates. Without `dirs` and without
    a folder `my_templates`, the built-in ones are meant.

    Raises:
        ConfigError: All that cannot be found, each with the nearest name.
    """
    reach = search_folders(dirs)
    problems: list[DataError] = []
    found: list[Path] = []
    for one in asked or [str(folder) for folder in (reach[:-1] or reach)]:
        path = Path(one).expanduser()
        named = [file for folder in reach if (file := folder / f"{one}.yaml").is_file()]
        if path.is_dir():
            inside = sorted(path.glob("*.yaml"))
            found += inside
            if not inside:
                problems.append(_problem(f"no .yaml file in the folder {one}", one, "name another folder, or a file"))
        elif path.is_file():
            found.append(path)
        elif named:
            found.append(named[0])
        else:
            known = [file.stem for folder in reach for file in folder.glob("*.yaml")]
            problems.append(_problem(f"no template, file or folder {one!r}", one, nearest(path.stem, known)))
    if problem := ConfigError.of(problems):
        raise problem
    return list(dict.fromkeys(found))


def search_folders(dirs: Sequence[Path]) -> list[Path]:
    """Return the folders where names are looked for: the given ones or `my_templates`, the built-in one last."""
    mine = list(dirs) or ([MINE] if MINE.is_dir() else [])
    return [*mine, BUILT_IN]


def _problem(what: str, where: str, fix: str) -> ConfigError:
    return ConfigError(what, where=where, fix=fix)

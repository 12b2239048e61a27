"""The recipe: what to read and how each stage is set. The order of stages is the order of fields here."""

import tomllib
from pathlib import Path

from pydantic import Field, ValidationError

from pipeline.annotate import Annotate
from pipeline.dedupe import Dedupe
from pipeline.engine import Engine
from pipeline.format import Format
from pipeline.ingest import Ingest
from pipeline.split import Split
from pipeline.stage import Stage
from schemas import ConfigError, Strict
from schemas.draft import DraftSettings
from schemas.evaluation import Evaluate
from schemas.publish import PublishSettings
from schemas.review import ReviewSettings
from schemas.training import Encode, Train
from schemas.validation import config_error

SAMPLE = Path(__file__).parent / "recipes" / "sample.toml"


class Recipe(Strict):
    """One recipe file."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$", title="names this recipe's runs in the store")
    template_dirs: list[str] = Field(default=[], title="folders with templates of your own")
    engine: Engine = Field(
        default="local", title="where parts run: on this machine, or on a Ray cluster; the rows are the same"
    )
    ingest: Ingest
    dedupe: Dedupe = Dedupe()
    format: Format = Format()
    annotate: Annotate = Annotate()
    split: Split = Split()
    encode: Encode = Encode()
    train: Train = Train()
    evaluate: Evaluate = Evaluate()
    review: ReviewSettings = ReviewSettings()
    publish: PublishSettings = PublishSettings()
    draft: DraftSettings | None = None

    def stages(self) -> list[Stage]:
        """Return the stages in the order they run."""
        return [self.ingest, self.dedupe, self.format, self.annotate, self.split]


STAGES = ("ingest", "dedupe", "format", "annotate", "split")


def load_recipe(path: Path | None) -> Recipe:
    """Return the recipe in a file, or the sample recipe if none is named.

    Raises:
        ConfigError: The file is missing, no TOML, or holds unknown keys or wrong values; all at once.
    """
    path = path or SAMPLE
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        others = ", ".join(sorted(str(other) for other in path.parent.glob("*.toml"))[:5]) or "none there"
        raise ConfigError(
            f"recipe cannot be read: {error}",
            where=str(path.resolve()),
            fix=f"name a recipe file; .toml files in that folder: {others}",
        ) from error
    try:
        return Recipe.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"not TOML: {error}", where=str(path), fix="mend that line") from error
    except ValidationError as error:
        raise config_error(error, Recipe, str(path)) from error

"""The commands `annotate export` and `annotate preferences`: people's answers out, for other tools and for training."""

import sys
from pathlib import Path
from typing import Annotated

import pyarrow.parquet as pq
from cyclopts import Parameter

from annotation.answers_file import write_answers
from annotation.cli_options import DataRoot
from annotation.desk_cli import RealNames
from annotation.people_names import shown_names
from annotation.preferences import pairs_of, preferences_of
from annotation.voting import voting
from pipeline.annotations import annotation_files, read_annotations
from schemas import ConfigError


def export(
    *,
    to: Annotated[Path, Parameter(help="file to write: .json for everything, .csv for a spreadsheet")],
    data_root: DataRoot = Path("data"),
    names: RealNames = False,
) -> None:
    """Write every answer to a file, each in its latest form, the oldest first.

    Example: tuneloop annotate export --to answers.csv
    """
    answers = read_annotations(annotation_files(data_root).values())
    shown = shown_names(data_root, (answer.annotator for answer in answers), real=names)
    n = write_answers(to, answers, shown)
    sys.stderr.write(f"{n:,} answers of {len(shown):,} people written to {to}\n")
    if names:
        sys.stderr.write("it names people: keep it where only the lead can read it\n")
    sys.stdout.write(f"{to}\n")


def preferences(
    *,
    to: Annotated[Path, Parameter(help="parquet file to write")],
    data_root: DataRoot = Path("data"),
) -> None:
    """Write what people preferred as chosen and rejected, for preference training.

    Example: tuneloop annotate preferences --to preferences.parquet
    """
    if to.suffix != ".parquet":
        raise ConfigError(f"no format goes by {to.suffix!r}", where=str(to), fix="end the name in .parquet")
    files = annotation_files(data_root).values()
    pairs = pairs_of(preferences_of(voting(read_annotations(files), files)))
    try:
        pq.write_table(pairs.table, to)
    except OSError as error:
        raise ConfigError(
            f"cannot be written: {error.strerror}", where=str(to), fix="name a file in a folder that is there"
        ) from error
    sys.stderr.write(
        f"{pairs.table.num_rows:,} pairs from {pairs.n_votes:,} answers; left out: {pairs.n_ties:,} ties, "
        f"{pairs.n_both_bad:,} of which both answers are bad\n"
    )
    alpha = "undefined" if pairs.alpha is None else f"{pairs.alpha:.2f}"
    sys.stderr.write(f"agreement on preferences (Krippendorff's alpha): {alpha}\n")
    sys.stdout.write(f"{to}\n")

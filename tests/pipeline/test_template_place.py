"""A part of a template is found by its line, whatever the style it is written in."""

from pathlib import Path

import pytest

from pipeline.template_place import place

TEXT = """\
name: gloss
prompts:
  plain: |

    one
    {{ two }}
  short: "a\\n{{ b }}"
examples:
  - fields: {word: fen}
    prompt: x
  - prompt: y
"""


@pytest.mark.parametrize(
    ("key", "line_in_text", "line"),
    [
        ("name", None, 1),
        ("prompts.plain", None, 3),
        ("prompts.plain", 3, 6),  # the block's first line is the empty one
        ("prompts.short", 1, 7),
        ("example 1, fields.word", None, 9),
        ("example 2, prompt", None, 11),
        ("example 9, prompt", None, 8),  # as far as the steps lead
        ("review.guideline", None, 1),
    ],
)
def test_a_part_is_told_with_its_line(tmp_path: Path, key, line_in_text, line):
    path = tmp_path / "gloss.yaml"
    path.write_text(TEXT, "utf-8")
    assert place(path, key, line_in_text) == f"{path}:{line}, {key}"


def test_without_a_readable_file_the_part_is_named_alone(tmp_path: Path):
    assert place(tmp_path / "no.yaml", "name") == f"{tmp_path / 'no.yaml'}, name"
    (tmp_path / "bad.yaml").write_text("a: [", "utf-8")
    assert place(tmp_path / "bad.yaml", "name") == f"{tmp_path / 'bad.yaml'}, name"

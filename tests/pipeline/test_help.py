"""Every command says what it does, explains every option, and ends with an example that its parser takes."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cyclopts import App

from pipeline.cli import app, run

ROOT = Path(__file__).resolve().parents[2]
NO_COMMANDS = {"--help", "-h", "--version", "--install-completion"}


def walk(group: App, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name in group:
        if name not in NO_COMMANDS:
            below = group[name]
            yield (*path, name) if below.default_command else (*path, name, "")
            yield from walk(below, (*path, name))


ALL = sorted(path for path in walk(app) if path[-1])


def command(path: tuple[str, ...]) -> App:
    one = app
    for name in path:
        one = one[name]
    return one


def test_there_are_commands_of_commands():
    assert ("annotate", "people", "add") in ALL
    assert len(ALL) > 35


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_the_help_of_a_command_ends_with_an_example(path, capsys):
    assert run([*path, "--help"]) == 0
    said = capsys.readouterr().out.partition("╭")[0]
    examples = [line for line in said.splitlines() if line.startswith("Example: ")]
    assert len(examples) == 1, said
    assert examples[0].startswith(f"Example: tuneloop {' '.join(path)}")
    assert said.rstrip().splitlines()[-1].startswith("Example: ") or said.rstrip().endswith(docstring_end(path))


def docstring_end(path: tuple[str, ...]) -> str:
    """Return the last word of the docstring: long examples are wrapped."""
    return (command(path).default_command.__doc__ or "").split()[-1]


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_every_option_of_a_command_is_explained(path):
    for argument in command(path).assemble_argument_collection():
        assert argument.parameter.help, f"{' '.join(path)}: {argument.name}"


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_the_example_of_a_command_is_one_it_takes(path):
    docstring = command(path).default_command.__doc__ or ""
    # Some show two commands, one under the other or joined by &&.
    examples = re.split(r"&& |(?=\btuneloop )", " ".join(docstring.partition("Example: ")[2].split()))
    ours = [shlex.split(one)[1:] for one in examples if one.startswith("tuneloop ")]
    assert ours
    for words in ours:
        app.parse_args(words, exit_on_error=False, print_error=False)


def test_the_shell_learns_to_complete_commands_and_options(tmp_path):
    home = {"HOME": str(tmp_path), "SHELL": "/bin/bash", "PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)}
    words = [sys.executable, "-m", "pipeline", "--install-completion", "--shell", "bash"]
    subprocess.run(words, env=home, check=True, capture_output=True)
    (script,) = tmp_path.rglob("completions/tuneloop")
    ask = f"""
source {script}
COMP_WORDS=(tuneloop annotate pu); COMP_CWORD=2
"$(complete -p tuneloop | grep -oP '(?<=-F )\\S+')" tuneloop pu annotate
echo "${{COMPREPLY[@]}}"
"""
    done = subprocess.run(["bash", "-c", ask], env=home, check=True, capture_output=True, text=True)
    assert set(done.stdout.split()) == {"push", "pull"}

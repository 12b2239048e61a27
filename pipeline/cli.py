"""The command line. Commands live in `pipeline.commands` and in the other folders' `cli` modules.

They are named by import string, so that `--help` loads none of them. stdout is data, stderr is talk.
"""

import os
import sys
import traceback

from cyclopts import App, CycloptsError

from pipeline.stopping import Terminated, heed, settle
from pipeline.working_copy import with_folder
from schemas.errors import DataError

app = App(
    name="tuneloop",
    help="Instruction-tuning data that people have checked: ingest, dedupe, format, annotate, split.",
    version_flags=["--version"],
    suppress_keyboard_interrupt=False,  # `run` says what an interrupt leaves behind
)
# Help stands here, since finding it in the commands would import them all.
for _target, _help in (
    ("pipeline.commands:data", "bring the data of a recipe up to date"),
    ("train.cli:train", "train on the newest split, evaluate, write the report"),
    ("train.methods_cli:methods", "print the training methods with what trains, rates and reasons"),
    ("train.preview_cli:preview", "show one row as the model sees it: tokens, loss, prompt"),
    ("train.sweep_cli:sweep", "find the learning rate and rank by validation"),
    ("train.compare_cli:compare", "compare two data versions by one base trained on each"),
    ("train.evaluate_cli:evaluate", "judge a model trained anywhere, or answers in a file"),
    ("train.export_cli:export", "write a tuned model for other tools"),
    ("train.draft_cli:draft", "let a model write what nobody has, for people to check"),
    ("pipeline.commands:check", "say what `data` would run and why"),
    ("pipeline.commands:recipe", "print every setting of a recipe"),
    ("pipeline.store_commands:log", "list the runs"),
    ("pipeline.store_commands:show", "show rows of a stage, kept or dropped"),
    ("pipeline.duplicates_command:duplicates", "show what dedupe dropped beside what it kept"),
    ("pipeline.store_commands:diff", "compare two versions"),
    ("pipeline.report_command:report", "write a page about the data: what went, what is left, what changed"),
    ("pipeline.browse_command:browse", "write pages to look through rows, kept and dropped"),
    ("pipeline.store_commands:explain", "tell the whole story of one row"),
    ("pipeline.commands:fsck", "check every byte of the store"),
    ("pipeline.commands:gc", "remove old versions"),
    ("annotation.remove_cli:remove", "remove rows for good, with all that holds them"),
    ("pipeline.commands:tag", "give the newest split a name that stays"),
    ("annotation.publish_cli:publish", "hand a split over: to a folder, a bucket or a hub"),
    ("pipeline.fetch_command:fetch", "bring a published split here, checked"),
    ("pipeline.commands:doctor", "check the installation and the store"),
):
    app.command(_target, name=_target.partition(":")[2], help=_help)
app.command("pipeline.source_cli:app", name="source", help="look at a source, and at what ingest changes in it")
app.command("annotation.cli:app", name="annotate", help="tasks out to Label Studio, people's answers in")
app.command("pipeline.template_cli:app", name="template", help="make, check, look at, list and import templates")
app.command("annotation.feedback_cli:feedback", name="feedback", help="what a training run found, back to people")
# Bash, zsh and fish are told which commands and options there are; writes to the shell's own start-up file, once.
app.register_install_completion_command(help="let the shell complete commands and options")

USAGE, BUG, INTERRUPTED, READER_GONE, TERMINATED = 2, 1, 130, 141, 143


def main(words: list[str] | None = None) -> None:
    """Run one command and exit: 0 ok, 1 bug, 2 usage or recipe, 3 input, 4 gate, 5 service, 6 store."""
    heed()
    # Libraries that would call home are told not to, before any of them is imported.
    os.environ.update(HF_HUB_DISABLE_TELEMETRY="1", DO_NOT_TRACK="1", DATAFOG_NO_TELEMETRY="1")  # doctor looks
    _ask_this_machine_directly()
    # The hub's own name for what is NAME_FILE with every other secret (see `pipeline.secret`).
    if "HF_TOKEN_FILE" in os.environ:
        os.environ.setdefault("HF_TOKEN_PATH", os.environ["HF_TOKEN_FILE"])
    # Threads of a product wait for each other in a loop, and programs on the same cores so hinder one another;
    # measured on two cores, two runs at once train 2.5 times as fast with short loops, one alone as fast as before.
    os.environ.setdefault("GOMP_SPINCOUNT", "2000")
    sys.exit(run(sys.argv[1:] if words is None else words))


def _ask_this_machine_directly() -> None:
    """Let no proxy of the environment come between us and servers on this machine: it could not reach them."""
    if any(name.lower().endswith("_proxy") for name in os.environ):
        kept = os.environ.get("no_proxy") or os.environ.get("NO_PROXY", "")
        direct = ",".join(filter(None, [kept, "localhost", "127.0.0.1", "::1"]))
        os.environ.update(no_proxy=direct, NO_PROXY=direct)


def run(words: list[str]) -> int:
    """Run one command and return its exit code; errors are told on stderr."""
    try:
        if {"--help", "-h"} & set(words):
            _show_docstrings(words)
        words = with_folder(words, sys.stderr.write)
        code = app(words, exit_on_error=False, result_action="return_value")
    except CycloptsError:
        return USAGE  # cyclopts has printed what is wrong and the nearest option
    except DataError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    except KeyboardInterrupt as stop:
        terminated = isinstance(stop, Terminated)
        if terminated:
            settle()
        # Of the processes that `accelerate launch` begins, the first talks.
        if os.environ.get("RANK", "0") == "0":
            sys.stderr.write(
                f"stopped{' by SIGTERM' if terminated else ''}; finished stages are kept, nothing is half-written: "
                "run the same command again\n"
            )
        return TERMINATED if terminated else INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has gone, as with `| head`: end as other programs do, without a traceback.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return READER_GONE
    except Exception:  # noqa: BLE001 - the last place to tell a bug from a mistake
        traceback.print_exc()
        sys.stderr.write("this is a bug in tuneloop: please report it with the lines above\n")
        return BUG
    return code if isinstance(code, int) else 0


def _show_docstrings(words: list[str]) -> None:
    """Let the help of a command be its docstring, with its example; the line above is for lists of commands."""
    _, found, _ = app.parse_commands(words)
    for one in found[1:]:
        if one.default_command is not None:
            one.help = None

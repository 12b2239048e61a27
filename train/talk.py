"""What training says on stderr: a bar on a terminal, a plain line now and then where there is none."""

import importlib
import sys
import time
from contextlib import suppress
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

# Seconds between two plain lines: enough to see that it lives, few enough to read a log.
QUIET_SECONDS = 15.0


class Talk:
    """Tells people how training and evaluation go; of several processes, one does."""

    def __init__(self, *, silent: bool = False) -> None:
        """Say nothing at all if `silent`."""
        self._silent = silent
        self._console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._what = ""
        self._told = 0.0

    def __enter__(self) -> "Talk":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._stop()

    def tell(self) -> Any:  # noqa: ANN401 - `train.prepared.Tell`, whose module loads torch
        """Return what a run tells its news to."""
        return importlib.import_module("train.prepared").Tell(self.line, self.reading, self.asked)

    def line(self, text: str) -> None:
        """Write one line to stderr."""
        if self._silent:
            return
        self._stop()
        # Nobody may be listening any more, as with `2>&1 | head`; the work goes on all the same.
        with suppress(BrokenPipeError):
            sys.stderr.write(text + "\n")

    def reading(self, what: str, at: Any) -> None:  # noqa: ANN401 - `train.loop.Reading`, likewise
        """Tell where the loop stands."""
        nll = "" if at.validation_nll is None else f"  validation {at.measure} {at.validation_nll:.3f}"
        told = (
            f"step {at.step:,}/{at.steps:,}  loss {at.loss:.3f}{nll}  {at.tokens_per_second:,.0f} tokens/s"
            f"  {_minutes(at.seconds_left)} left"
        )
        self._show(what, told, at.step, at.steps, must=bool(nll))

    def asked(self, what: str, done: int, of: int) -> None:
        """Tell how many prompts are answered."""
        self._show(what, f"{done:,}/{of:,} answered", done, of, must=done == of)

    def _show(self, what: str, told: str, done: int, of: int, *, must: bool) -> None:
        if self._silent:
            return
        if self._console.is_terminal:
            if self._bar is None or self._what != what:
                self._stop()
                self._bar = Progress(
                    TextColumn("{task.fields[what]:<9}"), BarColumn(), TextColumn("{task.fields[told]}"),
                    console=self._console, transient=True,
                )  # fmt: skip
                self._bar.start()
                self._task = self._bar.add_task(what, total=of, what=what, told=told)
                self._what = what
            assert self._task is not None
            self._bar.update(self._task, completed=done, told=told)
            return
        now = time.monotonic()
        if must or now - self._told > QUIET_SECONDS or what != self._what:
            self._told, self._what = now, what
            with suppress(BrokenPipeError):
                sys.stderr.write(f"{what:<9} {told}\n")

    def _stop(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def _minutes(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"

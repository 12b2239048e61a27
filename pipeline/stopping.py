"""What becomes of the signal that schedulers, containers and service managers end a program by.

    kubectl delete, docker stop, scancel, systemctl stop
        ->  SIGTERM  ->  Terminated is raised where the program is  ->  one sentence, exit code 143

It is a KeyboardInterrupt, so all that tidies up after Ctrl-C does so here. Work that should come to a good place first,
such as a step of training, holds it back and asks:

    with held_back() as asked:
        for step in steps:
            take(step)
            if asked():
                save()
                raise Terminated
"""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn


class Terminated(KeyboardInterrupt):
    """SIGTERM came."""


def heed() -> None:
    """Let SIGTERM raise `Terminated` in the main thread from now on; the first alone, so that tidying up is not cut."""
    signal.signal(signal.SIGTERM, _raise)


@contextmanager
def held_back() -> Iterator[Callable[[], bool]]:
    """Only note SIGTERM within the block, however often it comes; give what tells whether it came.

    After a block that ended without an error the signal has its effect. In another thread than the main one nothing is
    held back, and the answer is always no: signals never come there.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    came: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: came.append(number))
    try:
        yield lambda: bool(came)
    finally:
        signal.signal(signal.SIGTERM, before)
    if came:
        signal.raise_signal(signal.SIGTERM)


def _raise(_number: int, _frame: FrameType | None) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Terminated

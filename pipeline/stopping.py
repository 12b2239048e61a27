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
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_LOOK_AGAIN = 1.0  # seconds


class Terminated(KeyboardInterrupt):
    """SIGTERM came."""


def heed() -> None:
    """Let SIGTERM raise `Terminated` in the main thread from now on, but not where one is being tidied up after."""
    for number in (signal.SIGTERM, signal.SIGALRM):
        signal.signal(number, _raise)


def settle() -> None:
    """Raise nothing any more: what is left is to say so and to end."""
    for number in (signal.SIGTERM, signal.SIGALRM):
        signal.signal(number, signal.SIG_IGN)


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


def _raise(_number: int, _frame: FrameType | None) -> None:
    if _is_on_its_way(sys.exc_info()[1]):
        return
    # Python swallows what is raised while an object is taken apart, and nobody sends SIGTERM twice: look again.
    signal.setitimer(signal.ITIMER_REAL, _LOOK_AGAIN)
    raise Terminated


def _is_on_its_way(error: BaseException | None) -> bool:
    """Return whether an error that is being handled is `Terminated`, or came while it was."""
    while error is not None and not isinstance(error, Terminated):
        error = error.__context__
    return error is not None

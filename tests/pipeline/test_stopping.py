import os
import signal
import subprocess
import sys
import threading

import pytest

from pipeline.stopping import Terminated, held_back
from tests.conftest import ROOT


def ends(code: str) -> "subprocess.CompletedProcess[str]":
    """Run code in which SIGTERM is heeded, in a process of its own."""
    begin = "import os, signal, sys, time\nfrom pipeline.stopping import Terminated, heed, held_back\nheed()\n"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-c", begin + code], env=environment, capture_output=True, text=True, timeout=60, check=False
    )


TIDY = """
try:
    try:
        signal.raise_signal(signal.SIGTERM)
    finally:
        until = time.monotonic() + 1.5  # longer than until it is looked whether the first one was lost
        while time.monotonic() < until:
            time.sleep(0.01)
        signal.raise_signal(signal.SIGTERM)  # an impatient sender
        print("tidied up")
except Terminated:
    print("ended")
"""


def test_tidying_up_is_not_cut_short_by_a_second_signal():
    assert ends(TIDY).stdout == "tidied up\nended\n"


SWALLOWED = """
class Taken:
    def __del__(self):
        signal.raise_signal(signal.SIGTERM)
Taken()  # Python prints what a destructor raises, and goes on
print("goes on", flush=True)
try:
    time.sleep(50)
except Terminated:
    print("ended")
"""


def test_a_signal_that_python_swallows_is_not_lost():
    done = ends(SWALLOWED)
    assert done.stdout == "goes on\nended\n"
    assert "Exception ignored" in done.stderr


def test_a_signal_that_is_held_back_has_its_effect_after_the_block():
    said = ends(
        "try:\n    with held_back() as asked:\n        signal.raise_signal(signal.SIGTERM)\n"
        "        print(asked())\n    print('never')\nexcept Terminated:\n    print('ended')\n"
    )
    assert said.stdout == "True\nended\n"


def test_an_error_of_the_block_goes_before_the_signal_and_the_handler_of_before_is_back():
    before = signal.getsignal(signal.SIGTERM)

    def fail():
        with held_back() as asked:
            signal.raise_signal(signal.SIGTERM)
            assert asked()
            raise ValueError("other")

    with pytest.raises(ValueError, match="other"):
        fail()
    assert signal.getsignal(signal.SIGTERM) == before


def test_in_another_thread_nothing_is_held_back():
    seen = []

    def look():
        with held_back() as asked:
            seen.append(asked())

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [False]


def test_it_is_a_keyboard_interrupt_so_that_all_that_tidies_up_after_ctrl_c_does():
    assert issubclass(Terminated, KeyboardInterrupt)

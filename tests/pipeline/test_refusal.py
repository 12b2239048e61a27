"""An error of the disk or the memory becomes a sentence with the cure that fits it."""

import errno
import os
from pathlib import Path

import pytest

from pipeline.refusal import told_refusals
from schemas import SnapshotError


@pytest.mark.parametrize(
    ("number", "cure"),
    [
        (errno.ENOSPC, "tuneloop gc"),
        (errno.EROFS, "permissions"),
        (errno.EMFILE, "ulimit -n"),
        (errno.EFBIG, "ulimit -f"),
        (errno.EIO, "disk is failing"),
        (errno.EDQUOT, "quota"),
    ],
)
def test_each_refusal_of_the_disk_has_its_cure(number, cure):
    with pytest.raises(SnapshotError) as caught, told_refusals("the store", Path("data")):
        raise OSError(number, os.strerror(number), "data/split/tmp/part")
    assert caught.value.exit_code == 6
    assert caught.value.what == f"the store could not be written: {os.strerror(number)}"
    assert caught.value.where == "data/split/tmp/part"
    assert cure in caught.value.fix


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("can't start new thread")])
def test_too_little_memory_for_rows_or_for_a_thread_is_said(error):
    with pytest.raises(SnapshotError, match="too little memory") as caught, told_refusals("the store", Path("data")):
        raise error
    assert "--workers 1" in caught.value.fix


@pytest.mark.parametrize("error", [RuntimeError("a bug"), BrokenPipeError(errno.EPIPE, "gone"), ValueError("a bug")])
def test_bugs_and_a_reader_that_has_gone_stay_what_they_are(error):
    with pytest.raises(type(error)) as caught, told_refusals("the store", Path("data")):
        raise error
    assert caught.value is error

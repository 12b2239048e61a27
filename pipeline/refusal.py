"""What the disk or the memory refuses, as a sentence with a cure.

    OSError 28   ->   the store could not be written: No space left on device (exit code 6)

A reader of our output that has gone is no refusal: the command line knows what that means.
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from schemas import SnapshotError

_ROOM = "free space or mend the permissions (`tuneloop gc` removes old versions), then run again"
_FILES = "let this program open more files (`ulimit -n 4096`), then run again"
_CURES = {
    errno.EMFILE: _FILES,
    errno.ENFILE: _FILES,
    errno.EFBIG: "let this program write larger files (`ulimit -f unlimited`), then run again",
    errno.EIO: "look whether the disk is failing, take a copy of the store, then run `tuneloop fsck` and this again",
    errno.EDQUOT: "free space within your quota (`tuneloop gc` removes old versions), then run again",
}


@contextmanager
def told_refusals(what: str, place: Path) -> Iterator[None]:
    """Run the block, and tell an error of the disk or a lack of memory as one that people can mend.

    Args:
        what: Is being written, for the message.
        place: Where, if the error does not know.

    Raises:
        SnapshotError: The disk is full, broken or not to be written, or there is too little memory.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise SnapshotError(
            f"{what} could not be written: {error.strerror or error}",
            where=str(error.filename or place),
            fix=f"{_CURES.get(error.errno or 0, _ROOM)}; the store is as it was",
        ) from error
    except (MemoryError, RuntimeError) as error:
        # A thread needs memory for its stack; Python has no other type for this.
        if isinstance(error, RuntimeError) and "can't start new thread" not in str(error):
            raise
        raise SnapshotError(
            f"{what} could not be written: there is too little memory",
            where=str(place),
            fix="run again with --workers 1, end other programs, or take a machine with more memory; "
            "the store is as it was",
        ) from error

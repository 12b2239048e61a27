"""Ray: parts as tasks on the processes of a cluster, results in the order of the parts.

    cluster = Cluster.start(workers=2)
    list(cluster.map(run_part, jobs))    [PartRecord, PartRecord, ...]
    cluster.stop()

Tasks read and write files of the store, so every machine must see its folder, and the folder the command was run in,
under the same path. They run the command's own code: a worker whose checkout or packages differ refuses. A worker that
is killed costs its task another try. Loaded by `pipeline.engine` only, when a recipe asks for Ray.
"""

import mmap
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import ray
from numpy.typing import NDArray
from ray.exceptions import RayError, RayTaskError

from pipeline.code import FIRST_PARTY, ROOT, code_of
from pipeline.ray_address import cluster_address
from schemas import ConfigError, DataError, ServiceError, SnapshotError

Unit = TypeVar("Unit")
Result = TypeVar("Result")

# A worker may be killed this often before its part is given up.
RETRIES = 3
_SECONDS_TO_END = 10.0
_OURS = "127.0.0.1"
_ENDINGS = frozenset((".py", ".yaml", ".toml"))
_MOST_TOLD = 300


class Checkout(NamedTuple):
    """What makes rows what they are: the bytes of the code and its word lists, and the packages it imports."""

    code: str
    packages: dict[str, str]


@dataclass(frozen=True)
class Home:
    """Where a command runs and with what; goes with every task.

    Attributes:
        folder: Relative paths start there.
        checkout: Of the command.
    """

    folder: Path
    checkout: Checkout


@dataclass
class Cluster:
    """A Ray that this process has joined.

    Attributes:
        home: What tasks are told.
        private: Folder of a Ray of our own, gone when it stops; None where another process started it.
        joined: Whether this object joined it, and has to leave.
    """

    home: Home
    private: Path | None
    joined: bool
    terminated: Any = None

    @staticmethod
    def start(workers: int | None) -> "Cluster":
        """Join the cluster that $RAY_ADDRESS names, or start a Ray on this machine that nobody else can reach.

        Args:
            workers: Processes of a Ray of our own; by default one a core. A cluster has those it has.

        Raises:
            ServiceError: It does not answer or does not let us in, or our own does not start.
        """
        home = Home(Path.cwd(), checkout())
        # Ray tells what befell its workers on stdout, which is for data, in paragraphs.
        ray._private.worker.print_to_stdstream = _tell
        if ray.is_initialized():
            ray.util.register_serializer(np.memmap, serializer=place_of, deserializer=mapped)
            return Cluster(home, None, False)
        address = cluster_address()
        private = None if address else Path(tempfile.mkdtemp(prefix="tuneloop-ray-"))
        before = signal.getsignal(signal.SIGTERM)
        cluster = Cluster(home, private, True, before)
        quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
        try:
            if private:
                _start_here(workers or len(os.sched_getaffinity(0)), private, quiet)
            else:
                ray.init(address=address, **quiet)
        except BaseException as error:
            cluster.stop()
            if isinstance(error, Exception):  # Ray raises all kinds here, Exception itself among them
                raise _not_there(address, error) from error
            raise
        ray.util.register_serializer(np.memmap, serializer=place_of, deserializer=mapped)
        if threading.current_thread() is threading.main_thread():
            # A scheduler's SIGTERM ends a run as Ctrl-C does: Ray's own handler would exit with 1 and leave our files.
            signal.signal(signal.SIGTERM, signal.default_int_handler)
        return cluster

    def stop(self) -> None:
        """Leave the cluster; one of our own ends with all its processes."""
        if not self.joined:
            return
        ray.shutdown()
        if self.private:
            shutil.rmtree(self.private, ignore_errors=True)
        if threading.current_thread() is threading.main_thread() and self.terminated is not None:
            signal.signal(signal.SIGTERM, self.terminated)

    def map(self, function: Callable[[Unit], Result], units: Sequence[Unit]) -> Iterator[Result]:
        """Yield `function(unit)` for every unit, in order; the first error ends the others and is raised as it was.

        Raises:
            SnapshotError: A part's workers were killed `RETRIES` times, or something else of Ray failed.
        """
        shared, home = ray.put(function), ray.put(self.home)
        run: Any = ray.remote(_run).options(num_cpus=1, max_retries=RETRIES)
        waiting = [run.remote(home, shared, unit) for unit in units]
        try:
            while waiting:
                result = ray.get(waiting[0])
                waiting.pop(0)
                yield result
        except RayTaskError as error:
            cause = getattr(error, "cause", error)
            if isinstance(cause, RayTaskError):
                raise
            # A bug keeps the worker's traceback; a DataError says all there is to say.
            raise cause from (None if isinstance(cause, DataError) else error)
        except RayError as error:
            raise SnapshotError(
                f"{type(error).__name__}: a worker of Ray was lost and its part could not be run again",
                where=f"{len(units)} parts on {len(_machines())} machines of Ray",
                fix="most often memory is short: run again with fewer --workers or on more machines, "
                "or with --engine local; the store is as it was",
            ) from error
        finally:
            for one in waiting:
                # By force, so that nobody still writes when the folder of this run goes.
                ray.cancel(one, force=True)
            if waiting:
                ray.wait(waiting, num_returns=len(waiting), timeout=_SECONDS_TO_END)


def _run(home: Home, function: Callable[[Unit], Result], unit: Unit) -> Result:
    """Run one part on a worker."""
    check_worker(home)
    return function(unit)


def check_worker(home: Home) -> None:
    """Stand where the command stands.

    Raises:
        ConfigError: This machine has no such folder, or other code or packages.
    """
    host = socket.gethostname()
    try:
        os.chdir(home.folder)
    except OSError as error:
        raise ConfigError(
            f"a worker on {host} has no folder {home.folder}: {error.strerror}",
            where="engine ray",
            fix="let all machines of the cluster mount it under that path; store and sources are read through it",
        ) from error
    mine, theirs = checkout(), home.checkout
    if mine.code != theirs.code:
        raise ConfigError(
            f"a worker on {host} runs other code than this command",
            where=f"{ROOT} on {host}",
            fix="put the same commit there, or a folder that all machines mount, and start Ray again",
        )
    if mine.packages != theirs.packages:
        differ = sorted(set(mine.packages.items()) ^ set(theirs.packages.items()))
        names = ", ".join(dict.fromkeys(name for name, _ in differ))
        raise ConfigError(
            f"a worker on {host} has other versions of {names} than this command",
            where=f"{sys.executable} on {host}",
            fix="install from the same lock on all machines (`make setup`), and start Ray again",
        )


@cache
def checkout() -> Checkout:
    """Return what this process runs."""
    whole = blake2b(digest_size=16)
    for folder in FIRST_PARTY:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in _ENDINGS:
                whole.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes() + b"\0")
    return Checkout(whole.hexdigest(), code_of("pipeline.run").distributions)


Place = tuple[str, int, str, tuple[int, ...]]


def place_of(array: "np.memmap[Any, Any]") -> Place | NDArray[Any]:
    """Return where in which file a mapped array lies, or a copy of one that lies in no named file or not in one piece.

    So arrays that are as long as the store travel as a path, and the machines read them from the shared folder.
    """
    file: Any = array.filename
    if file is None or not array.flags.c_contiguous or not array.size:
        return np.array(array)
    mapping: Any = array._mmap  # type: ignore[attr-defined]
    start = np.frombuffer(mapping, np.uint8).ctypes.data
    # A file is mapped from a whole page on.
    skipped = array.offset - array.offset % mmap.ALLOCATIONGRANULARITY
    return str(file), array.ctypes.data - start + skipped, array.dtype.str, array.shape


def mapped(place: Place | NDArray[Any]) -> NDArray[Any]:
    """Return the array that `place_of` was asked about."""
    if isinstance(place, np.ndarray):
        return place
    file, at, kind, shape = place
    return np.memmap(file, np.dtype(kind), "r", at, shape)


def _start_here(workers: int, private: Path, quiet: Mapping[str, Any]) -> None:
    """Start a Ray on this machine.

    Raises:
        ServiceError: It can be reached from other machines.
    """
    for again in (True, False):
        try:
            ray.init(
                address="local",
                num_cpus=workers,
                num_gpus=0,
                include_dashboard=False,
                _temp_dir=str(private),
                **quiet,
            )
            break
        except Exception:
            # Ray waits half a minute for its servers, which a busy machine may not start by then.
            ray.shutdown()
            if not again:
                raise
    found = _machines()
    if found != {_OURS}:
        raise ServiceError(
            f"Ray listens on {', '.join(sorted(found))} and not on {_OURS} alone",
            where="engine ray",
            fix="`import ray` must not come before tuneloop's own start of it; or use --engine local",
        )


def _tell(data: Mapping[str, Any], ignore_prefix: bool = False) -> None:
    """Say on stderr, in a line, what Ray has to say of its workers."""
    del ignore_prefix
    for text in data["lines"]:
        if "retries remaining" in text:
            sys.stderr.write("ray: a worker was lost; its part is run again\n")
        elif "worker died" not in text:  # the line above follows
            sys.stderr.write(f"ray: {' '.join(text.split())[:_MOST_TOLD]}\n")


def _machines() -> set[str]:
    nodes: Any = ray.nodes  # untyped
    return {str(node["NodeManagerAddress"]) for node in nodes()}


def _not_there(address: str | None, error: BaseException) -> ServiceError:
    if isinstance(error, ServiceError):
        return error
    told = str(error).strip().partition("\n")[0]
    if address is None:
        return ServiceError(f"Ray does not start here: {told}", where="engine ray", fix="use --engine local")
    return ServiceError(
        f"no Ray cluster lets us in: {told}",
        where=f"RAY_ADDRESS={address}",
        fix="start it (`ray start --head`), mend the address or the token, or unset RAY_ADDRESS for this machine alone",
    )

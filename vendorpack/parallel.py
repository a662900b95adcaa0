"""Do shares of work in parallel: in forked processes where that is safe, else in threads.

Processes are what makes unpacking fast: half of it is the interpreter's own work, which
threads cannot share. A child inherits everything by `fork` and reports through a pipe: bytes
done, or the error that ended it. `Workers` are such children that wait for work, so that it
can come up while threads are busy with other things.
"""

from __future__ import annotations

import collections
import os
import queue
import resource
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeAlias, TypeVar, cast

from vendorpack.errors import StoreError, VendorpackError

if TYPE_CHECKING:
    from concurrent.futures import Future
    from multiprocessing.connection import Connection

T = TypeVar("T")
R = TypeVar("R")
Progress: TypeAlias = Callable[[int], None]

_OTHER_DESCRIPTORS: Final = 40
"""Open files of a process besides those of its jobs."""


def split_evenly(items: Sequence[T], size: Callable[[T], int], parts: int) -> list[Sequence[T]]:
    """Cut `items` into at most `parts` runs of about the same total size; none is empty."""
    total = sum(map(size, items))
    runs: list[Sequence[T]] = []
    start, done = 0, 0
    for index, item in enumerate(items, 1):
        done += size(item)
        if len(runs) < parts - 1 and done * parts >= total * (len(runs) + 1):
            runs.append(items[start:index])
            start = index
    if start < len(items):
        runs.append(items[start:])
    return runs


def run_shares(
    work: Callable[[T, Progress], None], shares: Sequence[T], progress: Progress | None = None
) -> None:
    """Call `work(share, done)` for every share at the same time.

    `done` takes the number of bytes done since its last call; `work` should call it often,
    since that is when it learns that nobody waits for it any more. The first error ends all
    shares and is raised here. Nothing that `work` changes in memory can be relied on.
    """
    report = progress or _ignore
    if len(shares) <= 1:
        for share in shares:
            work(share, report)
    elif _may_fork():
        _run_processes(work, shares, report)
    else:
        _run_threads(work, shares, report)


def in_order(function: Callable[[T], R], items: Iterable[T], *, jobs: int) -> Iterator[R]:
    """Like the built-in `map`, in `jobs` threads.

    `items` are drawn by the caller's thread, at most `jobs` ahead of the results taken.
    """
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - costs 10 ms

    pending: collections.deque[Future[R]] = collections.deque()
    with ThreadPoolExecutor(max(jobs, 1), "worker") as pool:
        try:
            for item in items:
                pending.append(pool.submit(function, item))
                if len(pending) > jobs:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()


def within_descriptors(jobs: int, each: int) -> int:
    """How many of `jobs` this process may run at once, if one has `each` files or so open.

    The usual limit of open files is 1,024 on Linux and 256 on macOS, and a user may set less.
    """
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if limit == resource.RLIM_INFINITY:
        return jobs
    return max(1, min(jobs, (limit - _OTHER_DESCRIPTORS) // each))


def _ignore(_count: int) -> None:
    pass


def _may_fork() -> bool:
    # A fork copies only the thread that asks for it: locks that others hold stay locked. On
    # macOS system libraries start threads of their own.
    return sys.platform == "linux" and threading.active_count() == 1


class Workers:
    """Processes that wait for calls; to be made before there are threads.

    Where no process can be forked, or none shall be, as many threads do the calls. Else a call's
    function and arguments are pickled, and what it changes in memory is lost. Close it, or use it
    with `with`.
    """

    def __init__(self, count: int, *, fork: bool = True) -> None:
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - costs 10 ms

        self._children: dict[int, Connection[Any, Any]] = {}
        self._idle: queue.SimpleQueue[Connection[Any, Any]] = queue.SimpleQueue()
        if fork and _may_fork():
            try:
                for _ in range(count):
                    self._fork()
            except BaseException:
                self._end()
                raise
        self._threads = ThreadPoolExecutor(count, "worker")

    def submit(self, function: Callable[..., R], *arguments: object, label: str) -> Future[R]:
        """Call `function(*arguments)` when a worker is free.

        `label` names what it is about in the `StoreError` that a dead worker is.
        """
        if not self._children:
            return self._threads.submit(function, *arguments)
        return self._threads.submit(self._call, label, function, arguments)

    def close(self) -> None:
        """Wait for the calls under way, and end the processes."""
        self._threads.shutdown(cancel_futures=True)
        self._end()

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _fork(self) -> None:
        from multiprocessing.connection import Pipe  # noqa: PLC0415 - costs 10 ms

        ours, theirs = Pipe()
        with theirs:
            pid = os.fork()
            if not pid:
                for pipe in (*self._children.values(), ours):
                    pipe.close()  # else nobody would see that the parent is gone
                _serve(theirs)
            self._children[pid] = ours
            self._idle.put(ours)

    def _call(self, label: str, function: Callable[..., R], arguments: tuple[object, ...]) -> R:
        pipe = self._idle.get()
        try:
            pipe.send((function, arguments))
            done, answer = pipe.recv()
        except (EOFError, OSError):
            raise StoreError(
                f"a worker process ended early while it was busy with {label}",
                fix="Is there enough memory?",
            ) from None
        finally:
            self._idle.put(pipe)  # a dead one too: who gets it next shall not wait for ever
        if done:
            return cast("R", answer)
        raise cast("Exception", answer)

    def _end(self) -> None:
        for pid, pipe in self._children.items():
            pipe.close()
            os.waitpid(pid, 0)
        self._children.clear()


def _serve(pipe: Connection[Any, Any]) -> NoReturn:
    """Do what comes through the pipe until it is closed, without the parent's clean-up."""
    status = 1
    try:
        for number in (signal.SIGINT, signal.SIGTERM):  # sent to all: the parent's to answer
            signal.signal(number, signal.SIG_IGN)
        while True:
            try:
                function, arguments = pipe.recv()
            except EOFError:
                break
            try:
                pipe.send((True, function(*arguments)))
            except VendorpackError as error:
                pipe.send((False, error))
            except Exception:
                pipe.send((False, RuntimeError(traceback.format_exc())))
        status = 0
    finally:
        os._exit(status)


# -- threads -------------------------------------------------------------------------------


class _StoppedError(Exception):
    """Another share failed."""


def _run_threads(
    work: Callable[[T, Progress], None], shares: Sequence[T], report: Progress
) -> None:
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - costs 10 ms

    lock = threading.Lock()
    failed = threading.Event()

    def done(count: int) -> None:
        if failed.is_set():
            raise _StoppedError
        with lock:
            report(count)

    def one(share: T) -> None:
        try:
            work(share, done)
        except BaseException:
            failed.set()
            raise

    with ThreadPoolExecutor(len(shares), "share") as pool:
        try:
            futures = [pool.submit(one, share) for share in shares]
            problems = [error for future in futures if (error := future.exception())]
        except BaseException:
            failed.set()
            raise
    for problem in sorted(problems, key=lambda error: isinstance(error, _StoppedError)):
        raise problem


# -- processes -----------------------------------------------------------------------------


def _run_processes(
    work: Callable[[T, Progress], None], shares: Sequence[T], report: Progress
) -> None:
    from multiprocessing.connection import Pipe, wait  # noqa: PLC0415 - costs 10 ms

    children: list[int] = []
    pipes: list[Connection[Any, Any]] = []
    try:
        for share in shares:
            reading, writing = Pipe(duplex=False)
            pipes.append(reading)
            with writing:
                pid = os.fork()
                if not pid:
                    for pipe in pipes:
                        pipe.close()  # else nobody would see that the parent is gone
                    _child(work, share, writing)
                children.append(pid)
        talking = list(pipes)
        while talking:
            for pipe in cast("list[Connection[Any, Any]]", wait(talking)):
                try:
                    message = pipe.recv()
                except EOFError:
                    talking.remove(pipe)
                    continue
                if isinstance(message, Exception):
                    raise message
                report(message)
    except BaseException:
        for pid in children:
            os.kill(pid, signal.SIGKILL)
        raise
    finally:
        statuses = [os.waitpid(pid, 0)[1] for pid in children]
        for pipe in pipes:
            pipe.close()
    if any(statuses):
        raise StoreError(
            f"a worker process ended early (status {max(statuses)})",
            fix="Is there enough memory? Try --jobs 1.",
        )


def _child(
    work: Callable[[T, Progress], None], share: T, writing: Connection[Any, Any]
) -> NoReturn:
    """Do one share and end the process, whatever happens, without the parent's clean-up."""
    status = 1
    try:
        try:
            # Sending fails if the parent is gone; then the child ends too.
            work(share, writing.send)
            status = 0
        except VendorpackError as error:
            writing.send(error)
        except BrokenPipeError:
            pass
        except MemoryError as error:
            writing.send(error)
        except Exception:
            writing.send(RuntimeError(traceback.format_exc()))
    finally:
        os._exit(status)

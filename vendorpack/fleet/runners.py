"""Who carries tasks out: processes of this machine, or a dask cluster's workers."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any, Final

from vendorpack.errors import FetchError, StoreError
from vendorpack.fleet.task import Outcome, Task, carry_out, warm_up
from vendorpack.optional import load_extra

_SHARE: Final = 500
"""Artifacts that it is worth while to start a command for."""


def here(tasks: Iterable[Task], at_once: int) -> Generator[Outcome]:
    """Outcomes as they come; so many tasks run at a time."""
    with ThreadPoolExecutor(at_once, "pack") as pool:  # each waits for a process
        try:
            for future in as_completed([pool.submit(carry_out, task) for task in tasks]):
                yield future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def on_dask(tasks: Iterable[Task], address: str) -> Generator[Outcome]:
    """Outcomes as they come from the workers of the scheduler at an address (`tcp://…`).

    It gives a task of a worker that died to another. What one bundle needs of very many artifacts
    is fetched by several workers before one packs. Raises `UsageError`, `FetchError`.
    """
    distributed = load_extra("distributed", "a cluster takes the package distributed", "dask")
    try:
        client = distributed.Client(address)
    except (OSError, ValueError) as error:
        raise FetchError(
            f"the scheduler cannot be reached: {error}",
            where=address,
            fix="Name it as `dask scheduler` does: --dask tcp://HOST:8786",
        ) from None
    with client:
        workers = len(client.nthreads())
        futures = {}
        for task in tasks:
            shares = min(workers, task.artifacts // _SHARE)
            # Functions of their arguments alone: the scheduler may call them again, anywhere.
            warmed = [
                client.submit(warm_up, task, f"{number + 1}/{shares}", pure=False)
                for number in range(shares if shares > 1 else 0)
            ]
            futures[client.submit(carry_out, task, warmed, pure=False)] = task
        for future in distributed.as_completed(futures):
            task = futures[future]
            if future.status == "finished":
                yield future.result()
            else:
                yield Outcome(task.name, task.folder, task.key, "failed").failed(_lost(future))


def _lost(future: Any) -> StoreError:
    """Why there is no outcome: a task's own errors are one."""
    error = None if future.cancelled() else future.exception()
    return StoreError(
        f"the cluster gave it up: {error}" if error else "the cluster's scheduler is gone",
        fix="Do workers have enough memory? Run it again with --resume.",
    )

"""Run a coroutine so that an interrupt ends it cleanly, whenever it comes."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Coroutine
from types import FrameType
from typing import Any, TypeVar

T = TypeVar("T")


def run(work: Coroutine[Any, Any, T]) -> T:
    """`asyncio.run`, which SIGTERM ends as Ctrl-C does: the work is cancelled where it waits.

    asyncio does this for SIGINT alone, and not where that is ignored, as in a script's job in the
    background. An exception raised by a signal's handler instead would come up in whichever task
    runs just then, and leave others that nobody waits for. Raises `KeyboardInterrupt`.
    """
    if threading.current_thread() is not threading.main_thread():
        return asyncio.run(work)  # where signals cannot be handled, and none come
    with asyncio.Runner() as runner:
        loop = runner.get_loop()
        if "VENDORPACK_DEBUG" not in os.environ:
            loop.set_exception_handler(lambda _loop, _context: None)
        task: asyncio.Task[None] | None = None
        terminated = False
        results: list[T] = []

        async def cancellable() -> None:
            """Not with the result: `Runner` ends with a handler's `repr`, which has all of it."""
            nonlocal task
            task = asyncio.current_task()
            results.append(await work)

        def terminate(_number: int, _frame: FrameType | None) -> None:
            nonlocal terminated
            if terminated or task is None:
                raise KeyboardInterrupt
            terminated = True
            loop.call_soon_threadsafe(task.cancel)

        before = signal.signal(signal.SIGTERM, terminate)
        try:
            runner.run(cancellable())
        except asyncio.CancelledError:
            if terminated:
                raise KeyboardInterrupt from None
            raise
        finally:
            signal.signal(signal.SIGTERM, before)
        return results[0]

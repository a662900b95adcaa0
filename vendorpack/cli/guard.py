"""What stands between a command and its user: errors become messages and exit codes."""

from __future__ import annotations

import functools
import os
import sys
import traceback
from collections.abc import Callable
from typing import Any

import typer

from vendorpack.console import Console
from vendorpack.errors import StoreError, VendorpackError

Command = Callable[..., None]


def guarded(command: Command) -> Command:
    """Turn errors into messages and exit codes; nothing else may reach the user."""

    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        as_json = bool(kwargs.get("as_json"))
        console = Console(as_json=as_json)
        try:
            command(*args, **kwargs)
        except VendorpackError as error:
            console.fail(error)
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt:
            console.say("interrupted; what was verified is kept in the store")
            raise typer.Exit(130) from None
        except BrokenPipeError:
            # Whoever read our output is gone. Python would complain once more at its end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(141) from None
        except OSError as error:
            where = str(error.filename) if error.filename else None
            console.fail(StoreError(error.strerror or str(error), where=where))
            raise typer.Exit(StoreError.exit_code) from None
        except (RecursionError, MemoryError) as error:
            console.fail(VendorpackError(f"the input is too large or too deep: {error}"))
            raise typer.Exit(1) from None
        except (typer.Exit, typer.Abort):
            raise
        except Exception as error:
            if "VENDORPACK_DEBUG" in os.environ:
                traceback.print_exc()
            console.fail(
                VendorpackError(
                    f"a defect in vendorpack: {type(error).__name__}: {error}",
                    fix="Please report it, with the output of VENDORPACK_DEBUG=1.",
                )
            )
            raise typer.Exit(1) from None

    return run

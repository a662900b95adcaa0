"""What stands between a command and its user: errors become messages and exit codes."""

from __future__ import annotations

import errno
import functools
import os
import traceback
from collections.abc import Callable
from typing import Any, Final

import typer

from vendorpack.cli.surroundings import console_beside
from vendorpack.console import Console
from vendorpack.errors import UsageError, VendorpackError
from vendorpack.files.disk import system_error

Command = Callable[..., None]

_NO_MEMORY: Final = (
    "can't start new thread",
    "not enough memory",
    "annot allocate memory",
    "failed to map segment",  # of a library that is loaded
    "without exception set",  # an extension that does not say it
    "without setting an exception",
)
"""How libraries say that there is none left, in exceptions of many kinds."""


def guarded(command: Command) -> Command:
    """Turn errors into messages and exit codes; nothing else may reach the user."""

    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        console = console_beside(
            (kwargs.get("output"), kwargs.get("oci")), as_json=bool(kwargs.get("as_json"))
        )
        code = carried_out(lambda: command(*args, **kwargs), console)
        if code:
            raise typer.Exit(code)

    return run


def carried_out(work: Callable[[], None], console: Console) -> int:
    """Do the work; its exit code, once the console was told what went wrong."""
    try:
        work()
    except VendorpackError as error:
        failed = error
    except KeyboardInterrupt:
        console.say("interrupted; what was verified is kept in the store")
        return 130
    except BrokenPipeError:
        return 141  # whoever read our output is gone
    except OSError as error:
        failed = system_error(error)
    except (typer.Exit, typer.Abort):
        raise
    except Exception as error:
        if "VENDORPACK_DEBUG" in os.environ:
            traceback.print_exc()
        failed = _explained(error)
    else:
        return 0
    console.fail(failed)
    return failed.exit_code


def _explained(error: Exception) -> VendorpackError:
    if isinstance(error, MemoryError) or any(words in str(error) for words in _NO_MEMORY):
        return system_error(OSError(errno.ENOMEM, str(error)))
    if isinstance(error, RecursionError):
        return VendorpackError(f"the input is nested too deeply: {error}")
    return VendorpackError(
        f"a defect in vendorpack: {type(error).__name__}: {error}",
        fix="Please report it, with the output of VENDORPACK_DEBUG=1.",
    )


def misuse(error: Exception) -> UsageError | None:
    """What Typer has to say about the command line, in our words; None for any other error.

    Without any arguments the help is what it says; that is shown as it is, with exit code 2.
    """
    if not hasattr(error, "format_message"):
        return None  # click's exceptions, wherever Typer has them from
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()  # type: ignore[attr-defined]
        raise SystemExit(UsageError.exit_code)
    text = str(error.format_message()).strip().removesuffix(".")
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "vendorpack"
    return UsageError(text[:1].lower() + text[1:], fix=f"See `{command} --help`.")

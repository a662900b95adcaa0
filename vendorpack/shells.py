"""Variables in the words of each shell, and of what else reads them from a text."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from vendorpack.environment import single_quoted
from vendorpack.errors import UsageError


def _fish(name: str, value: str) -> str:
    quoted = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"set -gx {name} '{quoted}'"


def _csh(name: str, value: str) -> str:
    # History is expanded even within single quotes.
    return f"setenv {name} {single_quoted(value)}".replace("!", "\\!")


def _nu(name: str, value: str) -> str:
    # Its double quotes expand nothing but escapes.
    quoted = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'$env.{name} = "{quoted}"'


def _cmd(name: str, value: str) -> str:
    # As a line of a .cmd file, where % begins a variable; the last quote ends the value.
    return f'@set "{name}={value}"'.replace("%", "%%")


def _dockerfile(name: str, value: str) -> str:
    quoted = value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$")
    return f'ENV {name}="{quoted}"'


_PWSH_QUOTES: Final = re.compile("['\u2018-\u201b]")
"""PowerShell takes the curly ones for quotes too (`CharTraits.IsSingleQuote`)."""


def _pwsh(name: str, value: str) -> str:
    return f"$env:{name} = '" + _PWSH_QUOTES.sub(r"\g<0>\g<0>", value) + "'"


def _plain(name: str, value: str) -> str:
    return f"{name}={value}"


_SET: Final[Mapping[str, Callable[[str, str], str]]] = {
    "sh": lambda name, value: f"export {name}={single_quoted(value)}",
    "csh": _csh,
    "fish": _fish,
    "nu": _nu,
    "pwsh": _pwsh,
    "cmd": _cmd,
    "dockerfile": _dockerfile,
    "env-file": _plain,
    "github": _plain,
    "gitlab": _plain,
}
SHELLS: Final = (*_SET, "json")
"""What `render` can write. cmd: a .cmd file; github: lines for $GITHUB_ENV; gitlab: a dotenv
report; env-file: what `docker run --env-file` and Kubernetes' `create configmap --from-env-file`
read."""
_UNSET: Final[Mapping[str, str]] = {
    "sh": "unset {}",
    "csh": "unsetenv {}",
    "fish": "set -e {}",
    "nu": "hide-env --ignore-errors {}",
    "pwsh": "Remove-Item -ErrorAction Ignore Env:{}",
    "cmd": '@set "{}="',
}
UNDONE: Final = (*_UNSET,)
"""The shells that `render_undo` knows; the others are no place from which a variable goes."""


def render(pairs: Iterable[tuple[str, str]], shell: str) -> str:
    """The variables as text for `shell`, without a newline at the end."""
    if shell == "json":
        return json.dumps(dict(pairs), indent=2)
    write = _SET.get(shell)
    if write is None:
        raise UsageError(f"no shell is named {shell!r}", fix=f"One of: {', '.join(SHELLS)}.")
    return "\n".join(write(name, value) for name, value in pairs)


def render_undo(ours: Iterable[tuple[str, str]], environ: Mapping[str, str], shell: str) -> str:
    """What takes these variables back out of `environ`, as text for `shell`.

    A variable that has another value by now is the user's and stays; of one that begins with our
    words, the user's own behind them stay.
    """
    if shell not in _UNSET:
        raise UsageError(
            f"no variable can be taken back in {shell!r}", fix=f"One of: {', '.join(UNDONE)}."
        )
    lines = []
    for name, value in ours:
        held = environ.get(name)
        if held == value:
            lines.append(_UNSET[shell].format(name))
        elif held is not None and value and held.startswith(f"{value} "):
            lines.append(_SET[shell](name, held[len(value) + 1 :]))
    return "\n".join(lines)

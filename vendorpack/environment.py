"""The target's environment: joined from the rooms, and written as a file to be sourced.

`vendorpack.env` in the bundle is POSIX sh that finds its own folder when it is sourced, so
that an unpacked bundle works wherever it lies. bash, zsh and ksh93 say which file is being
sourced; dash, busybox ash and mksh do not, but hold it open, which /proc shows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path, PureWindowsPath
from typing import Final

from vendorpack.errors import UnsupportedError
from vendorpack.model import Arguments, Base, Environment, Variable, Word
from vendorpack.redact import redact_url

ENV_NAME: Final = "vendorpack.env"

_HEADER: Final = """\
# Source this file:  . /path/to/vendorpack.env
# It points the package managers at the caches beside it, wherever they were unpacked.
vendorpack_env=
if [ -n "${BASH_VERSION-}" ]; then
    vendorpack_env=${BASH_SOURCE:-}
elif [ -n "${ZSH_VERSION-}" ]; then
    eval 'vendorpack_env=${(%):-%x}'
elif [ -n "${KSH_VERSION-}" ] && [ -z "${KSH_VERSION##*93*}" ]; then
    eval 'vendorpack_env=${.sh.file}'
elif [ -r /proc/self/stat ]; then
    read -r vendorpack_pid vendorpack_rest </proc/self/stat
    for vendorpack_fd in /proc/"$vendorpack_pid"/fd/*; do
        vendorpack_file=$(readlink "$vendorpack_fd") || continue
        case $vendorpack_file in */vendorpack.env) vendorpack_env=$vendorpack_file ;; esac
    done
fi
if [ -f "$vendorpack_env" ]; then
    VENDORPACK_PREFIX=$(CDPATH= cd -P -- "$(dirname -- "$vendorpack_env")" && pwd)
fi
unset vendorpack_env vendorpack_pid vendorpack_rest vendorpack_fd vendorpack_file
if [ ! -f "${VENDORPACK_PREFIX-}/vendorpack.env" ]; then
    echo 'vendorpack.env: set VENDORPACK_PREFIX to the folder of this file first' >&2
    return 1
fi
export VENDORPACK_PREFIX
"""


_NO_SPACES: Final = """\
case $VENDORPACK_PREFIX in
*[[:space:]]*)
    echo 'vendorpack.env: {names} cannot hold a folder with a space in its name' >&2
    return 1
    ;;
esac"""


def join(environments: Iterable[Environment]) -> Environment:
    """All rooms' environments as one, sorted. Raises `UnsupportedError` on a contradiction."""
    variables: dict[str, Variable] = {}
    git: dict[str, str] = {}
    arguments: dict[str, Arguments] = {}
    for environment in environments:
        for given in environment.arguments:
            known_words = arguments.get(given.name, Arguments(given.name, ())).words
            words = dict.fromkeys((*known_words, *given.words))
            arguments[given.name] = Arguments(given.name, tuple(words))
        for variable in environment.variables:
            known = variables.setdefault(variable.name, variable)
            if known != variable:
                raise UnsupportedError(
                    f"two formats need {variable.name} to be {known.value!r} and "
                    f"{variable.value!r}",
                    fix="Pack them into a bundle each.",
                )
        for url, path in environment.git_sources:
            if git.setdefault(url, path) != path:
                raise UnsupportedError(
                    f"two formats need repositories of their own for {redact_url(url)}",
                    fix="Pack them into a bundle each.",
                )
    return Environment(
        tuple(sorted(variables.values())),
        tuple(sorted(git.items())),
        tuple(arguments[name] for name in sorted(arguments)),
    )


def resolve(
    environment: Environment,
    place: Callable[[str], str | None],
    environ: Mapping[str, str],
    home: Path,
) -> tuple[tuple[str, str], ...]:
    """Names and final values, in order. `place` says where a path of the bundle lies now.

    A variable or a word whose path has no place (None: the client finds it unasked) is left out.
    environ, home: what the user has already. Raises `UnsupportedError` for a place that a
    variable of arguments cannot hold.
    """
    pairs = []
    for variable in environment.variables:
        value = place(variable.value) if variable.is_path else variable.value
        if value is not None:
            pairs.append((variable.name, _address(variable.scheme, value)))
    for arguments in environment.arguments:
        words = [
            word.text + path
            for word in arguments.words
            if (path := _path_of(word, place, home)) is not None
        ]
        for word in words:
            if any(character.isspace() for character in word):
                raise UnsupportedError(
                    f"{arguments.name} is split at spaces, so that it cannot hold {word!r}",
                    fix="Unpack to a folder without a space in its name.",
                )
        pairs.append((arguments.name, " ".join([*words, environ.get(arguments.name, "")]).rstrip()))
    return (*pairs, *_git(environment, place))


def _address(scheme: str, path: str) -> str:
    """A path behind a scheme, if there is one; that of a drive as `file:` addresses have it."""
    if scheme and PureWindowsPath(path).drive:
        return f"{scheme}/{PureWindowsPath(path).as_posix()}"
    return scheme + path


def _path_of(word: Word, place: Callable[[str], str | None], home: Path) -> str | None:
    if word.base is None:
        return ""
    return place(word.path) if word.base is Base.PREFIX else str(home / word.path)


def env_file(environment: Environment) -> bytes:
    """The text of `vendorpack.env`."""
    lines = [
        f"export {variable.name}={_relative(variable.value, variable.scheme)}"
        if variable.is_path
        else f"export {variable.name}={single_quoted(variable.value)}"
        for variable in environment.variables
    ]
    if environment.arguments:
        names = " and ".join(arguments.name for arguments in environment.arguments)
        lines.append(_NO_SPACES.format(names=names))
    for arguments in environment.arguments:
        words = " ".join(_word(word) for word in arguments.words)
        name = arguments.name
        lines.append(f'export {name}="{words}${{{name}:+ ${name}}}"')
    for name, value in _git(environment, lambda path: f"\0{path}"):
        head, mark, tail = value.partition("\0")
        path, dot, key = tail.rpartition(".insteadOf")
        quoted = f'"{head}$VENDORPACK_PREFIX/{_escaped(path)}{dot}{key}"'
        lines.append(f"export {name}={quoted if mark else single_quoted(value)}")
    return (_HEADER + "".join(line + "\n" for line in lines)).encode()


def _git(environment: Environment, place: Callable[[str], str | None]) -> list[tuple[str, str]]:
    """Git's own environment configuration, so that a remote address is read from the bundle."""
    if not environment.git_sources:
        return []
    pairs = [("GIT_CONFIG_COUNT", str(len(environment.git_sources)))]
    for number, (url, path) in enumerate(environment.git_sources):
        address = _address("file://", place(path) or path)
        pairs.append((f"GIT_CONFIG_KEY_{number}", f"url.{address}.insteadOf"))
        pairs.append((f"GIT_CONFIG_VALUE_{number}", url))
    return pairs


def _word(word: Word) -> str:
    """For the inside of double quotes."""
    start = {None: "", Base.PREFIX: "$VENDORPACK_PREFIX/", Base.HOME: "$HOME/"}[word.base]
    return _escaped(word.text) + start + _escaped(word.path)


def _relative(path: str, scheme: str) -> str:
    below = f"/{_escaped(path)}" if path else ""
    return f'"{scheme}$VENDORPACK_PREFIX{below}"'


def _escaped(text: str) -> str:
    """For the inside of double quotes."""
    for character in '\\"$`':
        text = text.replace(character, "\\" + character)
    return text


def single_quoted(text: str) -> str:
    """One word of a POSIX shell."""
    return "'" + text.replace("'", "'\\''") + "'"

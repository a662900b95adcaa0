"""Whatever a lockfile says, reading it ends in artifacts or in an error of our own."""

from __future__ import annotations

import copy
import tempfile
import tomllib
from pathlib import Path
from typing import Any

import pytest
import tomlkit
from hypothesis import given, settings
from hypothesis import strategies as st

import tests.formats.poetry.test_room as poetry_room
import tests.formats.uv.test_room as uv_room
from tests.world.distributions import LINUX, WINDOWS, options, project
from vendorpack.errors import VendorpackError
from vendorpack.formats.poetry import FORMAT as POETRY
from vendorpack.formats.uv import FORMAT as UV
from vendorpack.formats.uv.cache import Encoding, digest, wheel_pointer
from vendorpack.room import Format

UV_LOCKS = [tomllib.loads(text) for text in (uv_room.SIMPLE, uv_room.SOURCES)]
POETRY_LOCKS = [tomllib.loads(text) for text in (poetry_room.LOCK, poetry_room.OLD)]
WORDS = st.sampled_from(
    [
        "a",
        "app",
        "A",
        "../x",
        "main",
        "dev",
        "git",
        "1.0",
        "2.1",
        "*",
        "(",
        "[",
        "https://x.example/a-1.0-py3-none-any.whl",
        "https://[x",
        "https://x:99999/y",
        "git+ssh://git@x.example/y#0",
        "./local",
        "sha256:00",
        "",
        "a b",
        "extra == 'x'",
        "os_name == 'nt' or extra != 'y'",
        f"sha256:{'0' * 64}",
    ]
)
ANY = st.recursive(
    st.one_of(WORDS, st.text(max_size=6), st.integers(-1, 1 << 70), st.booleans(), st.floats()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(WORDS.filter(bool), inner, max_size=3)
    ),
    max_leaves=5,
)


def packages(document: dict[str, Any]) -> list[Any]:
    found = document.get("package")
    return [p for p in found if isinstance(p, dict)] if isinstance(found, list) else []


@st.composite
def changed(draw: st.DrawFn, documents: list[dict[str, Any]]) -> dict[str, Any]:
    """A good lockfile with one to three values replaced, doubled or taken out."""
    document: dict[str, Any] = copy.deepcopy(draw(st.sampled_from(documents)))
    for _ in range(draw(st.integers(1, 3))):
        holder: Any = draw(st.sampled_from([document, *packages(document)]))
        while True:
            keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            inner = holder[key]
            if isinstance(inner, (dict, list)) and inner and draw(st.integers(0, 4)):
                holder = inner
                continue
            change = draw(st.sampled_from(["replace", "replace", "remove", "add"]))
            if change == "remove":
                del holder[key]
            elif change == "replace":
                holder[key] = draw(WORDS if isinstance(inner, str) else ANY)
            elif isinstance(holder, list):
                holder.append(copy.deepcopy(inner))
            else:
                holder[draw(WORDS.filter(bool))] = copy.deepcopy(inner)
            break
    return document


def check(room: Format, lockfile: str, text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for chosen in (options(LINUX, WINDOWS, groups=["*"]), options(LINUX, dev=False)):
            here = project(Path(folder), lockfile, {lockfile: text})
            room.fingerprint(here, chosen)
            try:
                found = room.read(here, chosen)
            except VendorpackError as error:
                assert str(error)
                continue
            assert found == room.read(here, chosen)
            assert len({(a, a.where) for a in found.artifacts}) == len(found.artifacts)


def dumped(value: Any) -> str:
    """TOML, as far as the value can be written as such."""
    try:
        return tomlkit.dumps(value)
    except Exception:
        return str(value)


@settings(max_examples=250, deadline=None)
@given(changed(UV_LOCKS))
def test_any_uv_lock(lock: dict[str, Any]) -> None:
    check(UV, "uv.lock", dumped(lock))


@settings(max_examples=250, deadline=None)
@given(changed(POETRY_LOCKS))
def test_any_poetry_lock(lock: dict[str, Any]) -> None:
    check(POETRY, "poetry.lock", dumped(lock))


@pytest.mark.parametrize(("room", "name"), [(UV, "uv.lock"), (POETRY, "poetry.lock")])
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe",
        b"version = 1\n\0",
        b"a = " + b"[" * 100_000,
        b"version = " + b"1" * 10_000,
        b"version = 1\n" * 2,
        b"\xef\xbb\xbfversion = 1\n",
    ],
    ids=["empty", "not UTF-8", "NUL", "deep", "huge", "twice", "BOM"],
)
def test_hostile_files(room: Format, name: str, data: bytes, tmp_path: Path) -> None:
    here = project(tmp_path, name, {name: ""})
    (here.root / name).write_bytes(data)
    with pytest.raises(VendorpackError):
        room.read(here, options(LINUX))


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=40), st.integers(0, (1 << 64) - 1), st.sampled_from(Encoding))
def test_pointers_of_any_size(text: str, size: int, encoding: Encoding) -> None:
    url = f"https://files.example/{text}"
    pointer = wheel_pointer(
        encoding, archive="x", hashes={"Sha256": "0"}, filename=text, size=size, url=url
    )
    assert url.encode() in pointer
    assert len(digest(text)) == 16

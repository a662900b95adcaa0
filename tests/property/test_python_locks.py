"""Whatever a Python lockfile holds: it is read, or refused with one of our errors."""

from __future__ import annotations

import contextlib
import json
import tempfile
from pathlib import Path, PurePosixPath
from typing import Any

import tomlkit
from hypothesis import example, given, settings
from hypothesis import strategies as st

from vendorpack.errors import VendorpackError
from vendorpack.formats import pdm, pip, pipenv
from vendorpack.formats._shared.python.builds.lock import parse_build_lock
from vendorpack.formats._shared.python.distributions import Release
from vendorpack.formats._shared.python.index import DEFAULT_INDEX
from vendorpack.formats._shared.python.pip_config import expand_userinfo, load_pip_config
from vendorpack.formats._shared.python.wheelhouse_room import WheelhouseFormat
from vendorpack.formats._shared.python.wheels import best_wheels, choose, release_of
from vendorpack.model import Lockfile, Options
from vendorpack.project import Host, Project
from vendorpack.target import parse_target

TARGETS = (parse_target("linux-x86_64-gnu-py3.12"), parse_target("windows-x86_64-py3.11"))
HEX = st.text("0123456789abcdef", min_size=64, max_size=64)
NAME = st.from_regex(r"[a-z][a-z0-9]{0,8}(?:[-_.][a-z0-9]{1,5}){0,2}", fullmatch=True)
VERSION = st.from_regex(r"[0-9]{1,3}(?:\.[0-9]{1,3}){0,3}(?:rc[1-9]|\.post[1-9])?", fullmatch=True)
PIECES = (
    *("foo", "==1.0", " ; ", "python_version < '3'", "--hash=sha256:00", "-r x", "-e ", "\\\n"),
    *("\n", "git+https://h.example/x", "@", "https://h.example/a.zip", "[x]", "${A}", "\0", "é"),
    *("--index-url ", " ", "'", "-c requirements.txt", "#sha256=00&egg=a", "file:", "]", "://["),
    *("git+https", "foo @ ", "https", "/a-1.tar.gz", "0" * 40, "#", ":99999", "hg+"),
)
PIECE = st.sampled_from(PIECES)


def read(room: WheelhouseFormat, name: str, data: bytes) -> Lockfile | None:
    """The lock, or None if it was refused."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, name).write_bytes(data)
        project = Project(
            Path(folder), PurePosixPath(name), Host({"A": "s3cret"}, Path(folder), "linux")
        )
        try:
            options = Options(targets=TARGETS)
            room.fingerprint(project, options)
            lockfile = room.read(project, options)
        except VendorpackError as error:
            assert error.what
            assert "s3cret" not in str(error)
            return None
        assert "s3cret" not in repr(lockfile.warnings)
        return lockfile


@example("://[${A}foo @ ")
@example('foo @ https://"${A}@h.example/a.zip')
@example("1://${A}@ foo")
@settings(max_examples=400, deadline=None)
@given(st.lists(PIECE, max_size=12).map("".join))
def test_any_requirements_file(text: str) -> None:
    read(pip.FORMAT, "requirements.txt", text.encode())


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    read(pip.FORMAT, "requirements.txt", data)
    read(pip.FORMAT, "pylock.toml", data)
    read(pipenv.FORMAT, "Pipfile.lock", data)
    read(pdm.FORMAT, "pdm.lock", data)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(NAME, VERSION, st.lists(HEX, min_size=1, max_size=3)), max_size=6))
def test_pins_come_out_as_they_went_in(pins: list[tuple[str, str, list[str]]]) -> None:
    text = "".join(
        " \\\n    ".join([f"{name}=={version}", *(f"--hash=sha256:{h}" for h in hashes)]) + "\n"
        for name, version, hashes in pins
    )
    lockfile = read(pip.FORMAT, "requirements.txt", text.encode())
    assert lockfile is not None
    expected = [(release_of(f"{n}-{v}.tar.gz", normal(n)), set(h)) for n, v, h in pins]
    found = [a for a in lockfile.artifacts if isinstance(a, Release)]
    assert [
        (release_of(f"{a.name}-{a.version}.zip", a.name), {d.hex for d in a.integrity.digests})
        for a in found
    ] == expected


def normal(name: str) -> str:
    return name.replace("_", "-").replace(".", "-").lower()


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5) | st.just("==1.0"),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
ENTRY = st.fixed_dictionaries(
    {},
    optional={
        "version": st.sampled_from(["==1.0", "*", "==", "==1.*"]) | JSON,
        "hashes": st.lists(HEX.map("sha256:{}".format), max_size=2) | JSON,
        "markers": st.sampled_from(["os_name == 'posix'", "("]) | JSON,
        "index": st.just("pypi") | JSON,
        "file": st.just("https://h.example/a-1.zip") | JSON,
        "git": st.just("https://h.example/a.git") | JSON,
        "ref": JSON,
        "path": JSON,
    },
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(NAME, ENTRY, max_size=3), JSON)
def test_any_pipfile_lock(packages: dict[str, Any], sources: Any) -> None:
    source = {"name": "pypi", "url": DEFAULT_INDEX, "verify_ssl": True}
    for listed in ([source], sources):
        document = {"_meta": {"pipfile-spec": 6, "sources": listed}, "default": packages}
        read(pipenv.FORMAT, "Pipfile.lock", json.dumps(document).encode())


PDM_FILE = st.fixed_dictionaries(
    {},
    optional={
        "file": NAME.map("{}-1.0-py3-none-any.whl".format) | st.text(max_size=4),
        "url": st.just("https://h.example/a-1-py3-none-any.whl") | st.text(max_size=4),
        "hash": HEX.map("sha256:{}".format) | st.text(max_size=4),
    },
)
PDM_PACKAGE = st.fixed_dictionaries(
    {"name": NAME | st.integers(0, 1)},
    optional={
        "version": VERSION | st.text(max_size=4),
        "groups": st.lists(st.sampled_from(["default", "dev"]), max_size=2) | st.text(max_size=2),
        "marker": st.sampled_from(["os_name == 'nt'", "("]),
        "files": st.lists(PDM_FILE, max_size=2) | st.integers(0, 1),
        "url": st.text(max_size=4),
        "git": st.just("https://h.example/a.git") | st.integers(0, 1),
        "revision": st.just("0" * 40) | st.text(max_size=4),
        "path": st.text(max_size=4),
    },
)


@settings(max_examples=100, deadline=None)
@given(st.lists(PDM_PACKAGE, max_size=3))
def test_any_pdm_lock(packages: list[dict[str, Any]]) -> None:
    document = {
        "metadata": {"groups": ["default", "dev"], "lock_version": "4.5", "strategy": []},
        "package": packages,
    }
    read(pdm.FORMAT, "pdm.lock", tomlkit.dumps(document).encode())


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=80))
def test_any_build_lock(data: bytes) -> None:
    try:
        parse_build_lock(b"version = 1\n" + data, "b.toml")
    except VendorpackError as error:
        assert (error.where or "").startswith("b.toml")


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=80))
def test_any_pip_conf(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "pip.conf")
        path.write_bytes(b"[global]\nindex-url = " + data)
        host = Host({"PIP_CONFIG_FILE": str(path)}, Path(folder), "linux")
        with contextlib.suppress(VendorpackError):
            assert load_pip_config(host).index.endswith("/")


PLATFORMS = (
    *("any", "manylinux2014_x86_64", "manylinux_2_28_x86_64", "manylinux_2_39_x86_64"),
    *("win_amd64", "musllinux_1_2_x86_64", "linux_x86_64", "macosx_11_0_arm64"),
)
TAGS = st.tuples(
    st.sampled_from(["py3", "cp312", "cp311", "cp38", "py2.py3"]),
    st.sampled_from(["none", "abi3", "cp312", "cp311"]),
    st.sampled_from(PLATFORMS),
).map("-".join)


@settings(max_examples=200, deadline=None)
@given(st.lists(TAGS.map("foo-1.0-{}.whl".format), unique=True, max_size=8), st.randoms())
def test_choosing_does_not_depend_on_the_order(files: list[str], random: Any) -> None:
    shuffled = [*files]
    random.shuffle(shuffled)
    for target in TARGETS:
        best = best_wheels(files, target)
        assert best == best_wheels(shuffled, target)
        # Whatever is left out would not have been taken before what is there.
        assert best[:1] == best_wheels(best, target)[:1]
        assert set(best) <= set(files)
    chosen, missing = choose(files, TARGETS, filename=str)
    assert set(missing) == {t for t in TARGETS if not best_wheels(files, t)}
    assert set(chosen) == {f for t in TARGETS for f in best_wheels(files, t)}


@settings(max_examples=100, deadline=None)
@given(st.lists(PIECE | st.just("${A}@"), max_size=8).map("".join))
def test_variables_never_leave_the_userinfo(text: str) -> None:
    try:
        expanded = expand_userinfo(text, {"A": "s3cret"}, "here")
    except VendorpackError:
        return
    begin = expanded.find("s3cret")
    assert begin < 0 or "://" in expanded[:begin]
    assert begin < 0 or "@" in expanded[begin:].partition("/")[0]

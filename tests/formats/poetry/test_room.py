"""From poetry.lock to artifacts and to Poetry's cache."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.memory import MemoryWorkshop
from tests.world.distributions import (
    LINUX,
    MAC,
    WINDOWS,
    Pages,
    options,
    project,
    sdist,
    sha256,
    wheel,
)
from vendorpack.errors import IntegrityError, LockfileError, UnsupportedError
from vendorpack.formats._shared.python import pip_http_cache
from vendorpack.formats._shared.python.index import ACCEPT, DEFAULT_FILES, DEFAULT_INDEX
from vendorpack.formats.poetry import FORMAT
from vendorpack.formats.poetry.choose import PoetryCommit, PoetryFile
from vendorpack.formats.poetry.sources import PoetryLockfile
from vendorpack.model import Artifact, Entry, Lockfile, Options, Packed, Variable

FILES = "https://files.example"
PRIVATE = "https://private.example/simple"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
CONTENTS = {
    "a-1.0-py3-none-any.whl": wheel("a", "1.0", {"a.py": b""}),
    "a-1.0.tar.gz": sdist("a", "1.0", {"setup.py": b""}),
    "b-2.0-py3-none-any.whl": wheel("b", "2.0", {"b.py": b""}),
    "s-1.0.tar.gz": sdist("s", "1.0", {"setup.py": b""}),
    "p-1.0-py3-none-any.whl": wheel("p", "1.0", {"p.py": b""}),
    "n-1.0-cp312-cp312-manylinux_2_17_x86_64.whl": wheel("n", "1.0", {"n.so": b"l"}),
    "n-1.0-cp312-cp312-macosx_11_0_arm64.whl": wheel("n", "1.0", {"n.so": b"m"}),
    "w-1.0-py3-none-win_amd64.whl": wheel("w", "1.0", {"w.py": b""}),
    "setuptools-80.0-py3-none-any.whl": wheel(
        "setuptools", "80.0", {"setuptools.py": b""}, ['wheel ; extra == "x"', "colorama"]
    ),
    "colorama-0.4-py3-none-any.whl": wheel(
        "colorama", "0.4", {"colorama.py": b""}, ['nt-only ; sys_platform == "win32"']
    ),
    "wheel-0.5-py3-none-any.whl": wheel("wheel", "0.5", {"wheel.py": b""}),
}


def files_of(name: str) -> list[str]:
    return [filename for filename in CONTENTS if filename.startswith(f"{name}-")]


def package(name: str, version: str = "1.0", groups: str = '["main"]', more: str = "") -> str:
    listed = ", ".join(
        f'{{file = "{filename}", hash = "sha256:{sha256(CONTENTS[filename])}"}}'
        for filename in files_of(name)
    )
    return (
        f'[[package]]\nname = "{name}"\nversion = "{version}"\noptional = false\n'
        f'python-versions = "*"\ngroups = {groups}\nfiles = [{listed}]\n{more}\n'
    )


def metadata(version: str = "2.1", extras: str = "") -> str:
    return f'{extras}\n[metadata]\nlock-version = "{version}"\n'


def source(kind: str, url: str, **more: str) -> str:
    pairs = {"type": kind, "url": url, **more}
    return "[package.source]\n" + "".join(f'{key} = "{value}"\n' for key, value in pairs.items())


LOCK = "".join(
    [
        package("a", groups='["main", "dev"]'),
        package("b", "2.0", groups='["docs"]'),
        package("n", groups='["main", "dev"]', more=(
            'markers = {main = "extra == \\"fast\\"", dev = "sys_platform == \'darwin\'"}'
        )),
        package("s"),
        package("w", more='markers = "sys_platform == \\"win32\\""'),
        metadata(extras='[extras]\nfast = ["n"]\n'),
    ]
)  # fmt: skip
OPTIONAL_DOCS = "[tool.poetry.group.docs]\noptional = true\n"


def index(*bases: str, without: Sequence[str] = ()) -> Pages:
    """Indexes that all have everything, but for the names in `without`."""
    answers: dict[str, tuple[str, bytes]] = {}
    pages: dict[str, list[object]] = {}
    for filename, data in CONTENTS.items():
        url = f"{FILES}/{filename}"
        answers[url] = ("application/octet-stream", data)
        record = {"filename": filename, "url": url, "hashes": {"sha256": sha256(data)}}
        pages.setdefault(filename.partition("-")[0], []).append(record)
    for base in bases or (DEFAULT_INDEX,):
        for name, listed in pages.items():
            if name not in without:
                body = json.dumps({"meta": {"api-version": "1.0"}, "files": listed}).encode()
                url = f"{base.rstrip('/')}/{name}/"
                answers[url] = (ACCEPT.partition(",")[0], body)
    return Pages(answers)


def read(
    folder: Path,
    lock: str,
    chosen: Options,
    pyproject: str | None = None,
    environ: Mapping[str, str] | None = None,
) -> Lockfile:
    named = {"poetry.lock": lock}
    if pyproject is not None:
        named["pyproject.toml"] = pyproject
    return FORMAT.read(project(folder, "poetry.lock", named, environ), chosen)


def names(lockfile: Lockfile) -> list[str]:
    return [artifact.name for artifact in lockfile.artifacts]


def located(lockfile: Lockfile, chosen: Options, pages: Pages) -> Lockfile:
    return asyncio.run(FORMAT.locate(lockfile, chosen, pages))


def pack(
    lockfile: Lockfile, chosen: Options, workshop: MemoryWorkshop, pages: Pages
) -> list[Packed]:
    """Everything a run would hand to the layout."""
    lockfile = located(lockfile, chosen, pages)
    packed: list[Packed] = []
    more: Sequence[Artifact] = lockfile.artifacts
    while more:
        for artifact in more:
            data = CONTENTS[(artifact.url or "").rpartition("/")[2]]
            assert artifact.integrity.accepts({"sha256": bytes.fromhex(sha256(data))})
            packed.append(Packed(artifact, workshop.add(data)))
        packed.sort(key=lambda p: (p.artifact.name, p.artifact.version, p.artifact.url or ""))
        brought = asyncio.run(FORMAT.expand(lockfile, packed, workshop, pages))
        more = [one for one in brought if isinstance(one, Artifact)]
    return packed


@pytest.mark.parametrize(
    ("chosen", "pyproject", "expected"),
    [
        (options(LINUX), None, ["a", "b", "s"]),
        (options(LINUX), OPTIONAL_DOCS, ["a", "s"]),
        (options(LINUX, groups=["docs"]), OPTIONAL_DOCS, ["a", "b", "s"]),
        (options(LINUX, dev=False), None, ["a", "s"]),
        (options(LINUX, groups=["fast"]), None, ["a", "b", "n", "s"]),
        (options(LINUX, groups=["F?st"]), None, ["a", "b", "n", "s"]),
        (options(MAC), None, ["a", "b", "n", "s"]),
        (options(MAC, dev=False), None, ["a", "s"]),
        (options(WINDOWS), OPTIONAL_DOCS, ["a", "s", "w"]),
        (options(), OPTIONAL_DOCS, ["a", "n", "s", "w"]),
    ],
)
def test_groups_markers_and_extras(
    tmp_path: Path, chosen: Options, pyproject: str | None, expected: list[str]
) -> None:
    assert names(read(tmp_path, LOCK, chosen, pyproject)) == expected


OLD = "".join(
    [
        package("a", more="[package.dependencies]\nb = \">=1\"\n"
                "n = {version = \"*\", optional = true, markers = \"extra == 'x'\"}\n"
                "w = {version = \"*\", markers = \"sys_platform == 'win32'\"}"),
        package("b", "2.0"),
        package("n").replace("optional = false", "optional = true"),
        package("s"),
        package("w"),
        metadata("2.0", '[extras]\nfast = ["n"]\n'),
    ]
).replace('groups = ["main"]\n', "")  # fmt: skip
PYPROJECT = """
[tool.poetry.dependencies]
python = "^3.11"
A = "*"
n = { version = "*", optional = true }
[tool.poetry.group.dev.dependencies]
s = "*"
"""


@pytest.mark.parametrize(
    ("chosen", "pyproject", "expected"),
    [
        (options(LINUX), PYPROJECT, ["a", "b", "n", "s"]),
        (options(LINUX, dev=False), PYPROJECT, ["a", "b", "n"]),
        (options(WINDOWS, dev=False), PYPROJECT, ["a", "b", "w"]),
        (options(WINDOWS, groups=["fast"]), PYPROJECT, ["a", "b", "s", "w"]),
        (options(LINUX), None, ["a", "b", "n", "s"]),
        (options(LINUX), '[project]\ndependencies = ["S>1", "b ; x"]\n', ["b", "s"]),
    ],
)
def test_lockfiles_without_markers(
    tmp_path: Path, chosen: Options, pyproject: str | None, expected: list[str]
) -> None:
    assert names(read(tmp_path, OLD, chosen, pyproject)) == expected


def test_names_of_groups_have_many_spellings_and_unknown_ones_are_said(tmp_path: Path) -> None:
    """poetry.lock has `poetry-plugin` where pyproject.toml may say `poetry_plugin`."""
    spelled = LOCK.replace("fast", "so-fast")
    found = read(tmp_path, spelled, options(LINUX, groups=["So_Fast", "slow"]), None)
    assert names(found) == ["a", "b", "n", "s"]
    assert [w.what for w in found.warnings] == ["no group or extra is called slow"]


@pytest.mark.parametrize(
    ("installer", "expected"),
    [
        ("", ["a-1.0-py3-none-any.whl", "b-2.0-py3-none-any.whl", "s-1.0.tar.gz"]),
        ('no-binary = ["a"]', ["a-1.0.tar.gz", "b-2.0-py3-none-any.whl", "s-1.0.tar.gz"]),
        ('no-binary = "B, A"', ["a-1.0.tar.gz", "s-1.0.tar.gz"]),
        ('no-binary = "true"', ["a-1.0.tar.gz", "s-1.0.tar.gz"]),
        ('no-binary = "false"', ["a-1.0-py3-none-any.whl", "b-2.0-py3-none-any.whl",
                                 "s-1.0.tar.gz"]),
        ('no-binary = [":all:"]\nonly-binary = ["b"]', ["a-1.0.tar.gz", "b-2.0-py3-none-any.whl",
                                                       "s-1.0.tar.gz"]),
        ('only-binary = ["s"]', ["a-1.0-py3-none-any.whl", "b-2.0-py3-none-any.whl"]),
        ("no-binary = true", ["a-1.0-py3-none-any.whl", "b-2.0-py3-none-any.whl", "s-1.0.tar.gz"]),
    ],
)  # fmt: skip
def test_wheels_or_sdists_as_the_project_says(
    tmp_path: Path, installer: str, expected: list[str]
) -> None:
    files = {"poetry.lock": LOCK, "poetry.toml": f"[installer]\n{installer}\n"}
    lockfile = FORMAT.read(project(tmp_path, "poetry.lock", files), options(LINUX))
    found = located(lockfile, options(LINUX), index()).artifacts
    assert [a.filename for a in found if isinstance(a, PoetryFile)] == expected
    skipped = {"a", "b", "s"} - {a.name for a in found}
    assert [w.what for w in lockfile.warnings] == [
        f"{artifact} has no file for {LINUX}"
        for artifact in ("b 2.0", "s 1.0")
        if artifact[0] in skipped
    ]


def test_the_oldest_lockfiles(tmp_path: Path) -> None:
    """1.1: files in a table of their own, a category in place of groups."""
    lock = """
[[package]]
name = "A"
version = "1.0"
category = "dev"
optional = false
python-versions = "*"
[metadata]
lock-version = "1.1"
[metadata.files]
A = [{file = "a-1.0.tar.gz", hash = "sha256:HASH"}]
""".replace("HASH", sha256(CONTENTS["a-1.0.tar.gz"]))
    lockfile = located(read(tmp_path, lock, options(LINUX)), options(LINUX), index())
    assert [(a.name, a.url, a.why) for a in lockfile.artifacts] == [
        ("a", f"{FILES}/a-1.0.tar.gz", ("dev",))
    ]
    assert not read(tmp_path, lock, options(LINUX, dev=False)).artifacts


def test_what_no_target_can_install_is_said(tmp_path: Path) -> None:
    lockfile = read(tmp_path, package("w") + package("a") + metadata(), options(LINUX))
    assert names(lockfile) == ["a"]
    assert "w 1.0 has no file" in lockfile.warnings[0].what


def test_other_bytes_under_a_locked_name_are_refused(tmp_path: Path) -> None:
    lock = LOCK.replace(sha256(CONTENTS["a-1.0-py3-none-any.whl"]), "0" * 64)
    with pytest.raises(IntegrityError, match=r"another file under the name a-1\.0"):
        located(read(tmp_path, lock, options(LINUX)), options(LINUX), index())


def test_only_the_locked_index_is_asked(tmp_path: Path) -> None:
    lock = package("p", more=source("legacy", PRIVATE, reference="mine")) + metadata()
    both = index(DEFAULT_INDEX, PRIVATE)
    located(read(tmp_path, lock, options(LINUX)), options(LINUX), both)
    assert both.asked == [f"{PRIVATE}/p/"]


# -- the cache -------------------------------------------------------------------------------


def http(found: Mapping[str, Entry], repository: str, url: str) -> bytes | None:
    """The body of a cached answer; the same in both caches."""
    folder = f"poetry/cache/repositories/{repository}"
    path = pip_http_cache.entry_path(url)
    if f"{folder}/_http_/{path}" not in found:
        return None
    body = found[f"{folder}/_http_/{path}.body"].content
    whole = found[f"{folder}/_http/{path}"].content
    assert isinstance(body, bytes) and isinstance(whole, bytes) and body in whole
    assert b"max-age=3153600000" in whole
    return body


def answer(found: Mapping[str, Entry], repository: str, url: str) -> Any:
    body = http(found, repository, url)
    assert body is not None, url
    return json.loads(body)


def artifact_path(filename: str, *, direct: str = "") -> str:
    key = {"url": direct} if direct else {
        "sha256": sha256(CONTENTS[filename]), "url": f"{FILES}/{filename}"
    }  # fmt: skip
    text = json.dumps(key, separators=(",", ":"))
    digits = hashlib.sha256(text.encode()).hexdigest()
    return f"poetry/artifacts/{digits[:2]}/{digits[2:4]}/{digits[4:6]}/{digits[6:]}/{filename}"


RELEASES = DEFAULT_INDEX.removesuffix("simple/") + "pypi/"


def test_the_default_index(tmp_path: Path) -> None:
    workshop = MemoryWorkshop()
    packed = pack(read(tmp_path, LOCK, options(LINUX)), options(LINUX), workshop, index())
    entries = list(FORMAT.layout(packed, workshop))
    found = {entry.path: entry for entry in entries}
    assert len(found) == len(entries)
    built = {"setuptools-80.0-py3-none-any.whl", "colorama-0.4-py3-none-any.whl"}
    built |= {"wheel-0.5-py3-none-any.whl"}
    assert {p for p in found if p.startswith("poetry/artifacts/")} == {
        artifact_path(f)
        for f in {"a-1.0-py3-none-any.whl", "b-2.0-py3-none-any.whl", "s-1.0.tar.gz"} | built
    }
    a = answer(found, "PyPI", f"{RELEASES}a/1.0/json")
    assert a["urls"] == [
        {
            "packagetype": "bdist_wheel",
            "url": f"{FILES}/a-1.0-py3-none-any.whl",
            "filename": "a-1.0-py3-none-any.whl",
            "digests": {"sha256": sha256(CONTENTS["a-1.0-py3-none-any.whl"])},
            "yanked": False,
        }
    ]
    s = answer(found, "PyPI", f"{RELEASES}s/1.0/json")
    assert [url["packagetype"] for url in s["urls"]] == ["sdist"]
    # Sources are solved for by name, and for all platforms: what is not packed is not said.
    setuptools = answer(found, "PyPI", f"{RELEASES}setuptools/80.0/json")["info"]
    assert setuptools["requires_dist"] == ['wheel ; extra == "x"', "colorama"]
    colorama = answer(found, "PyPI", f"{RELEASES}colorama/0.4/json")["info"]
    assert (colorama["requires_dist"], colorama["requires_python"]) == ([], ">=3.8")
    simple = answer(found, "PyPI", f"{DEFAULT_INDEX}setuptools/")
    assert [f["filename"] for f in simple["files"]] == ["setuptools-80.0-py3-none-any.whl"]
    assert http(found, "PyPI", f"{DEFAULT_INDEX}a/") is None
    assert FORMAT.environment(packed).variables == (
        Variable("POETRY_CACHE_DIR", "poetry", is_path=True),
    )


SOURCES = f"""
[[tool.poetry.source]]
name = "mine"
url = "https://user:pw@private.example/simple/"
[[tool.poetry.source]]
name = "PyPI"
priority = "supplemental"
[[tool.poetry.source]]
name = "rare"
url = "{FILES}/rare"
priority = "explicit"
"""


def test_primary_sources_come_before_supplemental_ones(tmp_path: Path) -> None:
    turned = """
[[tool.poetry.source]]
name = "second"
url = "https://second.example/simple"
priority = "supplemental"
[[tool.poetry.source]]
name = "first"
url = "https://first.example/simple"
"""
    for sources, expected in [
        (turned, ["first.example", "second.example"]),
        (
            turned.replace('name = "first"', 'name = "first"\npriority = "explicit"'),
            ["pypi.org", "second.example"],
        ),
    ]:
        lockfile = read(tmp_path, metadata(), options(LINUX), sources)
        assert isinstance(lockfile, PoetryLockfile) and lockfile.plan is not None
        assert [urlsplit(base).netloc for (base,) in lockfile.plan.tiers] == expected


def test_other_indexes(tmp_path: Path) -> None:
    workshop = MemoryWorkshop()
    mine = source("legacy", PRIVATE, reference="mine")
    lock = package("s", more=mine) + package("p", more=mine) + metadata()
    pages = index(DEFAULT_INDEX, PRIVATE, without=["wheel"])
    pages = Pages({**pages.answers, **index(PRIVATE).answers})
    lockfile = read(tmp_path, lock, options(LINUX), SOURCES)
    packed = pack(lockfile, options(LINUX), workshop, pages)
    found = {entry.path: entry for entry in FORMAT.layout(packed, workshop)}
    page = (http(found, "mine", f"{PRIVATE}/p/") or b"").decode()
    filename = "p-1.0-py3-none-any.whl"
    assert f'href="{FILES}/{filename}#sha256={sha256(CONTENTS[filename])}"' in page
    # Build requirements come with their metadata, and are asked for at every index.
    page = (http(found, "mine", f"{PRIVATE}/wheel/") or b"").decode()
    text = http(found, "mine", f"{FILES}/wheel-0.5-py3-none-any.whl.metadata")
    assert text is not None and f"sha256={sha256(text)}" in page
    assert 'data-requires-python="&gt;=3.8"' in page
    assert answer(found, "PyPI", f"{DEFAULT_INDEX}wheel/")["files"] == []
    assert not any("rare" in path or "pw" in path for path in found)


def test_direct_addresses_and_commits(tmp_path: Path) -> None:
    address = f"{FILES}/p-1.0-py3-none-any.whl"
    lock = "".join(
        [
            package("p", more=source("url", address)),
            package("g", more=source(
                "git", "git@git.example:team/g.git", reference="v1", resolved_reference=COMMIT,
                subdirectory="py",
            )),
            package("h", more=source(
                "git", "https://git.example/h.git", resolved_reference=COMMIT
            )),
            package("l", more=source("directory", "../l")),
            metadata(),
        ]
    )  # fmt: skip
    lockfile = read(tmp_path, lock, options(LINUX))
    p, g, h = lockfile.artifacts
    assert isinstance(g, PoetryCommit) and isinstance(h, PoetryCommit)
    assert g.url == f"git+ssh://git@git.example/team/g.git#{COMMIT}"
    assert (g.remote, g.subdirectory) == ("git@git.example:team/g.git", "py")
    assert h.url == f"git+https://git.example/h.git#{COMMIT}"
    assert ["outside" in warning.what for warning in lockfile.warnings] == [True]
    workshop = MemoryWorkshop()
    data = CONTENTS["p-1.0-py3-none-any.whl"]
    direct = [Packed(p, workshop.add(data))]
    assert [entry.path for entry in FORMAT.layout(direct, workshop)] == [
        artifact_path("p-1.0-py3-none-any.whl", direct=address)
    ]
    environment = FORMAT.environment(
        [*direct, Packed(g, workshop.add(b"")), Packed(h, workshop.add(b""))]
    )
    assert Variable("POETRY_SYSTEM_GIT_CLIENT", "true") in environment.variables
    assert [url for url, _ in environment.git_sources] == [g.remote, h.remote]


def test_access(tmp_path: Path) -> None:
    environ = {
        "POETRY_HTTP_BASIC_RARE_USERNAME": "me",
        "POETRY_HTTP_BASIC_RARE_PASSWORD": "secret",
    }
    auth = tmp_path / "home/.config/pypoetry/auth.toml"
    auth.parent.mkdir(parents=True)
    auth.write_text('[http-basic.mine]\nusername = "u"\npassword = "stored"\n')
    lock = package("p", more=source("legacy", "https://lock.example/simple", reference="x"))
    lockfile = read(tmp_path, lock + metadata(), options(LINUX), SOURCES, environ)
    assert lockfile.access.origins == {
        "https://private.example",
        FILES,
        DEFAULT_INDEX.removesuffix("/simple/"),
        DEFAULT_FILES.rstrip("/"),
    }
    assert {c.prefix: c.header for c in lockfile.access.credentials} == {
        "https://private.example/": "Basic dTpzdG9yZWQ=",
        f"{FILES}/": "Basic bWU6c2VjcmV0",
    }
    assert not any(word in repr(lockfile) for word in ("secret", "stored", "pw", "Basic"))


def test_the_fingerprint_has_what_decides(tmp_path: Path) -> None:
    def fingerprint(name: str, chosen: Options, pyproject: str = "", local: str = "") -> object:
        files = {"poetry.lock": LOCK, "pyproject.toml": pyproject, "poetry.toml": local}
        return FORMAT.fingerprint(project(tmp_path / name, "poetry.lock", files), chosen)

    plain = fingerprint("1", options(LINUX))
    assert plain == fingerprint("2", options(LINUX), "[tool.ruff]\nline-length = 100\n")
    assert plain not in [
        fingerprint("3", options(MAC)),
        fingerprint("4", options(LINUX, dev=False)),
        fingerprint("5", options(LINUX, groups=["fast"])),
        fingerprint("6", options(LINUX), OPTIONAL_DOCS),
        fingerprint("7", options(LINUX), SOURCES),
        fingerprint("8", options(LINUX), local='installer.no-binary = ["a"]'),
    ]


BAD = {
    "version 3": ('lock-version = "2.1"', 'lock-version = "3.0"', LockfileError),
    "no version": ('lock-version = "2.1"', "", LockfileError),
    "odd version": ('lock-version = "2.1"', 'lock-version = "new"', LockfileError),
    "not TOML": ("[[package]]", "[[package", LockfileError),
    "hash": ("sha256:", "sha256:zz", LockfileError),
    "algorithm": ("sha256:", "", LockfileError),
    "name": ('name = "a"', 'name = "../a"', LockfileError),
    "file name": ('file = "a-1', 'file = "../a-1', LockfileError),
    "files": ("files = [", "files = [1, ", LockfileError),
    "marker": ("sys_platform ==", "sys_platform", LockfileError),
    "markers": ('markers = "', 'markers = 1 #"', LockfileError),
    "source": ("[metadata]", source("cloud", "x") + "[metadata]", LockfileError),
    "commit": ("[metadata]", package("z", more=source("git", "https://git.example/z"))
               + "[metadata]", UnsupportedError),
    "address": ("[metadata]", package("z", more=source("url", "ftp://x/z.whl")) + "[metadata]",
                LockfileError),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD)
def test_bad_lockfiles(tmp_path: Path, what: str) -> None:
    old, new, kind = BAD[what]
    text = LOCK.replace('[extras]\nfast = ["n"]\n', "") if what in {"source", "commit"} else LOCK
    assert old in text
    with pytest.raises(kind) as caught:
        read(tmp_path, text.replace(old, new), options(WINDOWS))
    where = getattr(caught.value, "where", None)
    assert where is not None and where.startswith("poetry.lock")


@pytest.mark.parametrize(
    ("system", "environ", "folder"),
    [
        ("linux", {}, "home/.cache/pypoetry"),
        ("linux", {"XDG_CACHE_HOME": "/x"}, "/x/pypoetry"),
        ("macos", {}, "home/Library/Caches/pypoetry"),
        ("windows", {}, "home/AppData/Local/pypoetry/Cache"),
        ("windows", {"LOCALAPPDATA": "/l"}, "/l/pypoetry/Cache"),
        ("linux", {"POETRY_CACHE_DIR": "/p"}, "/p"),
    ],
)
def test_native_roots(tmp_path: Path, system: str, environ: Mapping[str, str], folder: str) -> None:
    host = replace(project(tmp_path, "poetry.lock", {}, environ).host, os=system)
    assert FORMAT.native_roots(host) == {"poetry": tmp_path / folder}


def test_files_know_who_builds_them(tmp_path: Path) -> None:
    chosen = options(LINUX, WINDOWS)
    lockfile = located(read(tmp_path, LOCK, chosen, OPTIONAL_DOCS), chosen, index())
    built_for = {a.filename: a.built_for for a in lockfile.artifacts if isinstance(a, PoetryFile)}
    assert built_for["s-1.0.tar.gz"] == (LINUX, WINDOWS)
    assert built_for["a-1.0-py3-none-any.whl"] == ()

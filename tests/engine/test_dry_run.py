"""`pack --dry-run` ends as `pack` does, where the lockfile alone decides that; both at once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli import Cli

SHA1 = "sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk="
SHA512 = "sha512-" + "A" * 86 + "=="


def npm_lock(folder: Path, **package: object) -> None:
    lock = {
        "name": "x",
        "lockfileVersion": 3,
        "packages": {"": {"name": "x"}, "node_modules/a": {"version": "1.0.0", **package}},
    }
    (folder / "package-lock.json").write_text(json.dumps(lock))


ELSEWHERE = "https://files.invalid/a.tgz"
ALLOWED = ("--allow-host", "files.invalid")


@pytest.mark.parametrize(
    ("package", "options", "what"),
    [
        ({"resolved": ELSEWHERE, "integrity": SHA512}, (), "files.invalid"),
        ({"resolved": ELSEWHERE}, ALLOWED, "1 artifact has no hash to verify with"),
        ({"resolved": ELSEWHERE, "integrity": SHA1}, ALLOWED, "1 artifact has only a weak hash"),
    ],
)
def test_what_is_refused_is_refused_alike(
    tmp_path: Path, package: dict[str, object], options: tuple[str, ...], what: str
) -> None:
    npm_lock(tmp_path, **package)
    cli = Cli(tmp_path)
    dry = cli("pack", "--dry-run", *options)
    assert dry.code == 6 and what in dry.err and dry.out == ""
    packed = cli("pack", *options)
    assert (packed.code, packed.err) == (dry.code, dry.err)


INDEX = "http://169.254.169.254/simple"
UV = f"""version = 1
requires-python = ">=3.9"
[[package]]
name = "left"
version = "1.0"
source = {{ registry = "{INDEX}" }}
wheels = [{{ url = "{INDEX}/left-1.0-py3-none-any.whl", hash = "sha256:{"a" * 64}" }}]
[[package]]
name = "p"
version = "0"
source = {{ virtual = "." }}
dependencies = [{{ name = "left" }}]
"""
POETRY = f"""[[package]]
name = "left"
version = "1.0"
optional = false
python-versions = "*"
groups = ["main"]
files = [{{ file = "left-1.0-py3-none-any.whl", hash = "sha256:{"a" * 64}" }}]
[package.source]
type = "legacy"
url = "{INDEX}"
reference = "other"
[metadata]
lock-version = "2.1"
python-versions = "*"
content-hash = "x"
"""


@pytest.mark.parametrize(("name", "text"), [("uv.lock", UV), ("poetry.lock", POETRY)])
def test_a_lockfile_is_no_permission_for_its_index(tmp_path: Path, name: str, text: str) -> None:
    """Nothing is asked of it: neither plain http nor a private address is the lock's to allow."""
    (tmp_path / name).write_text(text)
    done = Cli(tmp_path)("pack", "--target", "linux-x86_64-gnu-py3.12")
    assert done.code == 6 and "169.254.169.254" in done.err
    assert not [*tmp_path.glob("*.zst")]


@pytest.mark.parametrize("name", ["requirements.txt", "Pipfile.lock"])
def test_a_python_lock_without_hashes_is_refused_alike(tmp_path: Path, name: str) -> None:
    source = {"name": "pypi", "url": "https://pypi.org/simple", "verify_ssl": True}
    meta = {"hash": {"sha256": "0" * 64}, "pipfile-spec": 6, "requires": {}, "sources": [source]}
    pipfile = {"_meta": meta, "default": {"six": {"version": "==1.17.0"}}, "develop": {}}
    text = "six==1.17.0\n" if name == "requirements.txt" else json.dumps(pipfile)
    (tmp_path / name).write_text(text)
    cli = Cli(tmp_path)
    dry = cli("pack", "--dry-run", "--target", "linux-x86_64-gnu-py3.12")
    assert dry.code == 6 and "no hash to verify with" in dry.err
    packed = cli("pack", "--target", "linux-x86_64-gnu-py3.12")
    assert (packed.code, packed.err) == (dry.code, dry.err)


@pytest.mark.parametrize(
    ("package", "options"),
    [
        # The registry will be asked for these hashes.
        ({"resolved": "https://registry.npmjs.org/a/-/a-1.0.0.tgz", "integrity": SHA1}, ()),
        ({"resolved": "https://registry.npmjs.org/a/-/a-1.0.0.tgz"}, ()),
        ({"resolved": ELSEWHERE}, (*ALLOWED, "--allow-missing-hash", "a")),
        ({"resolved": ELSEWHERE, "integrity": SHA1}, (*ALLOWED, "--allow-weak-hash", "a@1.0.0")),
    ],
)
def test_what_is_not_decided_yet_is_listed(
    tmp_path: Path, package: dict[str, object], options: tuple[str, ...]
) -> None:
    npm_lock(tmp_path, **package)
    dry = Cli(tmp_path).ok("pack", "--dry-run", *options)
    assert dry.out.startswith("a 1.0.0  https://")

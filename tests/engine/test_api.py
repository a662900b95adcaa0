"""`import vendorpack`: its names and types, and the page about them, which is run as it stands."""

from __future__ import annotations

import ast
import asyncio
import inspect
import logging
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, assert_type

import pytest

import vendorpack
from tests.cli import Cli
from tests.real.docs import Page
from tests.world.npm import NpmRegistry
from vendorpack import api, errors
from vendorpack.bundle.manifest import Manifest
from vendorpack.bundle.reader import Bundle
from vendorpack.changes import Change
from vendorpack.commands.packing import Made
from vendorpack.commands.planning import Planned
from vendorpack.commands.using import Checked
from vendorpack.discover import Found
from vendorpack.key import Keyed

PAGE = Page.read("docs/python-api.md")
TARGET = "linux-x86_64-gnu"


@pytest.fixture
def project(npm: NpmRegistry, tmp_path: Path) -> Path:
    npm.lock(tmp_path / "web", {"a": "1.0.0", "b": "2.0.0"})
    return tmp_path / "web"


def python(cli: Cli, code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=cli.folder,
        env=cli.env(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return done.stdout


def test_the_page_is_run(project: Path, npm: NpmRegistry, tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    cli.ok("pack", "web", "-o", "old.tar.zst")
    npm.lock(project, {"a": "1.1.0", "b": "2.0.0", "c": "3.0.0"})
    out = python(cli, "\n".join(block.text for block in PAGE.blocks))
    for said in ("changed npm a", "added npm c", "pkg:npm/b@2.0.0", "11 the bundle was made for"):
        assert said in out, said
    key = cli.ok("key", "web", "--target", TARGET, "--no-dev").out.strip()
    cli.ok("verify", "deps.tar.zst", "--expect-key", key)
    cli.ok("exists", key, "--store", "team-store")
    assert (tmp_path / "web.tar.zst").is_file()


def test_the_page_names_all_there_is() -> None:
    table = PAGE.prose.partition("\n# Names")[2] or PAGE.prose.partition("## Names")[2]
    cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    named = [name for cell in cells for name in re.findall(r"`(\w+)`", cell)]
    assert sorted(named) == sorted(vendorpack.__all__)
    code = "\n".join(block.text for block in PAGE.blocks)
    used = {node.attr for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Attribute)}
    functions = {name for name in named if inspect.isfunction(getattr(vendorpack, name))}
    assert functions - {"parse_target"} <= used


def test_names_are_documented_and_no_modules() -> None:
    assert vendorpack.__all__ == api.__all__ == sorted(api.__all__)
    assert set(vendorpack.__all__) <= set(dir(vendorpack))
    for name in vendorpack.__all__:
        one: Any = getattr(vendorpack, name)
        assert one is getattr(api, name)
        assert inspect.getdoc(one), name
        assert not (Path(vendorpack.__file__).parent / f"{name}.py").exists()
        assert not (Path(vendorpack.__file__).parent / name).exists()
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = vendorpack.nothing  # type: ignore[attr-defined]  # it is for want of it


def test_the_import_brings_nothing(tmp_path: Path) -> None:
    code = "import sys; before = {*sys.modules}; import vendorpack; print(*{*sys.modules} - before)"
    assert python(Cli(tmp_path), code).split() == ["vendorpack"]


def test_types(project: Path, tmp_path: Path) -> None:
    """What mypy takes them for; run, they are it."""
    bundle = tmp_path / "deps.tar.zst"
    found = assert_type(vendorpack.find_lockfiles(project), tuple[Found, ...])
    keyed = assert_type(vendorpack.compute_key(found), Keyed)
    planned = assert_type(vendorpack.plan_bundles(found), tuple[Planned, ...])
    assert [one.keyed.key for one in planned] == [keyed.key]
    made = assert_type(vendorpack.pack_bundle(found, bundle), Made)
    with vendorpack.open_bundle(bundle) as opened:
        assert assert_type(opened, Bundle).id == made.id
    manifest, bundle_id = assert_type(vendorpack.read_manifest(bundle), tuple[Manifest, str])
    assert (manifest.head.key, bundle_id) == (keyed.key, made.id)
    assert assert_type(vendorpack.verify_bundle(bundle), Checked).id == made.id
    assert assert_type(vendorpack.unpack_bundle(bundle, tmp_path / "deps"), str) == made.id
    assert assert_type(vendorpack.make_sbom(bundle), dict[str, Any])["specVersion"] == "1.6"
    changed = vendorpack.compare_bundles(bundle, tmp_path / "deps")
    assert assert_type(changed, tuple[Change, ...]) == ()
    assert assert_type(vendorpack.parse_target(TARGET), vendorpack.Target).cpu == "x86_64"


@pytest.mark.parametrize(
    ("options", "typed"),
    [
        ({}, ()),
        ({"targets": [TARGET, "macos-aarch64"]}, ("--target", TARGET, "--target", "macos-arm64")),
        ({"targets": [vendorpack.parse_target(TARGET)]}, ("--target", TARGET)),
        ({"all_targets": True, "dev": False}, ("--all-targets", "--no-dev")),
        ({"dev": True, "exclude": ["b"]}, ("--dev", "--exclude", "b")),
        ({"options": {"npm-package-manager": "no"}}, ("--npm-package-manager", "no")),
        ({"project_config": False}, ("--no-project-config",)),
    ],
    ids=str,
)
def test_the_key_of_the_command_line(
    project: Path, tmp_path: Path, options: dict[str, Any], typed: Iterable[str]
) -> None:
    """Also where the project's file has options."""
    (project / "vendorpack.toml").write_text(f'target = ["{TARGET}"]\nno-dev = true\n')
    key = vendorpack.compute_key(vendorpack.find_lockfiles(project, **options)).key
    assert key == Cli(tmp_path).ok("key", project, *typed).out.strip()


def test_the_same_errors(project: Path, tmp_path: Path) -> None:
    with pytest.raises(errors.DiscoveryError, match="no such file"):
        vendorpack.find_lockfiles(tmp_path / "none")
    with pytest.raises(errors.UsageError, match="exclude each other"):
        vendorpack.find_lockfiles(project, targets=[TARGET], all_targets=True)
    with pytest.raises(errors.UsageError, match="no such option: --npm-none"):
        vendorpack.find_lockfiles(project, options={"npm-none": "x"})
    found = vendorpack.find_lockfiles(project)
    with pytest.raises(errors.StoreError, match="folder does not exist"):
        vendorpack.pack_bundle(found, tmp_path / "none/deps.tar.zst")
    with pytest.raises(errors.BundleError, match="not a vendorpack bundle"):
        vendorpack.verify_bundle(project / "package.json")


def test_warnings_are_logged(
    project: Path,
    npm: NpmRegistry,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Also where a loop runs already, in a thread."""
    npm.lock(project, {})
    caplog.set_level(logging.INFO, "vendorpack")
    found = vendorpack.find_lockfiles(project)
    store = tmp_path / "store"

    async def packed() -> Made:
        return await asyncio.to_thread(
            vendorpack.pack_bundle, found, tmp_path / "deps.tar.zst", store_dir=store
        )

    made = asyncio.run(packed())
    told = [(record.levelname, record.getMessage()) for record in caplog.records]
    assert ("WARNING", "package-lock.json: nothing to download is named here") in told
    assert ("INFO", f"{tmp_path / 'deps.tar.zst'}: {made.summary}") in told
    assert capfd.readouterr() == ("", "")

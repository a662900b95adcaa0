"""What `doctor` names is in the way: the real clients fail there, and install without it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli import Cli
from tests.real import test_bun, test_deno, test_pnpm
from tests.real.clients import Machine, extract, pack

pytestmark = [pytest.mark.real, pytest.mark.network]


def way(client: str, project: Path) -> list[str | Path]:
    """The project, and the client's install."""
    if client == "deno-2.9":
        test_deno.hello("2.9", project)
        return [test_deno.deno("2.9"), *test_deno.INSTALL]
    if client == "bun-1.3":
        test_bun.hello("1.3", project)
        return [test_bun.bun("1.3"), *test_bun.INSTALL]
    test_pnpm.hello("10", project)
    return [*test_pnpm.pnpm("10"), *test_pnpm.install("10")]


@pytest.mark.parametrize(
    ("client", "file", "text"),
    [
        ("deno-2.9", ".npmrc", "registry=https://registry.corp.example/\n"),
        ("bun-1.3", "bunfig.toml", "[install.cache]\ndisable = true\n"),
        ("pnpm-10", "pnpm-workspace.yaml", "storeDir: /nonexistent/store\n"),
    ],
)
def test_it_is_in_the_way(
    client: str, file: str, text: str, real_cli: Cli, bundles: Path, tmp_path: Path
) -> None:
    project = tmp_path / "project"
    install = way(client, project)
    pack(real_cli, project, "-o", bundles / "deps.tar.zst")
    prefix = extract(bundles / "deps.tar.zst", tmp_path / "deps")
    target = test_pnpm.machine(tmp_path) if client == "pnpm-10" else Machine(tmp_path)
    named = f"NO  {file}:"
    assert named not in real_cli("doctor", prefix, "--project", project).out
    there = (project / file).read_text() if (project / file).exists() else ""
    (project / file).write_text(there + text)
    assert named in real_cli("doctor", prefix, "--project", project).out
    done = target.attempt(*install, cwd=project, prefix=prefix)
    assert done.code != 0, done.out
    (project / file).unlink()
    if there:
        (project / file).write_text(there)
    target.offline(*install, cwd=project, prefix=prefix)

"""A toolchain that the project names is spoken of while packing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli import Cli


@pytest.mark.parametrize("name", ["rust-toolchain.toml", "rust-toolchain"])
def test_it_is_noticed(name: str, tmp_path: Path) -> None:
    (tmp_path / "Cargo.lock").write_text("version = 4\n")
    cli = Cli(tmp_path)
    assert "toolchain" not in cli.ok("pack", tmp_path, "--dry-run").err
    (tmp_path / name).write_text('[toolchain]\nchannel = "1.66.1"\n')
    done = cli.ok("pack", tmp_path, "--dry-run")
    assert "toolchains are not packed" in done.err and name in done.err

"""--exclude leaves packages out, for every format, and says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli import Cli
from tests.world.gems import GemWorld, Release, gem_file, gem_world, lock_text


@pytest.fixture
def world(tmp_path: Path) -> GemWorld:
    made = gem_world(tmp_path / "repositories", ("main", "paid"))
    made.sources["main"].releases.append(Release("left", "1.0.0", gem_file("left", "1.0.0")))
    made.sources["paid"].login = "someone:else"
    made.sources["paid"].releases.append(Release("paid", "2.0.0", gem_file("paid", "2.0.0")))
    return made


@pytest.mark.parametrize("name", ["paid", "paid@2.0.0", "pai*"])
def test_what_cannot_be_had_is_left_out(world: GemWorld, tmp_path: Path, name: str) -> None:
    with world.server:
        text = lock_text({world.url(s): world.sources[s].releases for s in ("main", "paid")})
        (tmp_path / "Gemfile.lock").write_text(text)
        cli = Cli(tmp_path)
        assert cli("pack", tmp_path, *world.allow()).code == 7
        done = cli.ok("pack", tmp_path, *world.allow(), "--exclude", name)
    assert "paid 2.0.0 is left out" in done.err
    shown = cli.ok("show", "deps.tar.zst", "--json").json
    assert [artifact["name"] for artifact in shown["artifacts"]] == ["left"]
    assert shown["options"]["Gemfile.lock"]["exclude"] == [name]
    excluded = cli.ok("key", tmp_path, "--exclude", name).out
    assert excluded.strip() == shown["key"] != cli.ok("key", tmp_path).out.strip()


@pytest.mark.parametrize("name", ["nothing", "paid@3"])
def test_what_is_not_there_cannot_be_left_out(tmp_path: Path, name: str) -> None:
    text = lock_text({"https://gems.example/": [Release("paid", "2.0.0", b"x")]})
    (tmp_path / "Gemfile.lock").write_text(text)
    done = Cli(tmp_path)("pack", tmp_path, "--exclude", name, "--allow-host", "gems.example")
    assert done.code == 2
    assert f"--exclude names what no lockfile here has: {name}" in done.err
    assert not (tmp_path / "deps.tar.zst").exists()

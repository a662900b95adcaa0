"""Shapes of public lockfiles, by the loopback's gem servers: a paid gem, and another C library."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.cli import Cli
from tests.real.test_bundler import VERSIONS, Built, bundler, gemspec, pure
from tests.real.ways import Way
from tests.world import World
from tests.world.gems import GemSource

pytestmark = pytest.mark.real

LOGIN = {"BUNDLE_127__0__0__1": "someone:canary-password"}
JOBS = {"BUNDLE_JOBS": "1"}  # Bundler 4 wants a newer Ruby for its threads


def source(world: World, built: Built, at: str, login: str | None = None, **gems: str) -> str:
    """A server with gems, each for a platform of its own: its address."""
    served = world.site(tls=True).mount(at, GemSource(login=login))
    for folder, platform in gems.items():
        name = folder.partition("_")[0]
        more = "" if platform == "ruby" else f's.platform = "{platform}"'
        files = {
            f"{name}.gemspec": gemspec(name, more=more),
            f"lib/{name}.rb": pure(name.capitalize(), f"PLATFORM = '{platform}'"),
        }
        built.build(built.add(folder, files))
        served.releases.append(built.release(name, platform=platform))
    return served.url


def host_of(url: str) -> str:
    return url.partition("://")[2].partition("/")[0]


@pytest.mark.parametrize("group", ["optional", "left out"])
@pytest.mark.parametrize("version", VERSIONS)
def test_a_paid_gem_of_a_group_that_is_not_installed(
    world: World, tmp_path: Path, version: str, group: str
) -> None:
    """Whoever packs has no login for it. A lockfile has no groups: `--exclude` names the gem."""
    built = Built(tmp_path / "built")
    free = source(world, built, "free", free="ruby")
    paid = source(world, built, "paid", LOGIN["BUNDLE_127__0__0__1"], paid="ruby")
    optional = ", optional: true" if group == "optional" else ""
    bundle = bundler(version)
    allowed = ("--allow-host", host_of(free), "--allow-host", host_of(paid))
    way = Way(
        files={
            "Gemfile": f'source "{free}/"\ngem "free"\n\n'
            f'group :pro{optional} do\n  source "{paid}/" do\n    gem "paid"\n  end\nend\n'
        },
        lock=[(*bundler("system"), "lock")],
        install=[(*bundle, "install", "--local")],
        proof=(*bundle, "exec", "ruby", "-e", "Bundler.require; puts Free::PLATFORM"),
        said="ruby",
        locking=LOGIN | JOBS,
        installing=JOBS
        | {"BUNDLE_PATH": str(tmp_path / "installed")}
        | ({} if optional else {"BUNDLE_WITHOUT": "pro"}),
        options=(*allowed, "--exclude", "paid"),
    )
    prefix = way.go(world, tmp_path / "way")
    assert [path.name for path in prefix.glob("bundler/cache/*")] == ["free-1.0.0.gem"]
    cli = Cli(tmp_path, environ=world.environ)
    done = cli("pack", tmp_path / "way/project", *allowed)
    assert done.code == 7 and "--exclude paid" in done.err, done.err
    assert re.search(r"^  Gemfile\.lock:\d+: paid 1\.0\.0$", done.err, re.M), done.err


@pytest.mark.parametrize("version", ["2.6", "4"])
def test_a_gem_for_musl(world: World, tmp_path: Path, version: str) -> None:
    """Ruby here says that it was built for musl, as Alpine's does: Bundler then takes that gem."""
    built = Built(tmp_path / "built")
    platforms = ("x86_64-linux", "x86_64-linux-musl", "arm64-darwin")
    folders = {f"multi_{number}": one for number, one in enumerate(platforms)}
    url = source(world, built, "gems", multi="ruby", **folders)
    built_for = tmp_path / "musl.rb"
    built_for.write_text(
        f'RbConfig::CONFIG["arch"] = "{platforms[1]}"\n'
        "Gem::Platform.instance_variable_set(:@local, nil)\n"  # it has been read by now
    )
    bundle = bundler(version)
    show = "require 'bundler'; Bundler.require; puts Multi::PLATFORM"
    way = Way(
        files={"Gemfile": f'source "{url}/"\ngem "multi"\n'},
        lock=[(*bundler("2.6"), "lock", "--add-platform", *platforms)],
        install=[(*bundle, "install", "--local")],
        proof=(*bundle[:-1], "-e", show),  # `exec` would read the platform before RUBYOPT
        said="x86_64-linux-musl",
        locking=JOBS,
        installing=JOBS | {"BUNDLE_PATH": str(tmp_path / "installed"), "RUBYOPT": f"-r{built_for}"},
        options=("--allow-host", host_of(url), "--target", "linux-x86_64-musl"),
    )
    prefix = way.go(world, tmp_path / "way")
    packed = {path.name for path in prefix.glob("bundler/cache/*")}
    fitting = {f"multi-1.0.0-{one}.gem" for one in platforms[:2]}  # the first says nothing of libc
    assert packed == {*fitting, "multi-1.0.0.gem"}

"""Bundler 2.3 to 4.0 install from a bundle with the network cut off.

The gems are built here, by the real `gem`, and served by the loopback's gem servers; the
lockfiles are written by the real Bundler.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import pytest

from tests.cli import Cli
from tests.corpus import corpus
from tests.real.clients import Machine, another_user, client, extract, tool
from tests.world.gems import GemSource, GemWorld, Release, gem_file, gem_world, sha256
from tests.world.git import Repository

pytestmark = pytest.mark.real

VERSIONS = ("system", "2.6", "4")
"""The system's own, and those that `.ci/clients` installs."""

LOGIN = "someone:c4n4ry-t0k3n"
CHAIN = 8
PRIVATE = 6
"""How many pure-Ruby gems the two sources have, each needing the one before."""

BUILD = """
    require "rubygems/package"
    Gem::DefaultUserInteraction.ui = Gem::SilentUI.new
    ARGV.each { |f| Dir.chdir(File.dirname(f)) { Gem::Package.build(Gem::Specification.load(f)) } }
"""
NATIVE_C = """
    #include <ruby.h>
    static VALUE answer(VALUE self) { return INT2NUM(42); }
    void Init_native(void) {
        rb_define_module_function(rb_define_module("Native"), "answer", answer, 0);
    }
"""
RUN = """
    Bundler.require
    puts Chain7.trace, Private5.trace, Native.answer, Multi::PLATFORM, Gitty::VERSION, Gitty.files
    puts Older::VERSION, Local::HERE
"""


def bundler(version: str) -> list[str | Path]:
    """The command of an installed Bundler."""
    ruby = tool("ruby")
    if version == "system":
        return [tool("bundle")]
    folder = client(f"bundler-{version}")
    return [ruby, "-I", folder / "lib", folder / "exe/bundle"]


def gemspec(name: str, version: str = "1.0.0", more: str = "") -> str:
    return dedent(
        f"""
        Gem::Specification.new do |s|
          s.name, s.version, s.summary = "{name}", "{version}", "a test"
          s.authors, s.files = ["x"], Dir["lib/**/*", "ext/**/*", "bin/*"]
          {more}
        end
        """
    )


def pure(module: str, body: str) -> str:
    return f"module {module}\n  {body}\nend\n"


@dataclass(frozen=True)
class Built:
    """Gems by name, as `gem build` made them."""

    folder: Path

    def add(self, folder: str, files: Mapping[str, str]) -> Path:
        for path, text in files.items():
            file = self.folder / folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(dedent(text))
        return self.folder / folder / next(p for p in files if p.endswith(".gemspec"))

    def build(self, *specs: Path) -> None:
        env = {"PATH": "/usr/local/bin:/usr/bin:/bin", "SOURCE_DATE_EPOCH": "1000000000"}
        command = [tool("ruby"), "-e", dedent(BUILD), *map(str, specs)]
        subprocess.run(command, env=env, check=True, capture_output=True)

    def release(
        self, name: str, version: str = "1.0.0", platform: str = "ruby", needs: str = ""
    ) -> Release:
        found = Release(name, version, b"", platform, needs)
        data = next(self.folder.glob(f"*/{found.file_name}")).read_bytes()
        return Release(name, version, data, platform, needs)


def chain(built: Built, prefix: str, length: int) -> Iterator[Path]:
    """Gems that each need the one before."""
    for number in range(length):
        name = f"{prefix.lower()}{number}"
        before = number - 1
        needs = f's.add_dependency "{prefix.lower()}{before}", "~> 1.0"' if number else ""
        load = f"require '{prefix.lower()}{before}'\n" if number else ""
        trace = f"{prefix}{before}.trace + '{number}'" if number else f"'{prefix}0'"
        yield built.add(
            name,
            {
                f"{name}.gemspec": gemspec(name, more=needs),
                f"lib/{name}.rb": load + pure(f"{prefix}{number}", f"def self.trace = {trace}"),
            },
        )


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GemWorld]:
    """Two gem servers, the second with a login, and a git repository."""
    folder = tmp_path_factory.mktemp("gems")
    built = Built(folder / "built")
    specs = [*chain(built, "Chain", CHAIN), *chain(built, "Private", PRIVATE)]
    specs.append(
        built.add(
            "native",
            {
                "native.gemspec": gemspec("native", more='s.extensions = ["ext/extconf.rb"]'),
                "ext/extconf.rb": 'require "mkmf"; create_makefile("native")',
                "ext/native.c": NATIVE_C,
            },
        )
    )
    platforms = ("ruby", "x86_64-linux", "aarch64-linux", "arm64-darwin", "java")
    for platform in platforms:
        more = "" if platform == "ruby" else f's.platform = "{platform}"'
        specs.append(
            built.add(
                f"multi-{platform}",
                {
                    "multi.gemspec": gemspec("multi", more=more),
                    "lib/multi.rb": pure("Multi", f"PLATFORM = '{platform}'"),
                },
            )
        )
    built.build(*specs)

    made = gem_world(folder / "repositories", ("main", "private"))
    main, private = made.sources["main"], made.sources["private"]
    private.login = LOGIN
    for source, prefix, length in ((main, "chain", CHAIN), (private, "private", PRIVATE)):
        for number in range(length):
            needs = f"{prefix}{number - 1}:~> 1.0" if number else ""
            source.releases.append(built.release(f"{prefix}{number}", needs=needs))
    main.releases.append(built.release("native"))
    main.releases += [built.release("multi", platform=platform) for platform in platforms]

    repository = Repository(folder / "gitty")
    # Its file list is what git says: a plain copy of the tree would leave it empty.
    listing = 's.files = `git ls-files -z`.split("\\0")'
    files = "def self.files = Gem.loaded_specs['gitty'].files.sort.join(',')"
    (repository.folder / "lib").mkdir()
    repository.commit(
        {
            "older.gemspec": gemspec("older", more=listing).encode(),
            "lib/older.rb": pure("Older", "VERSION = 'tagged'").encode(),
        }
    )
    repository.git("tag", "v1")
    (repository.folder / "older.gemspec").unlink()
    repository.commit(
        {
            "gitty.gemspec": gemspec("gitty", more=listing).encode(),
            "lib/gitty.rb": pure("Gitty", f"VERSION = 'from git'; {files}").encode(),
        }
    )
    repository.git("clone", "-q", "--bare", ".", str(made.repositories / "gitty.git"))
    with made.server:
        yield made


def gemfile(world: GemWorld) -> str:
    git = f"{world.server.url}/git/gitty.git"
    return dedent(
        f"""
        source "{world.url("main")}"
        gem "chain{CHAIN - 1}"
        gem "native"
        gem "multi"
        source "{world.url("private")}" do
          gem "private{PRIVATE - 1}"
        end
        gem "gitty", git: "{git}", branch: "main"
        gem "older", git: "{git}", tag: "v1"
        gem "local", path: "local"
        """
    )


def credentials() -> dict[str, str]:
    return {"BUNDLE_127__0__0__1": LOGIN}


def lock(machine: Machine, bundle: list[str | Path], folder: Path, *options: str) -> None:
    """Have a lockfile written, with the servers at hand."""
    platforms = ("ruby", "x86_64-linux", "aarch64-linux", "arm64-darwin")
    subprocess.run(
        [*map(str, bundle), "lock", *options, "--add-platform", *platforms],
        cwd=folder,
        env={**machine.env(), **credentials()},
        check=True,
        stdout=subprocess.PIPE,
    )


@pytest.fixture(scope="module")
def project(world: GemWorld, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that the system's Bundler has locked."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "Gemfile").write_text(gemfile(world))
    (folder / "local/lib").mkdir(parents=True)
    (folder / "local/local.gemspec").write_text(gemspec("local"))
    (folder / "local/lib/local.rb").write_text(pure("Local", "HERE = 'in the project'"))
    lock(Machine(folder.parent / "locking"), bundler("system"), folder)
    return folder


@dataclass(frozen=True)
class Target:
    """A place to install to, as a fresh machine has it."""

    machine: Machine
    project: Path
    bundle: list[str | Path]

    @property
    def env(self) -> dict[str, str]:
        # Bundler 4 wants Ruby 3.2, and is content with 3.1 as long as it starts no threads.
        return {"BUNDLE_PATH": str(self.project / "installed"), "BUNDLE_JOBS": "1"}

    def install(self, prefix: Path, *args: str | Path) -> str:
        """What `bundle install --local` says; it is Bundler as it was asked for that runs."""
        command = [*args, *self.bundle, "install", "--local", "--verbose"]
        return self.machine.offline(*command, cwd=self.project, prefix=prefix, env=self.env)

    def run(self, prefix: Path, code: str = RUN) -> list[str]:
        """What a program in the bundle prints."""
        command = [*self.bundle, "exec", "ruby", "-e", code]
        return self.machine.offline(
            *command, cwd=self.project, prefix=prefix, env=self.env
        ).splitlines()


def target(version: str, project: Path, folder: Path) -> Target:
    shutil.copytree(project, folder / "project")
    return Target(Machine(folder), folder / "project", bundler(version))


def untar(bundle: Path, into: Path) -> Path:
    """What a target without zstd does with a `.tar`."""
    into.mkdir(parents=True)
    subprocess.run(["tar", "-xf", bundle, "-C", into], check=True)
    return into


def running(version: str) -> str:
    """How `--verbose` names the Bundler that is running."""
    shown = subprocess.run(
        [*map(str, bundler(version)), "--version"],
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/nonexistent"},
        check=True,
        capture_output=True,
        text=True,
    )
    return f"with bundler {shown.stdout.split()[-1]}"


@pytest.mark.parametrize("version", VERSIONS)
def test_every_kind_of_gem(version: str, world: GemWorld, project: Path, tmp_path: Path) -> None:
    cli = Cli(tmp_path, environ=credentials())
    at = target(version, project, tmp_path)
    before = {path: path.read_bytes() for path in at.project.rglob("*") if path.is_file()}
    cli.ok("pack", at.project, "-o", tmp_path / "deps.tar")
    prefix = untar(tmp_path / "deps.tar", tmp_path / "deps")
    said = at.install(prefix)
    assert running(version) in said
    assert at.run(prefix) == [
        "Chain01234567",
        "Private012345",
        "42",
        "x86_64-linux",
        "from git",
        "gitty.gemspec,lib/gitty.rb,lib/older.rb",
        "tagged",
        "in the project",
    ]
    assert {path: path.read_bytes() for path in before} == before  # nothing of the user's is edited
    cli.ok("verify", prefix)  # nor of the bundle's


@pytest.fixture(scope="module")
def packed(world: GemWorld, project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's bundle, for every platform."""
    folder = tmp_path_factory.mktemp("packed")
    cli = Cli(folder, environ=credentials())
    for name in ("deps.tar.zst", "again.tar.zst"):
        cli.ok("pack", project, "--all-targets", "-o", folder / name)
    assert (folder / "deps.tar.zst").read_bytes() == (folder / "again.tar.zst").read_bytes()
    return folder / "deps.tar.zst"


@pytest.mark.parametrize("version", VERSIONS)
def test_the_ruby_gem_where_native_ones_are_not_wanted(
    version: str, packed: Path, project: Path, tmp_path: Path
) -> None:
    at = target(version, project, tmp_path)
    (at.machine.home / ".bundle").mkdir(parents=True)
    (at.machine.home / ".bundle/config").write_text('---\nBUNDLE_FORCE_RUBY_PLATFORM: "true"\n')
    prefix = extract(packed, tmp_path / "deps")
    at.install(prefix)
    assert at.run(prefix, "Bundler.require; puts Multi::PLATFORM") == ["ruby"]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_lockfile_of_a_bundler_that_is_not_there(
    version: str, packed: Path, project: Path, tmp_path: Path
) -> None:
    at = target(version, project, tmp_path)
    lock = at.project / "Gemfile.lock"
    lock.write_text(re.sub(r"(?<=BUNDLED WITH\n   ).*", "9.9.9", lock.read_text()))
    prefix = extract(packed, tmp_path / "deps")
    assert running(version) in at.install(prefix)
    assert at.run(prefix, "Bundler.require; puts Gitty::VERSION") == ["from git"]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_read_only_bundle_of_another_user(
    version: str, world: GemWorld, project: Path, tmp_path: Path
) -> None:
    """As in an image: root unpacked it, somebody else installs. Git wants to be told of each."""
    cli = Cli(tmp_path, environ=credentials())
    cli.ok("pack", project, "-o", tmp_path / "deps.tar.zst")
    prefix = extract(tmp_path / "deps.tar.zst", tmp_path / "deps")
    at = target(version, project, tmp_path)
    at.machine.home.mkdir()
    folders = sorted((prefix / "bundler/user/git").iterdir())
    told = "".join(f"\tdirectory = {folder}\n" for folder in folders)
    (at.machine.home / ".gitconfig").write_text(f"[safe]\n{told}")
    at.install(prefix, *another_user(at.machine.home, at.project))
    assert at.run(prefix, "Bundler.require; puts Gitty::VERSION, Native.answer") == [
        "from git",
        "42",
    ]
    cli.ok("verify", prefix)


OWN = """
    Gem::Specification.new do |s|
      s.name, s.version, s.summary, s.authors = "bundler", "VERSION", "a test", ["x"]
      s.bindir, s.executables, s.files = "exe", ["bundle"], Dir["{lib,exe}/**/*"]
    end
"""


def test_the_bundler_that_wrote_the_lockfile(
    world: GemWorld, project: Path, tmp_path: Path
) -> None:
    """It is a gem among the others; once installed, the system's `bundle` starts it."""
    version = running("2.6").split()[-1]
    built = Built(tmp_path / "built")
    shutil.copytree(client("bundler-2.6"), built.folder / "own")
    built.build(built.add("own", {"own.gemspec": OWN.replace("VERSION", version)}))
    at = target("system", project, tmp_path)
    lock = at.project / "Gemfile.lock"
    lock.write_text(re.sub(r"(?<=BUNDLED WITH\n   ).*", version, lock.read_text()))
    with gem_world(tmp_path / "repositories", ("public",)).server as server:
        public = server.mount("rubygems", GemSource())
        public.releases.append(built.release("bundler", version))
        mirror = {"BUNDLE_MIRROR__HTTPS://RUBYGEMS__ORG/": f"{public.url}/"}
        cli = Cli(tmp_path, environ=credentials() | mirror)
        cli.ok("pack", at.project, "--bundler-bundled-with", "yes", "-o", tmp_path / "deps.tar.zst")
    prefix = extract(tmp_path / "deps.tar.zst", tmp_path / "deps")
    gem = prefix / f"bundler/cache/bundler-{version}.gem"
    install = [tool("gem"), "install", "--local", "--no-document", "--user-install", str(gem)]
    at.machine.offline(*install, cwd=at.project)
    assert f"with bundler {version}" in at.install(prefix)
    assert at.run(prefix, "puts Bundler::VERSION") == [version]


def test_unpacked_into_the_users_own_cache(packed: Path, project: Path, tmp_path: Path) -> None:
    at = target("system", project, tmp_path)
    cli = Cli(tmp_path, environ={"HOME": str(at.machine.home)})
    cli.ok("unpack", packed)
    variables = cli.ok("env", packed, "--json").json
    assert variables["BUNDLE_CACHE_PATH"] == f"{at.machine.home}/.bundle/cache/offline"
    command = [*at.bundle, "install", "--local"]
    at.machine.offline(*command, cwd=at.project, env={**variables, **at.env})
    run = [*at.bundle, "exec", "ruby", "-e", "Bundler.require; puts Gitty::VERSION"]
    said = at.machine.offline(*run, cwd=at.project, env={**variables, **at.env})
    assert said == "from git\n"


@pytest.mark.parametrize("version", VERSIONS)
def test_checksums_that_bundler_wrote(
    version: str, world: GemWorld, project: Path, tmp_path: Path
) -> None:
    at = target(version, project, tmp_path)
    (at.project / "Gemfile.lock").unlink()
    lock(at.machine, bundler("2.6"), at.project, "--add-checksums")
    cli = Cli(tmp_path, environ=credentials())
    plan = cli.ok("pack", at.project, "--dry-run", "--json").json["artifacts"]
    without = cli.ok("pack", project, "--dry-run", "--json").json["artifacts"]
    assert {a["trust"] for a in plan if a["purl"].startswith("pkg:gem/")} == {"lockfile"}
    assert [a["purl"] for a in plan] == [a["purl"] for a in without]
    cli.ok("pack", at.project, "-o", tmp_path / "deps.tar.zst")
    prefix = extract(tmp_path / "deps.tar.zst", tmp_path / "deps")
    at.install(prefix)
    assert at.run(prefix, "Bundler.require; puts Native.answer") == ["42"]


def test_a_large_lockfile(tmp_path: Path) -> None:
    """A real lockfile of 183 gems: planned as it is, packed from a server with its names."""
    source = corpus("bundler-lobsters")
    text = (source / "Gemfile.lock").read_text()
    cli = Cli(tmp_path)
    checksums = dict(re.findall(r"^  (\S+ \(\S+\)) sha256=([0-9a-f]{64})$", text, re.M))
    specs = re.findall(r"^ {4}(\S+) \(([^-)]+)(?:-(\S+))?\)$", text, re.M)
    everything = cli.ok("pack", source, "--all-targets", "--dry-run", "--json").json["artifacts"]
    assert len(specs) == len(checksums) == len(everything) == 183
    here = [a["purl"] for a in cli.ok("pack", source, "--dry-run", "--json").json["artifacts"]]
    assert len(here) == 180 and not any("darwin" in purl for purl in here)

    world = gem_world(tmp_path / "repositories")
    with world.server as server:
        releases = [
            Release(name, version, gem_file(name, version, platform or "ruby"), platform or "ruby")
            for name, version, platform in specs
        ]
        world.sources["main"].releases += releases
        text = text.replace("https://rubygems.org/", f"{server.url}/main/")
        for release in releases:
            known = f"  {release.name} ({release.full_version}) sha256="
            text = text.replace(
                known + checksums[f"{release.name} ({release.full_version})"],
                known + sha256(release.data),
            )
        (tmp_path / "Gemfile.lock").write_text(text)
        cli.ok("pack", tmp_path, "--all-targets", *world.allow(), "-o", tmp_path / "deps.tar.zst")
        assert len(server.requests) == 183  # nothing but the gems is asked for
    prefix = extract(tmp_path / "deps.tar.zst", tmp_path / "deps")
    names = {path.name: path.read_bytes() for path in (prefix / "bundler/cache").iterdir()}
    assert names == {release.file_name: release.data for release in releases}

"""Shapes in which git dependencies stand in lockfiles of Cargo and Bundler, beside the plain ones.

Bundler: several gems of one repository, found by a glob, at two refs; object ids by SHA-256;
addresses as scp has them. Cargo: a login in the lockfile's own address; several lockfiles, and
several bundles, of one repository; a registry whose index is a repository at an ssh server.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli import Cli
from tests.real.clients import Machine, tool
from tests.real.test_bundler import bundler, gemspec, pure
from tests.real.test_cargo import member, name_of, toolchain
from tests.real.test_private_git import LOGIN
from tests.real.ways import Way, online
from tests.world import World, basic
from tests.world.cargo import CrateDownloads, index_files
from tests.world.crates import crate, package
from tests.world.git import GitHost, Repository

pytestmark = pytest.mark.real

BUNDLERS = ("system", "2.6", "4")


def gem(name: str, said: str) -> dict[str, bytes]:
    """A gem's files, for a folder of its own."""
    body = pure(name.capitalize(), f"NAME = '{said}'").encode()
    return {f"{name}.gemspec": gemspec(name).encode(), f"lib/{name}.rb": body}


@pytest.mark.parametrize("ids", ["sha1", "sha256"])
@pytest.mark.parametrize("version", BUNDLERS)
def test_gems_of_one_repository(
    world: World, served: Path, tmp_path: Path, version: str, ids: str
) -> None:
    repository = Repository(tmp_path / "gems", ids)
    for name in ("one", "two", "three"):
        files = gem(name, f"main: {name}").items()
        repository.commit({f"far/below/{name}/{path}": data for path, data in files})
    repository.git("checkout", "-q", "-b", "other")
    files = gem("three", "other: three").items()
    repository.commit({f"far/below/three/{path}": data for path, data in files})
    repository.publish(served)
    site = world.site(tls=True)
    url = f"{site.mount('git', GitHost(served), login=basic(LOGIN)).url}/gems.git"
    glob = 'glob: "far/*/{one,two,three}/*.gemspec"'
    bundle = bundler(version)
    names = "[One, Two, Three].each { |gem| puts gem::NAME }"
    way = Way(
        files={
            "Gemfile": f'git "{url}", branch: "main", {glob} do\n  gem "one"\n  gem "two"\nend\n'
            f'gem "three", git: "{url}", branch: "other", {glob}\n'
        },
        home={".netrc": "machine 127.0.0.1 login someone password canary-password\n"},
        lock=[(*bundler("system"), "lock")],
        install=[(*bundle, "install", "--local")],
        proof=(*bundle, "exec", "ruby", "-e", f"Bundler.require; {names}"),
        said="main: one\nmain: two\nother: three",
        locking={"BUNDLE_JOBS": "1"},
        installing={"BUNDLE_JOBS": "1", "BUNDLE_PATH": str(tmp_path / "installed")},
        options=("--allow-host", f"127.0.0.1:{site.port}"),
    )
    way.go(world, tmp_path)


@pytest.mark.parametrize("version", BUNDLERS)
def test_a_gem_at_an_address_as_scp_has_them(
    world: World, served: Path, tmp_path: Path, version: str
) -> None:
    repository = Repository(tmp_path / "gitty")
    repository.commit(gem("gitty", "from git"))
    repository.publish(served)
    ssh = world.ssh(served)
    command = {"GIT_SSH_COMMAND": f"{ssh.command} -p {ssh.host.partition(':')[2]}"}
    bundle = bundler(version)
    way = Way(
        files={"Gemfile": 'gem "gitty", git: "git@127.0.0.1:gitty.git"\n'},
        lock=[(*bundler("system"), "lock")],
        install=[(*bundle, "install", "--local")],
        proof=(*bundle, "exec", "ruby", "-e", "Bundler.require; puts Gitty::NAME"),
        said="from git",
        locking={**command, "BUNDLE_JOBS": "1"},
        packing=command,
        installing={"BUNDLE_JOBS": "1", "BUNDLE_PATH": str(tmp_path / "installed")},
        options=("--allow-host", "127.0.0.1", "--git-config"),
    )
    way.go(world, tmp_path)


def library(folder: Path, served: Path, *said: str) -> list[str]:
    """A repository of one crate, with a commit for each of what it says: their ids."""
    repository = Repository(folder / "library")
    commits = [
        repository.commit({"Cargo.toml": member("library"), "src/lib.rs": name_of(one)})
        for one in said
    ]
    repository.publish(served)
    return commits


def app(dependency: str) -> dict[str, str]:
    """A program that prints what its library says."""
    return {
        "Cargo.toml": f"{member('app').decode()}[dependencies]\nlibrary = {{ {dependency} }}\n",
        "src/main.rs": 'fn main() { println!("{}", library::NAME) }\n',
    }


def test_a_login_in_cargos_lockfile(world: World, served: Path, tmp_path: Path) -> None:
    library(tmp_path, served, "right")
    site = world.site(tls=True)
    host = site.mount("git", GitHost(served), login=basic(LOGIN))
    url = f"{host.url.replace('://', f'://{LOGIN}@')}/library.git"
    way = Way(
        files=app(f'git = "{url}"'),
        lock=[("cargo", "generate-lockfile")],
        install=[("cargo", "build", "--frozen")],
        proof=("target/debug/app",),
        said="right",
        path=[Path(tool("cargo")).parent],
        locking={**toolchain(), "CARGO_NET_GIT_FETCH_WITH_CLI": "true"},
        installing=toolchain(),
        options=("--allow-host", f"127.0.0.1:{site.port}"),
    )
    way.go(world, tmp_path)
    assert LOGIN in (tmp_path / "project/Cargo.lock").read_text()


def test_three_lockfiles_of_one_repository(world: World, served: Path, tmp_path: Path) -> None:
    commits = library(tmp_path, served, "first", "second", "third")
    site = world.site(tls=True)
    url = f"{site.mount('git', GitHost(served)).url}/library.git"
    folders = ("a", "b", "c")
    files = {
        f"{folder}/{name}": text
        for folder, commit in zip(folders, commits, strict=True)
        for name, text in app(f'git = "{url}", rev = "{commit}"').items()
    }
    manifests = [("--manifest-path", f"{folder}/Cargo.toml") for folder in folders]
    way = Way(
        files=files,
        lock=[("cargo", "generate-lockfile", *manifest) for manifest in manifests],
        install=[("cargo", "build", "--frozen", *manifest) for manifest in manifests],
        proof=("sh", "-c", "a/target/debug/app && b/target/debug/app && c/target/debug/app"),
        said="first\nsecond\nthird",
        path=[Path(tool("cargo")).parent],
        locking={**toolchain(), "CARGO_NET_GIT_FETCH_WITH_CLI": "true"},
        installing=toolchain(),
        options=("-r", "--allow-host", f"127.0.0.1:{site.port}"),
    )
    prefix = way.go(world, tmp_path)
    assert len([*prefix.glob("cargo/git/db/*")]) == 1


@pytest.mark.parametrize("by", ["cargo's own", "the program"])
def test_two_bundles_of_one_repository_in_one_cargo_home(
    world: World, served: Path, tmp_path: Path, by: str
) -> None:
    """Both build offline; cargo then updates there by whichever git, and they still do."""
    commits = library(tmp_path, served, "first", "second")
    site = world.site()
    url = f"{site.mount('git', GitHost(served)).url}/library.git"
    here = Machine(tmp_path, [Path(tool("cargo")).parent])
    env = {**toolchain(), "CARGO_HOME": str(tmp_path / "cargo-home")}
    cli = Cli(tmp_path, environ={**world.environ, "CARGO_HOME": env["CARGO_HOME"]})
    cli_fetch = {"CARGO_NET_GIT_FETCH_WITH_CLI": str(by == "the program").lower()}
    projects = {}
    for said, commit in zip(("first", "second"), commits, strict=True):
        project = projects[said] = tmp_path / said
        for name, text in app(f'git = "{url}", rev = "{commit}"').items():
            (project / name).parent.mkdir(parents=True, exist_ok=True)
            (project / name).write_text(text)
        elsewhere = here.env({**toolchain(), "CARGO_HOME": str(tmp_path / "locking")})
        online(("cargo", "generate-lockfile"), project, elsewhere)
        cli.ok("pack", project, "--allow-host", site.url, "-o", f"{said}.tar.zst")
        cli.ok("unpack", f"{said}.tar.zst")
    for said, project in projects.items():
        here.offline("cargo", "build", "--frozen", cwd=project, env=env)
        assert here.offline("target/debug/app", cwd=project) == f"{said}\n"
    online(("cargo", "update"), projects["first"], here.env({**env, **cli_fetch}))
    for said, project in projects.items():
        here.offline("cargo", "clean", cwd=project, env=env)
        here.offline("cargo", "build", "--frozen", cwd=project, env=env)
        assert here.offline("target/debug/app", cwd=project) == f"{said}\n"


@pytest.mark.parametrize("compat", [(), ("--cargo-compat", "1.65")], ids=["newest", "1.65"])
def test_a_registry_whose_index_is_at_an_ssh_server(
    world: World, served: Path, tmp_path: Path, compat: tuple[str, ...]
) -> None:
    files = world.site(tls=True)
    downloads = files.mount("dl", CrateDownloads())
    downloads.crates["one", "1.2.3"] = crate("one", "1.2.3", "", name_of("one").decode())
    index = Repository(tmp_path / "index")
    index.commit(index_files(downloads))
    index.publish(served)
    ssh = world.ssh(served)
    url = f"{ssh.url}/index.git"
    lock = package("app", "0.1.0", None) + 'dependencies = ["one"]\n'
    lock += package("one", "1.2.3", f"registry+{url}", downloads.crates["one", "1.2.3"])
    registry = {"CARGO_REGISTRIES_CORP_INDEX": url}
    way = Way(
        files={
            "Cargo.toml": f"{member('app').decode()}[dependencies]\n"
            'one = { version = "1", registry = "corp" }\n',
            "src/main.rs": 'fn main() { println!("{}", one::NAME) }\n',
            "Cargo.lock": "version = 3\n\n" + lock,
        },
        install=[("cargo", "build", "--frozen")],
        proof=("target/debug/app",),
        said="one",
        path=[Path(tool("cargo")).parent],
        packing={**registry, "GIT_SSH_COMMAND": ssh.command},
        installing={**toolchain(), **registry},
        options=("--git-config", *compat),
    )
    way.go(world, tmp_path)

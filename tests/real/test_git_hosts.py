"""Commits on the hosts that JavaScript clients know: they take archives, and the bundle has them.

The user's own git configuration leads to the hosts, as it does for who has a mirror of them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.cli import Cli
from tests.engine.test_proof import forge
from tests.real.clients import client, extract
from tests.real.test_javascript_git import commits
from tests.real.test_npm import npm
from tests.real.test_pnpm import machine, pnpm
from tests.real.test_yarn import yarn
from tests.world import World
from tests.world.git import GitHost, Repository

pytestmark = pytest.mark.real

HOSTS = {
    "hub": "git+ssh://git@github.com/o/hub.git",
    "secure": "git+https://github.com/o/secure.git",
    "lab": "git+ssh://git@gitlab.com/group/sub/lab.git",
    "bucket": "git+https://bitbucket.org/o/bucket.git",
    "hut": "git+ssh://git@git.sr.ht/~o/hut.git",
    "gist": "git+ssh://git@gist.github.com/0123456789abcdef.git",
}
"""Packages, and what npm locks for them."""


def publish(folder: Path, address: str, files: Mapping[str, bytes]) -> str:
    """A commit of these files, served below a folder for the host."""
    host, _, path = address.partition("://")[2].removeprefix("git@").partition("/")
    served = folder / "served" / host / path.removesuffix(".git")
    repository = Repository(folder / "work" / served.name)
    commit = repository.commit(files)
    served.parent.mkdir(parents=True, exist_ok=True)
    served = served if host == "git.sr.ht" else served.with_suffix(".git")
    repository.git("clone", "-q", "--bare", ".", str(served))
    return commit


def leading(world: World, folder: Path, transport: str = "https") -> dict[str, str]:
    """Starts a server of what `publish` has put there; what leads vendorpack's git to it."""
    hosts = sorted(path.name for path in (folder / "served").iterdir())
    site = world.site(tls=True)
    environ = dict(world.environ)
    config = "".join(
        f'[url "{site.url}/git/{host}/"]\n\tinsteadOf = https://{host}/\n' for host in hosts
    )
    if transport == "https":
        site.mount("git", GitHost(folder / "served"))
    else:
        ssh = world.ssh(folder / "served")
        environ["GIT_SSH_COMMAND"] = ssh.command
        config += "".join(
            f'[url "{ssh.url}/{host}/"]\n\tinsteadOf = ssh://git@{host}/\n' for host in hosts
        )
    (folder / "gitconfig").write_text(config)
    return {**environ, "GIT_CONFIG_GLOBAL": str(folder / "gitconfig")}


def allowed(folder: Path) -> list[str]:
    hosts = sorted(path.name for path in (folder / "served").iterdir())
    return ["--git-config", *(word for host in hosts for word in ("--allow-host", host))]


def packed(lockfile: Path, folder: Path, transport: str = "https") -> tuple[Path, str]:
    """Pack the lockfile's project twice alike, and verify: where it is unpacked, what was said."""
    first, second = folder / "again.tar.zst", folder / "deps.tar.zst"
    with World(folder) as world:
        cli = Cli(folder, environ=leading(world, folder, transport))
        cli.ok("pack", lockfile.parent, "-o", first, *allowed(folder))
        done = cli.ok("pack", lockfile.parent, "-o", second, *allowed(folder))
    assert first.read_bytes() == second.read_bytes()
    cli.ok("verify", second, "--lockfile", lockfile)
    return extract(second, folder / "deps"), done.err


def built_by_itself(name: str) -> dict[str, bytes]:
    """A package that is nothing without its prepare script."""
    manifest = {"name": name, "version": "1.0.0", "main": "out.js"}
    script = f"require('fs').writeFileSync('out.js', `module.exports = '{name}'`)\n"
    return {
        "package.json": json.dumps({**manifest, "scripts": {"prepare": "node build.js"}}).encode(),
        "build.js": script.encode(),
        ".npmignore": b"build.js\n",
    }


@pytest.mark.parametrize("transport", ["https", "ssh"])
@pytest.mark.parametrize("version", ["10", "11", "12"])
def test_npm(version: str, transport: str, tmp_path: Path) -> None:
    """No hash is missing; https is tried before ssh."""
    resolved = {
        name: f"{address}#{publish(tmp_path, address, built_by_itself(name))}"
        for name, address in HOSTS.items()
    }
    project = tmp_path / "project"
    project.mkdir()
    packages = {
        f"node_modules/{name}": {"version": "1.0.0", "resolved": address}
        for name, address in resolved.items()
    }
    root = {"": {"name": "p", "dependencies": resolved}}
    lock = {"name": "p", "lockfileVersion": 3, "requires": True, "packages": root | packages}
    (project / "package.json").write_text(json.dumps({"name": "p", "dependencies": resolved}))
    (project / "package-lock.json").write_text(json.dumps(lock))
    prefix, _ = packed(project / "package-lock.json", tmp_path, transport)
    target = machine(tmp_path)
    env = {"npm_config_allow_git": "all"} if version == "12" else {}
    target.offline(*npm(version), "ci", cwd=project, prefix=prefix, env=env)
    node = client("node") / "bin/node"
    program = f"{json.dumps([*HOSTS])}.map((name) => require(name)).join(' ')"
    assert target.offline(node, "-p", program, cwd=project) == " ".join(HOSTS) + "\n"


def test_what_npm_builds_with_dependencies_is_warned_of(tmp_path: Path) -> None:
    """Also on a host whose archives it takes: the commit's package.json says so."""
    first, second = commits(tmp_path, tmp_path / "served/github.com/o")
    with World(tmp_path) as world:
        cli = Cli(tmp_path, environ=leading(world, tmp_path))
        for commit, warned in ((first, False), (second, True)):
            pin = {"version": "1.0.0", "resolved": f"git+ssh://git@github.com/o/plain.git#{commit}"}
            lock = {"lockfileVersion": 3, "packages": {"node_modules/plain": pin}}
            project = tmp_path / commit
            project.mkdir()
            (project / "package-lock.json").write_text(json.dumps(lock))
            bundle = tmp_path / f"{commit}.tar.zst"
            done = cli.ok("pack", project, "-o", bundle, *allowed(tmp_path))
            assert ("has a prepare script: npm installs its dependencies" in done.err) == warned


ARCHIVES = {
    "hub": ("https://github.com/o/hub.git", "https://codeload.github.com/o/hub/tar.gz/{}"),
    "bucket": (
        "https://bitbucket.org/o/bucket.git",
        "https://bitbucket.org/o/bucket/get/{}.tar.gz",
    ),
    "lab": (
        "https://gitlab.com/group/sub/lab.git",
        "https://gitlab.com/api/v4/projects/group%2Fsub%2Flab/repository/archive.tar.gz?ref={}",
    ),
}
"""Packages, where they are, and what pnpm locks for them."""


def module(name: str, folder: str = "") -> dict[str, bytes]:
    """A package that needs nothing."""
    manifest = {"name": name, "version": "1.0.0", "main": "index.js"}
    return {
        f"{folder}package.json": json.dumps(manifest).encode(),
        f"{folder}index.js": f"module.exports = '{name}'\n".encode(),
        "README.md": b"of the repository\n",
    }


def pnpm_lock(version: str, archives: Mapping[str, str], folders: Mapping[str, str]) -> str:
    """What pnpm locks for archives of git hosts, some with a package in a folder."""
    old = version == "8"
    indent = "" if old else "    "
    lines, packages, snapshots = [], ["packages:"], [] if old else ["snapshots:"]
    for name, url in archives.items():
        path = f"#path:/{folders[name]}" if name in folders else ""
        reference = f"@{url.removeprefix('https://')}" if old else url + path
        key = reference if old else f"{name}@{reference}"
        more = f", path: /{folders[name]}" if path else ""
        lines += [f"{indent}  {name}:", f"{indent}    specifier: '{url}{path}'"]
        lines += [f"{indent}    version: '{reference}'"]
        packages += [f"  '{key}':", f"    resolution: {{tarball: '{url}'{more}}}"]
        packages += [f"    name: {name}", "    dev: false"] if old else []
        packages += ["    version: 1.0.0"]
        snapshots += [] if old else [f"  '{key}': {{}}"]
    head = [
        f"lockfileVersion: '{'6.0' if old else '9.0'}'",
        "settings:",
        "  autoInstallPeers: true",
        "  excludeLinksFromLockfile: false",
        *([] if old else ["importers:", "  .:"]),
        f"{indent}dependencies:",
    ]
    return "\n".join([*head, *lines, *packages, *snapshots, ""])


@pytest.mark.parametrize("scripts", ["on", "off"])
@pytest.mark.parametrize("version", ["8", "9", "10", "11", "12"])
def test_pnpm(version: str, scripts: str, tmp_path: Path) -> None:
    """The store has the commits' files under the archives' addresses; one is in a folder."""
    folders = {} if version == "8" else {"lab": "packages/lab"}
    archives = {
        name: archive.format(
            publish(tmp_path, address, module(name, "packages/lab/" if name in folders else ""))
        )
        for name, (address, archive) in ARCHIVES.items()
    }
    project = tmp_path / "project"
    project.mkdir()
    wanted = {
        name: f"{url}#path:/{folders[name]}" if name in folders else url
        for name, url in archives.items()
    }
    (project / "package.json").write_text(json.dumps({"name": "p", "dependencies": wanted}))
    (project / "pnpm-lock.yaml").write_text(pnpm_lock(version, archives, folders))
    prefix, _ = packed(project / "pnpm-lock.yaml", tmp_path)
    target = machine(tmp_path)
    options = ("--ignore-scripts",) if scripts == "off" else ()
    install = ("install", "--frozen-lockfile", *options)
    target.offline(*pnpm(version), *install, cwd=project, prefix=prefix)
    node = client("node") / "bin/node"
    program = f"{json.dumps([*archives])}.map((name) => require(name)).join(' ')"
    assert target.offline(node, "-p", program, cwd=project) == " ".join(archives) + "\n"


@pytest.mark.parametrize("transport", ["https", "ssh"])
def test_yarn_1(transport: str, tmp_path: Path) -> None:
    """It finds archives in its mirror, and needs no git; what it would build it takes as it is."""
    places = {
        "hub": ("git+ssh://git@github.com/o/hub.git", "git+ssh://git@github.com/o/hub.git"),
        "scp": ("git+ssh://git@gitlab.com:group/scp.git", "git+https://gitlab.com/group/scp.git"),
        "secure": ("https://bitbucket.org/o/secure.git", "https://bitbucket.org/o/secure.git"),
        "short": ("o/short", "https://github.com/o/short.git"),
        "built": ("git+https://github.com/o/built.git", "https://github.com/o/built.git"),
    }
    wanted, entries = {}, []
    for name, (spec, address) in places.items():
        files = built_by_itself(name) if name == "built" else module(name)
        commit = publish(tmp_path, address, files)
        wanted[name] = f"{spec}#{commit}"
        resolved = f"{spec}#{commit}"
        if name == "short":
            resolved = f"https://codeload.github.com/o/short/tar.gz/{commit}"
        entries.append(f'"{name}@{wanted[name]}":\n  version "1.0.0"\n  resolved "{resolved}"\n')
    project = tmp_path / "project"
    project.mkdir()
    manifest = {"name": "p", "version": "1.0.0", "license": "MIT", "dependencies": wanted}
    (project / "package.json").write_text(json.dumps(manifest))
    (project / "yarn.lock").write_text("# yarn lockfile v1\n\n\n" + "\n".join(entries))
    prefix, said = packed(project / "yarn.lock", tmp_path, transport)
    assert said.count("has a prepare script: from an offline mirror Yarn 1 takes it") == 1
    target = machine(tmp_path)
    install = ("install", "--offline", "--frozen-lockfile")
    target.offline(*yarn("yarn-1"), *install, cwd=project, prefix=prefix)
    node = client("node") / "bin/node"
    names = [name for name in places if name != "built"]
    program = f"{json.dumps(names)}.map((name) => require(name)).join(' ')"
    assert target.offline(node, "-p", program, cwd=project) == " ".join(names) + "\n"
    assert (project / "node_modules/built/build.js").exists()


def locks(commit: str) -> dict[str, tuple[str, str]]:
    """By client: the lockfile's name and text for the package `plain` of a GitHub repository."""
    address = f"git+ssh://git@github.com/o/plain.git#{commit}"
    archive = f"https://codeload.github.com/o/plain/tar.gz/{commit}"
    pin = {"node_modules/plain": {"version": "1.0.0", "resolved": address}}
    entry = f'"plain@{address}":\n  version "1.0.0"\n  resolved "{address}"\n'
    return {
        "npm": ("package-lock.json", json.dumps({"lockfileVersion": 3, "packages": pin})),
        "pnpm": ("pnpm-lock.yaml", pnpm_lock("11", {"plain": archive}, {})),
        "yarn-classic": ("yarn.lock", f"# yarn lockfile v1\n\n\n{entry}"),
    }


@pytest.mark.parametrize("room", ["npm", "pnpm", "yarn-classic"])
def test_a_forged_archive_of_a_commit_is_refused(room: str, tmp_path: Path) -> None:
    """Whoever has the commit sees it, though all hashes of the bundle are made anew."""
    commit = publish(tmp_path, "git+https://github.com/o/plain.git", module("plain"))
    project = tmp_path / "project"
    project.mkdir()
    (project / "package.json").write_text(json.dumps({"name": "p", "dependencies": {}}))
    name, text = locks(commit)[room]
    lock, bundle = project / name, tmp_path / "deps.tar.zst"
    lock.write_text(text)
    with World(tmp_path) as world:
        cli = Cli(tmp_path, environ=leading(world, tmp_path))
        cli.ok("pack", lock, "-o", bundle, *allowed(tmp_path))
    honest = cli.ok("verify", bundle, "--lockfile", lock)
    assert "1 artifact as the lockfile pins" in honest.err
    changed = []

    def change(entry: Any) -> Any:
        if isinstance(entry.content, bytes) and b"= 'plain'" in entry.content:
            changed.append(entry.path)
            return replace(entry, content=entry.content.replace(b"= 'plain'", b"= 'other'"))
        return entry

    forge(bundle, change)
    assert changed
    cli.ok("verify", bundle)  # it is whole
    for command in (("verify", bundle), ("unpack", bundle, "--prefix", tmp_path / "deps")):
        done = cli(*command, "--lockfile", lock)
        assert done.code == 8 and "plain 1.0.0 in the bundle has other bytes" in done.err, done
    assert not (tmp_path / "deps").exists()
    stranger = Cli(tmp_path, store="empty")("verify", bundle, "--lockfile", lock)
    assert stranger.code == 15 and "as they came: plain 1.0.0" in stranger.err


def test_a_commit_that_two_hosts_have(tmp_path: Path) -> None:
    """Its archive is in the bundle once, and proven for both."""
    addresses = [f"git+ssh://git@{host}/o/plain.git" for host in ("github.com", "bitbucket.org")]
    commits = {}
    for number, address in enumerate(addresses):
        files = module("plain")
        commits[address] = publish(tmp_path / str(number), address, files)
        (tmp_path / "served").mkdir(exist_ok=True)
        (host,) = (tmp_path / str(number) / "served").iterdir()
        host.rename(tmp_path / "served" / host.name)
    assert len({*commits.values()}) == 1
    packages = {
        f"{where}node_modules/plain": {"version": "1.0.0", "resolved": f"{address}#{commit}"}
        for where, (address, commit) in zip(("", "node_modules/x/"), commits.items(), strict=True)
    }
    project, bundle = tmp_path / "project", tmp_path / "deps.tar.zst"
    project.mkdir()
    lock = project / "package-lock.json"
    lock.write_text(json.dumps({"lockfileVersion": 3, "packages": packages}))
    with World(tmp_path) as world:
        cli = Cli(tmp_path, environ=leading(world, tmp_path))
        cli.ok("pack", project, "-o", bundle, *allowed(tmp_path))
    done = cli.ok("verify", bundle, "--lockfile", lock)
    assert "2 artifacts as the lockfile pins" in done.err
    assert "could not be compared" not in done.err

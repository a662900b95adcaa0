"""pnpm-lock.yaml of every version: what is chosen, and how it is addressed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.cli import Cli
from tests.formats.pnpm.locks import EVERYWHERE, LINUX, names, project, read, sri
from tests.world import World
from tests.world import npm as npm_world
from vendorpack.errors import LockfileError, UnsupportedError, UsageError
from vendorpack.formats.pnpm import FORMAT
from vendorpack.formats.pnpm.artifacts import PnpmArtifact, PnpmCommit
from vendorpack.model import Options

COMMIT = "0123456789" * 4
REGISTRY = "https://registry.npmjs.org/"
S = {name: sri(name) for name in ("app", "chalk", "core", "dev", "linux", "mac", "peer", "macdep")}

V5 = f"""\
lockfileVersion: 5.4

specifiers:
  app: ^1.0.0

dependencies:
  app: 1.0.0_peer@2.0.0
  '@my/chalk': /chalk/4.1.2
  here: link:../here
  folder: file:folder
optionalDependencies:
  mac: 1.10.0
  linux: 1.10.0
devDependencies:
  dev: 1.0.0

packages:

  /app/1.0.0_peer@2.0.0:
    resolution: {{integrity: {S["app"]}}}
    peerDependencies: {{peer: '*'}}
    dependencies:
      peer: 2.0.0
      '@my/core': 3.0.0-beta.1
    dev: false

  /@my/core/3.0.0-beta.1:
    resolution: {{integrity: {S["core"]}}}
    dev: false

  /chalk/4.1.2:
    resolution: {{integrity: {S["chalk"]}}}
    dev: false

  /dev/1.0.0:
    resolution: {{integrity: {S["dev"]}}}
    dependencies:
      chalk: 4.1.2
    dev: true

  /linux/1.10.0:
    resolution: {{integrity: {S["linux"]}}}
    os: [linux]
    cpu: [x64]
    optional: true

  /mac/1.10.0:
    resolution: {{integrity: {S["mac"]}}}
    os: [darwin]
    requiresBuild: true
    dependencies:
      macdep: 1.0.0
    optional: true

  /macdep/1.0.0:
    resolution: {{integrity: {S["macdep"]}}}
    optional: true

  /peer/2.0.0:
    resolution: {{integrity: {S["peer"]}}}

  file:folder:
    resolution: {{directory: folder, type: directory}}
    name: folder
    version: 1.0.0
    dependencies:
      peer: 2.0.0
"""

V6 = f"""\
lockfileVersion: '6.0'

settings:
  autoInstallPeers: true

importers:

  .:
    dependencies:
      '@my/chalk':
        specifier: npm:chalk@4.1.2
        version: /chalk@4.1.2
      app:
        specifier: ^1.0.0
        version: 1.0.0(peer@2.0.0)
    devDependencies:
      dev: {{specifier: 1.0.0, version: 1.0.0}}
  packages/here:
    dependencies:
      folder: {{specifier: 'workspace:*', version: 'file:folder(peer@2.0.0)'}}
      other: {{specifier: 'workspace:*', version: 'link:../other'}}
    optionalDependencies:
      mac: {{specifier: 1.10.0, version: 1.10.0}}
      linux: {{specifier: 1.10.0, version: 1.10.0}}

packages:

  /@my/core@3.0.0-beta.1:
    resolution: {{integrity: {S["core"]}}}
  /app@1.0.0(peer@2.0.0):
    resolution: {{integrity: {S["app"]}}}
    dependencies:
      peer: 2.0.0
      '@my/core': 3.0.0-beta.1
  /chalk@4.1.2:
    resolution: {{integrity: {S["chalk"]}}}
  /dev@1.0.0:
    resolution: {{integrity: {S["dev"]}}}
    dev: true
  /linux@1.10.0:
    resolution: {{integrity: {S["linux"]}}}
    os: [linux]
    optional: true
  /mac@1.10.0:
    resolution: {{integrity: {S["mac"]}}}
    os: [darwin]
    optional: true
    dependencies: {{macdep: 1.0.0}}
  /macdep@1.0.0:
    resolution: {{integrity: {S["macdep"]}}}
    optional: true
  /peer@2.0.0:
    resolution: {{integrity: {S["peer"]}}}
  file:folder(peer@2.0.0):
    resolution: {{directory: folder, type: directory}}
    id: file:folder
    name: folder
    dependencies: {{peer: 2.0.0}}
"""

V9 = f"""\
lockfileVersion: '9.0'

catalogs:
  default:
    chalk: {{specifier: ^4, version: 4.1.2}}

patchedDependencies:
  chalk@4.1.2: {{hash: abc, path: patches/chalk.patch}}

importers:

  .:
    dependencies:
      '@my/chalk': {{specifier: 'catalog:', version: chalk@4.1.2(patch_hash=abc)}}
      app: {{specifier: ^1.0.0, version: 1.0.0(peer@2.0.0(x@1.0.0))}}
    devDependencies:
      dev: {{specifier: 1.0.0, version: 1.0.0}}
    dependenciesMeta:
      folder: {{injected: true}}
  packages/here:
    dependencies:
      folder: {{specifier: 'workspace:*', version: 'file:folder(peer@2.0.0)'}}
      local: {{specifier: file:local.tgz, version: file:local.tgz}}
    optionalDependencies:
      mac: {{specifier: 1.10.0, version: 1.10.0}}
      linux: {{specifier: 1.10.0, version: 1.10.0}}
  packages/empty: {{}}

packages:

  '@my/core@3.0.0-beta.1':
    resolution: {{integrity: {S["core"]}}}
  app@1.0.0:
    resolution: {{integrity: {S["app"]}}}
    engines: {{node: '>=6'}}
  chalk@4.1.2:
    resolution: {{integrity: {S["chalk"]}}}
  dev@1.0.0:
    resolution: {{integrity: {S["dev"]}}}
  folder@file:folder:
    resolution: {{directory: folder, type: directory}}
  linux@1.10.0:
    resolution: {{integrity: {S["linux"]}}}
    cpu: [x64]
    os: [linux]
    libc: [glibc]
  local@file:local.tgz:
    resolution: {{integrity: {S["app"]}, tarball: file:local.tgz}}
    version: 1.0.0
  mac@1.10.0:
    resolution: {{integrity: {S["mac"]}}}
    os: [darwin]
  macdep@1.0.0:
    resolution: {{integrity: {S["macdep"]}}}
  peer@2.0.0:
    resolution: {{integrity: {S["peer"]}}}

snapshots:

  '@my/core@3.0.0-beta.1': {{}}
  app@1.0.0(peer@2.0.0(x@1.0.0)):
    dependencies:
      peer: 2.0.0
      '@my/core': 3.0.0-beta.1
  chalk@4.1.2(patch_hash=abc): {{}}
  dev@1.0.0: {{dependencies: {{chalk: 4.1.2(patch_hash=abc)}}}}
  folder@file:folder(peer@2.0.0):
    dependencies: {{peer: 2.0.0}}
  linux@1.10.0: {{optional: true}}
  local@file:local.tgz: {{}}
  mac@1.10.0: {{optional: true, dependencies: {{macdep: 1.0.0}}}}
  macdep@1.0.0: {{optional: true}}
  peer@2.0.0: {{}}
"""

LOCKS = {"5.4": V5, "6.0": V6, "9.0": V9}
ALL = [
    "@my/core 3.0.0-beta.1",
    "app 1.0.0",
    "chalk 4.1.2",
    "dev 1.0.0",
    "linux 1.10.0",
    "mac 1.10.0",
    "macdep 1.0.0",
    "peer 2.0.0",
]


def tarball(resolution: str, key: str = "b@https://example.com/b.tgz", more: str = "") -> str:
    """A lockfile of one dependency that is not from the registry."""
    reference = key.removeprefix("b@")
    return (
        "lockfileVersion: '9.0'\n"
        f"importers: {{.: {{dependencies: {{b: {{specifier: x, version: '{reference}'}}}}}}}}\n"
        f"packages:\n  '{key}':\n    resolution: {resolution}\n{more}"
        f"snapshots:\n  '{key}': {{}}\n"
    )


@pytest.mark.parametrize("version", LOCKS)
class TestVersions:
    def test_everything(self, version: str, tmp_path: Path) -> None:
        assert names(read(tmp_path, LOCKS[version], EVERYWHERE)) == ALL

    def test_for_one_platform(self, version: str, tmp_path: Path) -> None:
        """What only a left out package needs is left out too."""
        expected = [name for name in ALL if not name.startswith("mac")]
        assert names(read(tmp_path, LOCKS[version])) == expected

    def test_without_dev(self, version: str, tmp_path: Path) -> None:
        expected = [name for name in ALL if not name.startswith(("mac", "dev"))]
        assert names(read(tmp_path, LOCKS[version], replace(LINUX, dev=False))) == expected

    def test_artifacts(self, version: str, tmp_path: Path) -> None:
        found = {a.name: a for a in read(tmp_path, LOCKS[version], EVERYWHERE).artifacts}
        core = found["@my/core"]
        assert isinstance(core, PnpmArtifact)
        assert core.url == f"{REGISTRY}@my/core/-/core-3.0.0-beta.1.tgz"
        assert (core.id, core.sri, core.git_hosted) == (
            "@my/core@3.0.0-beta.1",
            S["core"],
            False,
        )
        assert core.purl == "pkg:npm/%40my/core@3.0.0-beta.1"
        assert found["dev"].why == ("dev",)
        assert found["mac"].why == ("optional",)
        assert found["chalk"].why == ()
        lines = LOCKS[version].splitlines()
        line = int(core.where.removeprefix("pnpm-lock.yaml:"))
        assert "@my/core" in lines[line - 1]
        assert S["core"] in lines[line]

    def test_stores(self, version: str, tmp_path: Path) -> None:
        expected = ("v3", "v10", "v11") if version == "9.0" else ("v3",)
        for found in read(tmp_path, LOCKS[version]).artifacts:
            assert isinstance(found, PnpmArtifact)
            assert found.stores == expected


def test_an_optional_package_that_is_needed_elsewhere_is_taken(tmp_path: Path) -> None:
    lock = V9.replace("mac@1.10.0: {optional: true,", "mac@1.10.0: {")
    assert "mac 1.10.0" in names(read(tmp_path, lock))


def test_configuration_dependencies(tmp_path: Path) -> None:
    """pnpm 11 and 12 write them to a document of their own."""
    first = f"""\
---
lockfileVersion: '9.0'
importers:
  .:
    configDependencies:
      conf: {{specifier: 1.0.0, version: 1.0.0}}
    packageManagerDependencies:
      pnpm: {{specifier: 12.0.0, version: 12.0.0}}
packages:
  conf@1.0.0:
    resolution: {{integrity: {S["app"]}}}
  conf-mac@1.0.0:
    resolution: {{integrity: {S["mac"]}}}
    os: [darwin]
  pnpm@12.0.0:
    resolution: {{integrity: {S["dev"]}}}
snapshots:
  conf@1.0.0: {{optionalDependencies: {{conf-mac: 1.0.0}}}}
  conf-mac@1.0.0: {{optional: true}}
  pnpm@12.0.0: {{}}
"""
    found = names(read(tmp_path, f"{first}\n---\n{V9}"))
    assert "conf 1.0.0" in found
    assert "chalk 4.1.2" in found
    assert not {"pnpm 12.0.0", "conf-mac 1.0.0"}.intersection(found)
    assert names(read(tmp_path, f"{first}\n---\n")) == ["conf 1.0.0"]


# -- addresses -----------------------------------------------------------------------------


def test_registries(tmp_path: Path) -> None:
    npmrc = "registry=https://mirror.example/npm\n@my:registry=https://my.example/\n"
    found = {a.name: a for a in read(tmp_path, V9, npmrc=npmrc).artifacts}
    assert found["chalk"].url == f"{REGISTRY}chalk/-/chalk-4.1.2.tgz"
    assert found["chalk"].sources == ("https://mirror.example/npm/chalk/-/chalk-4.1.2.tgz",)
    assert found["@my/core"].url == "https://my.example/@my/core/-/core-3.0.0-beta.1.tgz"
    workspace = "registries:\n  '@my': https://other.example/x\n  default: https://d.example\n"
    lockfile = read(tmp_path, V9, npmrc=npmrc, workspace=workspace)
    found = {a.name: a for a in lockfile.artifacts}
    assert found["@my/core"].url == "https://other.example/x/@my/core/-/core-3.0.0-beta.1.tgz"
    assert found["chalk"].sources == ("https://d.example/chalk/-/chalk-4.1.2.tgz",)
    assert "https://other.example" in lockfile.access.origins


def test_a_remote_tarball(tmp_path: Path) -> None:
    resolution = f"{{integrity: {S['app']}, tarball: 'https://example.com/b.tgz'}}"
    (found,) = read(tmp_path, tarball(resolution, more="    version: 1.2.3\n")).artifacts
    assert isinstance(found, PnpmArtifact)
    assert (found.name, found.version) == ("b", "1.2.3")
    assert found.url == "https://example.com/b.tgz"
    assert found.id == "https://example.com/b.tgz"
    assert not found.git_hosted


@pytest.mark.parametrize("lock_version", ["6.0", "5.4"])
def test_a_remote_tarball_in_old_lockfiles(lock_version: str, tmp_path: Path) -> None:
    lock = f"""\
lockfileVersion: '{lock_version}'
dependencies:
  b: {
        "'@example.com/x/b.tgz'"
        if lock_version == "5.4"
        else "{specifier: x, version: '@example.com/x/b.tgz'}"
    }
packages:
  '@example.com/x/b.tgz':
    resolution: {{tarball: https://example.com/x/b.tgz}}
    name: b
    version: 1.2.3
"""
    (found,) = read(tmp_path, lock).artifacts
    assert isinstance(found, PnpmArtifact)
    assert (found.name, found.version, found.id) == ("b", "1.2.3", "@example.com/x/b.tgz")
    assert not found.integrity
    assert found.git_hosted


def test_git_hosts(tmp_path: Path) -> None:
    resolution = f"{{gitHosted: true, integrity: {S['app']}, tarball: 'https://example.com/b.tgz'}}"
    lockfile = read(tmp_path, tarball(resolution))
    (found,) = lockfile.artifacts
    assert isinstance(found, PnpmArtifact)
    assert found.git_hosted and not found.is_commit
    assert found.integrity


def test_archives_in_the_project(tmp_path: Path) -> None:
    """pnpm puts them into the store itself; V9 has one."""
    (other,) = read(tmp_path / "without", tarball(f"{{integrity: {S['app']}}}")).artifacts
    assert isinstance(other, PnpmArtifact) and other.frozen
    for found in read(tmp_path / "with", V9).artifacts:
        assert isinstance(found, PnpmArtifact) and not found.frozen


@pytest.mark.parametrize(
    ("address", "hosted"),
    [
        ("https://codeload.github.com/o/b/tar.gz/0123", True),
        ("https://bitbucket.org/o/b/get/0123.tar.gz", True),
        ("https://gitlab.com/o/b/-/archive/0123/b-0123.tar.gz", True),
        ("https://gitlab.com/api/v4/projects/o%2Fb/repository/archive.tar.gz?sha=0123", True),
        ("https://gitlab.com/o/b/b.tgz", False),
        ("https://example.com/o/b/tar.gz/0123", False),
        ("http://codeload.github.com/o/b/tar.gz/0123", False),
    ],
)
def test_git_hosts_are_told_by_their_address(address: str, hosted: bool, tmp_path: Path) -> None:
    lockfile = read(tmp_path, tarball(f"{{integrity: {S['app']}, tarball: '{address}'}}"))
    (found,) = lockfile.artifacts
    assert isinstance(found, PnpmArtifact)
    assert found.git_hosted is hosted


@pytest.mark.parametrize("path", ["", "/packages/b"])
def test_an_archive_without_a_hash_is_the_commit(path: str, tmp_path: Path) -> None:
    url = f"https://codeload.github.com/o/b/tar.gz/{COMMIT}"
    more = f", path: {path}" if path else ""
    key = f"b@{url}#path:{path}" if path else f"b@{url}"
    lock = tarball(f"{{gitHosted: true, tarball: '{url}'{more}}}", key)
    (found,) = read(tmp_path, lock).artifacts
    assert isinstance(found, PnpmArtifact) and found.is_commit and found.git_hosted
    assert found.url == f"git+https://github.com/o/b.git#{COMMIT}"
    assert found.sources[1] == f"git+ssh://git@github.com/o/b.git#{COMMIT}"
    assert (found.id, found.folder) == (key.removeprefix("b@"), path.strip("/"))


@pytest.mark.parametrize("path", ["../x", "/a/../../x", "a\\b"])
def test_a_folder_outside(path: str, tmp_path: Path) -> None:
    with pytest.raises(LockfileError, match="path is not a folder below"):
        read(tmp_path, tarball(f"{{tarball: 'https://example.com/b.tgz', path: '{path}'}}"))


@pytest.mark.parametrize(
    ("repo", "asked"),
    [
        ("https://example.com/o/b.git", "https://example.com/o/b.git"),
        ("git://example.com/o/b.git", "https://example.com/o/b.git"),
        ("ssh://git@example.com/o/b.git", "ssh://git@example.com/o/b.git"),
        ("git@example.com:o/b.git", "ssh://git@example.com/o/b.git"),
    ],
)
def test_commits(repo: str, asked: str, tmp_path: Path) -> None:
    (found,) = read(tmp_path, tarball(f"{{type: git, repo: '{repo}', commit: {COMMIT}}}")).artifacts
    assert isinstance(found, PnpmCommit)
    assert (found.remote, found.url) == (repo, f"git+{asked}#{COMMIT}")
    assert found.stores == ("v3", "v10", "v11") and not found.frozen


@pytest.mark.parametrize(
    "resolution",
    [
        "{type: git, repo: 'https://example.com/b.git', commit: '0123'}",
        f"{{type: git, repo: 'https://u:s3cret@example.com/b.git', commit: {COMMIT}}}",
        f"{{type: git, repo: 'file:///b.git', commit: {COMMIT}}}",
        "{type: 'custom:x'}",
    ],
)
def test_what_cannot_be_served(resolution: str, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError) as caught:
        read(tmp_path, tarball(resolution))
    assert caught.value.where == "pnpm-lock.yaml:4"


# -- nonsense ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lock", "what", "line"),
    [
        ("", "empty", None),
        ("[]", "should be a mapping", None),
        ("a: 1", "no lockfileVersion", None),
        ("lockfileVersion: '10.0'", "'10.0' is not known", None),
        ("lockfileVersion: 4", "'4' is not known", None),
        ("lockfileVersion: {}", "should be a text", None),
        (V9.replace("peer: 2.0.0", "peer: 2.0.1", 1), "no package for 'peer' '2.0.1'",
            "app@1.0.0("),
        (V9.replace("  app@1.0.0:\n", "  app@1.0.1:\n"), "no entry for the snapshot",
            "app@1.0.0("),
        (V9.replace("chalk@4.1.2:\n", "../chalk@4.1.2:\n").replace(
            "chalk@4.1.2(", "../chalk@4.1.2("), "not a package name", None),
        (V9.replace("dev@1.0.0", "dev@../1").replace("version: 1.0.0}", "version: ../1}"),
            "not a version", None),
        (V9.replace(S["chalk"], "sha512-x"), "base64", "chalk@4.1.2:"),
        (V9.replace(f"integrity: {S['chalk']}", ""), "no integrity", "chalk@4.1.2:"),
        (V9.replace("os: [linux]", "os: {a: b}"), "should be a list", "linux@"),
        (V9.replace("{optional: true}", "{optional: maybe}"), "true or false", "linux@"),
        (V9.replace("snapshots:", "snapshots: 1\nx:"), "should be a mapping", "snapshots"),
        (tarball(f"{{integrity: {S['app']}, tarball: 'ftp://example.com/b'}}"), "not an address",
            "b@"),
    ],
)  # fmt: skip
def test_refuses(lock: str, what: str, line: str | None, tmp_path: Path) -> None:
    with pytest.raises(LockfileError, match=what) as caught:
        read(tmp_path, lock, EVERYWHERE)
    where = caught.value.where
    assert where is not None
    assert where.startswith("pnpm-lock.yaml")
    if line is not None:
        number = int(where.removeprefix("pnpm-lock.yaml:"))
        assert line in lock.splitlines()[number - 1]


def test_a_secret_in_an_address_is_not_shown(tmp_path: Path) -> None:
    lock = tarball(f"{{integrity: {S['app']}, tarball: 'https://u:s3cret@/b.tgz'}}")
    with pytest.raises(LockfileError) as caught:
        read(tmp_path, lock)
    assert "s3cret" not in str(caught.value)


# -- stores and the key --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("package_json", "option", "stores"),
    [
        ("{}", None, ("v3", "v10", "v11")),
        ('{"packageManager": "pnpm@9.15.9+sha512"}', None, ("v3",)),
        ('{"packageManager": "pnpm@10.1.0"}', None, ("v10",)),
        ('{"packageManager": "pnpm@11.0.0"}', None, ("v11",)),
        ('{"packageManager": "pnpm@12"}', None, ("v11",)),
        ('{"packageManager": "yarn@4.0.0"}', None, ("v3", "v10", "v11")),
        ('{"packageManager": "pnpm@https://example.com/"}', None, ("v3", "v10", "v11")),
        ('{"packageManager": 1}', None, ("v3", "v10", "v11")),
        (
            '{"devEngines": {"packageManager": {"name": "pnpm", "version": "^10.2.0"}}}',
            None,
            ("v10",),
        ),
        (
            '{"devEngines": {"packageManager": {"name": "pnpm", "version": ">=10"}}}',
            None,
            ("v3", "v10", "v11"),
        ),
        ('{"packageManager": "pnpm@10.1.0"}', "v11, v3", ("v3", "v11")),
        ('{"packageManager": "pnpm@10.1.0"}', "all", ("v3", "v10", "v11")),
    ],
)
def test_which_stores(
    package_json: str, option: str | None, stores: tuple[str, ...], tmp_path: Path
) -> None:
    extra = {} if option is None else {"pnpm-store": option}
    lockfile = read(tmp_path, V9, Options(extra=extra), package_json=package_json)
    found = lockfile.artifacts[0]
    assert isinstance(found, PnpmArtifact)
    assert found.stores == stores
    warned = any("--pnpm-store" in warning.what for warning in lockfile.warnings)
    assert warned == (len(stores) > 1 and option is None)


def test_no_such_store(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="v4"):
        read(tmp_path, V9, Options(extra={"pnpm-store": "v10,v4"}))


def test_fingerprint(tmp_path: Path) -> None:
    def key(options: Options = LINUX, **beside: str) -> object:
        return FORMAT.fingerprint(project(tmp_path, V9, **beside), options)

    base = key(package_json="{}")
    assert key(package_json='{"name": "other"}') == base
    assert (
        key(npmrc="registry=https://mirror.example/\n@unused:registry=https://x.example/") == base
    )
    assert key(EVERYWHERE) != base
    assert key(replace(LINUX, dev=False)) != base
    assert key(Options(targets=LINUX.targets, extra={"pnpm-store": "v10"})) != base
    assert key(package_json='{"packageManager": "pnpm@10.0.0"}') != base
    (tmp_path / "package.json").unlink()
    assert key(npmrc="@my:registry=https://x.example/") != base


def test_names_with_an_underscore(tmp_path: Path) -> None:
    """In lockfiles of version 5 peers stand behind the version, after an underscore."""
    lock = f"""\
lockfileVersion: 5.4
dependencies:
  '@types/babel__core': 7.1.20
  string_decoder: 1.3.0_x_y@2.0.0
packages:
  /@types/babel__core/7.1.20:
    resolution: {{integrity: {S["app"]}}}
  /lodash._reinterpolate/3.0.0:
    resolution:
      integrity: {S["core"]}
      tarball: lodash._reinterpolate/-/lodash._reinterpolate-3.0.0.tgz
  /string_decoder/1.3.0_x_y@2.0.0:
    resolution: {{integrity: {S["peer"]}}}
    dependencies:
      lodash._reinterpolate: 3.0.0
"""
    found = read(tmp_path, lock).artifacts
    assert [(a.name, a.version, a.purl) for a in found] == [
        ("@types/babel__core", "7.1.20", "pkg:npm/%40types/babel__core@7.1.20"),
        ("lodash._reinterpolate", "3.0.0", "pkg:npm/lodash._reinterpolate@3.0.0"),
        ("string_decoder", "1.3.0", "pkg:npm/string_decoder@1.3.0"),
    ]


def test_a_sha1_is_strengthened_by_the_registry(tmp_path: Path) -> None:
    data = npm_world.tarball("old", "1.0.0")
    weak = npm_world.sri(data, "sha1")
    lock = f"""\
lockfileVersion: '9.0'
importers:
  .:
    dependencies:
      old: {{specifier: 1.0.0, version: 1.0.0}}
packages:
  old@1.0.0:
    resolution: {{integrity: {weak}}}
snapshots:
  old@1.0.0: {{}}
"""
    with World(tmp_path) as world:
        registry = world.site().mount("npm", npm_world.NpmRegistry(packuments=True))
        registry.packages[registry.path("old", "1.0.0")] = data
        project = tmp_path / "project"
        project.mkdir()
        (project / "pnpm-lock.yaml").write_text(lock)
        (project / ".npmrc").write_text(f"registry={registry.url}/\n")
        cli = Cli(tmp_path)
        cli.ok("pack", project, "-o", tmp_path / "deps.tar.zst")
        (shown,) = cli.ok("show", tmp_path / "deps.tar.zst", "--json").json["artifacts"]
        assert shown["trust"] == "registry"
        registry.packages[registry.path("old", "1.0.0")] = npm_world.tarball("old", "2.0.0")
        again = Cli(tmp_path, store="other")("pack", project, "-o", tmp_path / "other.tar.zst")
    assert again.code == 8 and "old 1.0.0" in again.err

"""Cargo.lock of every version to artifacts, and what cannot be one."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.world.crates import CRATES_IO, OTHER, package, project
from vendorpack.errors import LockfileError, UnsupportedError, UsageError, VendorpackError
from vendorpack.formats.cargo import FORMAT
from vendorpack.formats.cargo.artifacts import Commit, Crate, download_url, index_path
from vendorpack.formats.cargo.sources import Registry
from vendorpack.model import Credential, Lockfile, Options
from vendorpack.target import parse_target

ONE = hashlib.sha256(b"one").hexdigest()
COMMIT = "0123456789abcdef0123456789abcdef01234567"
V4 = "version = 4\n\n"


def read(
    folder: Path,
    lock: str | bytes,
    environ: Mapping[str, str] | None = None,
    extra: Mapping[str, str] | None = None,
) -> Lockfile:
    return FORMAT.read(project(folder / "p", lock, environ), Options(extra=extra or {}))


V1 = f"""
{package("one", "1.0.0", CRATES_IO)}
{package("two", "0.1.0-beta.2+meta", CRATES_IO)}
{package("mine", "0.1.0", None)}
[metadata]
"checksum one 1.0.0 ({CRATES_IO})" = "{ONE}"
"checksum two 0.1.0-beta.2+meta ({CRATES_IO})" = "<none>"
"""
V2 = f"""
{package("one", "1.0.0", CRATES_IO, b"one")}
{package("two", "0.1.0-beta.2+meta", CRATES_IO)}
{package("mine", "0.1.0", None)}
"""


@pytest.mark.parametrize("lock", [V1, V2, "version = 3\n" + V2, V4 + V2], ids=["1", "2", "3", "4"])
def test_every_version_says_the_same(tmp_path: Path, lock: str) -> None:
    one, two = read(tmp_path, lock).artifacts
    assert isinstance(one, Crate)
    assert isinstance(two, Crate)
    assert (one.name, one.version, one.purl) == ("one", "1.0.0", "pkg:cargo/one@1.0.0")
    assert one.url == "https://static.crates.io/crates/one/1.0.0/download"
    assert [digest.hex for digest in one.integrity.digests] == [ONE]
    assert one.where.startswith("Cargo.lock:")
    assert (two.version, bool(two.integrity)) == ("0.1.0-beta.2+meta", False)
    assert two.purl == "pkg:cargo/two@0.1.0-beta.2%2Bmeta"
    assert one.registry.is_crates_io


def test_commits_of_one_repository_are_listed_once_each(tmp_path: Path) -> None:
    url = "git+https://git.example.com/owner/repo.git"
    lock = (
        V4
        + package("a", "1.0.0", f"{url}?branch=feature%2Fx#{COMMIT}")
        + package("b", "1.0.0", f"{url}?branch=feature%2Fx#{COMMIT}")
        + package("b", "2.0.0", f"{url}?tag=v2#{COMMIT[::-1]}")
        + "[[patch.unused]]\n"
        + 'name = "c"\nversion = "1.0.0"\n'
        + f'source = "git+ssh://git@git.example.com/other?rev=abc#{COMMIT}"\n'
    )
    artifacts = read(tmp_path, lock).artifacts
    assert all(isinstance(artifact, Commit) for artifact in artifacts)
    assert [(a.name, a.url, a.where) for a in artifacts] == [
        ("other", f"git+ssh://git@git.example.com/other?abc#{COMMIT}", "Cargo.lock:15"),
        ("repo", f"{url}?refs/heads/feature/x#{COMMIT}", "Cargo.lock:3"),
        ("repo", f"{url}?refs/tags/v2#{COMMIT[::-1]}", "Cargo.lock:11"),
    ]
    assert artifacts[0].integrity.digests[0].value == bytes.fromhex(COMMIT)


@pytest.mark.parametrize(
    ("lock", "error", "where"),
    [
        (b"\xff", LockfileError, "Cargo.lock:1"),
        ("a = 1\nb = [", LockfileError, "Cargo.lock:2"),
        ("x = " + "[" * 100_000, LockfileError, "Cargo.lock"),
        ("x = " + "9" * 100_000, LockfileError, "Cargo.lock"),
        ("version = 5", UnsupportedError, "Cargo.lock"),
        ("version = true", LockfileError, "Cargo.lock"),
        ("version = '4'", LockfileError, "Cargo.lock"),
        ("package = 1", LockfileError, "Cargo.lock"),
        ("package = [1]", LockfileError, "Cargo.lock"),
        ("metadata = 1", LockfileError, "Cargo.lock"),
        (V4 + "[[package]]\nname = 'a'", LockfileError, "Cargo.lock:3"),
        (V4 + package("a", "1.0.0", "svn+https://x"), UnsupportedError, "Cargo.lock:3"),
        (V4 + package("../a", "1.0.0", CRATES_IO), LockfileError, "Cargo.lock:3"),
        (V4 + package("a\\u0000", "1.0.0", CRATES_IO), LockfileError, "Cargo.lock:3"),
        (V4 + package("a", "1.0.0/../..", CRATES_IO), LockfileError, "Cargo.lock:3"),
        (V4 + package("a", "1.0.0", CRATES_IO) * 2, LockfileError, "Cargo.lock:7"),
        (V4 + package("a", "1.0.0", CRATES_IO) + "checksum = 'xy'", LockfileError, "Cargo.lock:3"),
        (V4 + package("a", "1.0.0", CRATES_IO) + "checksum = 1", LockfileError, "Cargo.lock:3"),
        (V4 + package("a", "1.0.0", "git+https://x/y#abc"), UnsupportedError, "Cargo.lock:3"),
        (V4 + package("a", "1.0.0", "git+https://x/y"), UnsupportedError, "Cargo.lock:3"),
        (V4 + package("a", "1.0.0", f"git+https://[x#{COMMIT}"), LockfileError, "Cargo.lock:3"),
        (V4 + package("a", "1.0.0", "registry+file:///a"), UnsupportedError, "Cargo.lock:3"),
    ],
)  # fmt: skip
def test_what_is_no_lockfile_says_where(
    tmp_path: Path, lock: str | bytes, error: type[VendorpackError], where: str
) -> None:
    with pytest.raises(error) as caught:
        read(tmp_path, lock)
    assert caught.value.where == where


CONFIG = """
[registries.my-own]
index = "sparse+https://crates.example.com/index/"
"""


@pytest.mark.parametrize("place", ["p/.cargo/config.toml", "home/.cargo/config", "environment"])
def test_other_registries_are_named_by_the_configuration(tmp_path: Path, place: str) -> None:
    environ = {"CARGO_REGISTRIES_MY_OWN_TOKEN": "secret-token"}
    if place == "environment":
        environ["CARGO_REGISTRIES_MY_OWN_INDEX"] = OTHER
    else:
        (tmp_path / place).parent.mkdir(parents=True)
        (tmp_path / place).write_text(CONFIG)
    lockfile = read(tmp_path, V4 + package("a", "1.0.0", OTHER, b""), environ)
    (crate,) = lockfile.artifacts
    assert isinstance(crate, Crate)
    assert crate.registry_name == "MY_OWN"
    assert crate.url is None
    assert lockfile.access.credentials == (
        Credential("https://crates.example.com/index/", "secret-token"),
    )
    assert "https://crates.example.com" in lockfile.access.origins
    assert lockfile.warnings == ()
    assert "secret-token" not in repr(lockfile)


def test_tokens_are_in_credentials_toml_of_cargo_home_too(tmp_path: Path) -> None:
    home = tmp_path / "cargo-home"
    home.mkdir()
    (home / "config.toml").write_text(CONFIG)
    (home / "credentials.toml").write_text('[registries.my-own]\ntoken = "secret-token"\n')
    lockfile = read(tmp_path, V4 + package("a", "1.0.0", OTHER, b""), {"CARGO_HOME": str(home)})
    assert [credential.header for credential in lockfile.access.credentials] == ["secret-token"]


@pytest.mark.parametrize(
    ("config", "environ", "provider"),
    [
        ('credential-provider = "cargo:libsecret"', {}, "cargo:libsecret"),
        (
            'credential-provider = ["cargo:token-from-stdout", "pass", "canary"]',
            {},
            "cargo:token-from-stdout",
        ),
        (
            'credential-provider = "cargo:token"\n[registry]\n'
            'global-credential-providers = ["cargo:libsecret"]',
            {},
            None,
        ),
        (
            '[registry]\nglobal-credential-providers = ["cargo:wincred", "cargo:token", "own --x"]',
            {},
            "own",
        ),
        ("", {"CARGO_REGISTRY_GLOBAL_CREDENTIAL_PROVIDERS": "cargo:token"}, None),
        ("", {"CARGO_REGISTRIES_MY_OWN_CREDENTIAL_PROVIDER": "own-program canary"}, "own-program"),
        ('credential-provider = "cargo:libsecret"', {"CARGO_REGISTRIES_MY_OWN_TOKEN": "t"}, None),
    ],
)
def test_a_credential_provider_is_named_and_never_asked(
    tmp_path: Path, config: str, environ: dict[str, str], provider: str | None
) -> None:
    file = tmp_path / "home/.cargo/config.toml"
    file.parent.mkdir(parents=True)
    file.write_text(CONFIG + config)
    lockfile = read(tmp_path, V4 + package("a", "1.0.0", OTHER, b""), environ)
    said = [warning.what for warning in lockfile.warnings]
    assert len(said) == (provider is not None)
    for what in said:
        assert f"{provider!r}" in what
        assert "CARGO_REGISTRIES_MY_OWN_TOKEN" in what and "canary" not in what


def test_a_registry_that_nothing_names_is_warned_of_and_not_trusted(tmp_path: Path) -> None:
    lockfile = read(tmp_path, V4 + package("a", "1.0.0", OTHER, b""))
    assert [warning.where for warning in lockfile.warnings] == ["Cargo.lock:3"]
    assert all("example" not in origin for origin in lockfile.access.origins)


MIRROR = """
[source.crates-io]
replace-with = "near"
[source.near]
registry = "sparse+https://mirror.example.com/"
"""


@pytest.mark.parametrize(
    ("place", "folder"),
    [
        ("p/.cargo/config.toml", "mirror.example.com"),
        ("home/.cargo/config.toml", "index.crates.io"),
    ],
)
def test_a_mirror_serves_and_only_the_projects_own_renames(
    tmp_path: Path, place: str, folder: str
) -> None:
    (tmp_path / place).parent.mkdir(parents=True)
    (tmp_path / place).write_text(MIRROR)
    lockfile = read(tmp_path, V4 + package("a", "1.0.0", CRATES_IO, b""))
    (crate,) = lockfile.artifacts
    assert isinstance(crate, Crate)
    assert crate.served_by == Registry("sparse+https://mirror.example.com/")
    assert crate.looked_up_as.folders(compat=False)[0].rpartition("-")[0] == folder
    assert crate.url == "https://static.crates.io/crates/a/1.0.0/download"
    assert "https://mirror.example.com" in lockfile.access.origins


def test_secrets_in_addresses_are_only_where_they_are_used(tmp_path: Path) -> None:
    lock = (
        V4
        + package("a", "1.0.0", f"git+https://user:secret@git.example.com/x#{COMMIT}")
        + package("b", "1.0.0", "sparse+https://user:secret@crates.example.com/", b"")
    )
    here = project(tmp_path / "p", lock)
    lockfile = FORMAT.read(here, Options())
    assert all("secret" not in artifact.purl for artifact in lockfile.artifacts)
    assert "secret" not in str(lockfile.warnings) + str(lockfile.access)
    assert "secret" not in str(FORMAT.fingerprint(here, Options()))


def test_a_circle_of_replacements_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "p/.cargo/config.toml"
    path.parent.mkdir(parents=True)
    path.write_text('[source.crates-io]\nreplace-with = "crates-io"\n')
    with pytest.raises(UnsupportedError, match="circle"):
        read(tmp_path, V4)


def test_the_fingerprint_has_only_what_changes_the_bundle(tmp_path: Path) -> None:
    lock = V4 + package("a", "1.0.0", CRATES_IO, b"")
    plain = FORMAT.fingerprint(project(tmp_path / "a", lock), Options())
    environ = {"CARGO_REGISTRIES_UNUSED_INDEX": OTHER, "CARGO_REGISTRIES_UNUSED_TOKEN": "t"}
    assert FORMAT.fingerprint(project(tmp_path / "b", lock, environ), Options()) == plain
    used = V4 + package("a", "1.0.0", OTHER, b"")
    named = FORMAT.fingerprint(project(tmp_path / "c", used, environ), Options())
    assert named["registries"] == {OTHER: "UNUSED"}
    compat = Options(extra={"cargo-compat": "yes"})
    assert FORMAT.fingerprint(project(tmp_path / "d", lock), compat) != plain


def test_an_unknown_choice_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        read(tmp_path, V4, extra={"cargo-index-lines": "guess"})


def test_download_templates_and_index_paths() -> None:
    base = "https://example.com/dl"
    assert download_url(base, "Ab", "1.0.0+x", "") == f"{base}/Ab/1.0.0+x/download"
    template = base + "/{prefix}/{lowerprefix}/{crate}-{version}-{sha256-checksum}.crate"
    assert download_url(template, "Abcde", "1.0.0", "f00") == (
        f"{base}/Ab/cd/ab/cd/Abcde-1.0.0-f00.crate"
    )
    assert [index_path(name) for name in ("A", "Ab", "Abc", "Abcd")] == [
        "1/a",
        "2/ab",
        "3/a/abc",
        "ab/cd/abcd",
    ]


@pytest.mark.parametrize("value", ["", "no", "0", "yes", "1", "1.70", "1.65"])
def test_what_older_cargos_need(tmp_path: Path, value: str) -> None:
    extra = {"cargo-compat": value}
    lockfile = read(tmp_path, V4 + package("a", "1.0.0", CRATES_IO, b""), extra=extra)
    (crate,) = lockfile.artifacts
    assert isinstance(crate, Crate)
    assert crate.compat == (value not in ("", "no", "0"))
    assert crate.git_index == (value == "1.65")


def test_a_cargo_that_is_too_old(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cargo-compat"):
        read(tmp_path, V4, extra={"cargo-compat": "1.40"})


# -- the crates of some targets alone ----------------------------------------------------------

GRAPH = (
    V4
    + package("mine", "0.1.0", None)
    + 'dependencies = ["asked", "forked", "twice 1.0.0"]\n'
    + package("asked", "1.0.0", CRATES_IO, b"")
    + f'dependencies = ["twice 2.0.0 ({CRATES_IO})", "deep"]\n'
    + package("deep", "1.0.0", CRATES_IO, b"")
    + package("forked", "1.0.0", f"git+https://git.example.com/forked#{COMMIT}")
    + 'dependencies = ["of-a-commit"]\n'
    + package("of-a-commit", "1.0.0", CRATES_IO, b"")
    + package("twice", "1.0.0", CRATES_IO, b"")
    + package("twice", "2.0.0", CRATES_IO, b"")
    + package("unused", "1.0.0", CRATES_IO, b"").replace("[[package]]", "[[patch.unused]]")
)


def test_who_needs_whom_is_read_where_targets_choose(tmp_path: Path) -> None:
    options = Options(targets=(parse_target("linux-x86_64"),), extra={"cargo-crates": "targets"})
    lockfile = FORMAT.read(project(tmp_path / "p", GRAPH), options)
    crates = {(a.name, a.version): a for a in lockfile.artifacts if isinstance(a, Crate)}
    assert {name for (name, _), crate in crates.items() if crate.is_asked_for} == {
        "asked",
        "of-a-commit",
        "twice",
        "unused",
    }
    assert not crates["twice", "2.0.0"].is_asked_for
    needs = [(one.name, one.version) for one in crates["asked", "1.0.0"].needs]
    assert needs == [("twice", "2.0.0"), ("deep", "1.0.0")]
    everything = FORMAT.read(project(tmp_path / "p", GRAPH), Options(targets=options.targets))
    assert not any(a.needs for a in everything.artifacts if isinstance(a, Crate))


def test_very_old_lockfiles_have_a_root(tmp_path: Path) -> None:
    lock = f'[root]\nname = "a"\nversion = "1.0.0"\ndependencies = ["one 1.0.0 ({CRATES_IO})"]\n'
    options = Options(targets=(parse_target("linux-x86_64"),), extra={"cargo-crates": "targets"})
    lockfile = FORMAT.read(
        project(tmp_path / "p", lock + package("one", "1.0.0", CRATES_IO)), options
    )
    assert [a.is_asked_for for a in lockfile.artifacts if isinstance(a, Crate)] == [True]


def test_the_targets_are_in_the_key_only_if_they_choose(tmp_path: Path) -> None:
    def of(extra: dict[str, str], *targets: str) -> object:
        options = Options(targets=tuple(map(parse_target, targets)), extra=extra)
        return FORMAT.fingerprint(project(tmp_path / "p", V4), options)

    chosen = {"cargo-crates": "targets"}
    assert of({}, "linux-x86_64") == of({}, "macos-aarch64") == of({"cargo-crates": "all"})
    assert of(chosen, "linux-x86_64") != of(chosen, "macos-aarch64")
    assert of(chosen, "linux-x86_64-gnu2.36-py3.12") == of(chosen, "linux-x86_64")
    assert of(chosen) == of({})
    with pytest.raises(UsageError, match="cargo-crates"):
        of({"cargo-crates": "some"})

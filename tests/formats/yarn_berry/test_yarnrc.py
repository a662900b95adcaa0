"""Yarn's configuration: registries, credentials, and what of it decides the content."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from tests.formats.yarn_berry.locks import artifacts, entry, lock, project, read
from vendorpack.errors import LockfileError
from vendorpack.formats._shared.npm.registry import ALIAS_REGISTRY
from vendorpack.formats._shared.npm.registry import DEFAULT_REGISTRY as REGISTRY
from vendorpack.formats.yarn_berry import FORMAT
from vendorpack.formats.yarn_berry.yarnrc import load_yarnrc
from vendorpack.model import Credential, Options

SUM = "ab" * 64
LOCK = lock(
    entry("@corp/a@npm:1.0.0", checksum=f"10c0/{SUM}"),
    entry("b@npm:1.0.0", checksum=f"10c0/{SUM}"),
)


def test_registries_by_scope(tmp_path: Path) -> None:
    yarnrc = """
npmRegistryServer: https://npm.example/all
npmScopes:
  corp:
    npmRegistryServer: "https://${HOST:-corp.example}/npm/"
"""
    first, second = artifacts(project(tmp_path, LOCK, yarnrc=yarnrc))
    assert first.url == "https://corp.example/npm/@corp/a/-/a-1.0.0.tgz"
    assert second.url == "https://npm.example/all/b/-/b-1.0.0.tgz"
    assert first.fetch_from == second.fetch_from == ()


def test_the_users_mirror_is_asked_but_decides_nothing(tmp_path: Path) -> None:
    mirror = "npmRegistryServer: https://mirror.example/npm\n"
    plain = project(tmp_path / "1", LOCK)
    mirrored = project(tmp_path / "2", LOCK, home_yarnrc=mirror)
    in_environment = project(
        tmp_path / "3", LOCK, environ={"YARN_NPM_REGISTRY_SERVER": "https://env.example"}
    )
    assert {a.url for a in artifacts(mirrored)} == {a.url for a in artifacts(plain)}
    assert artifacts(mirrored)[1].sources == ("https://mirror.example/npm/b/-/b-1.0.0.tgz",)
    assert artifacts(in_environment)[1].sources == ("https://env.example/b/-/b-1.0.0.tgz",)
    fingerprints = [FORMAT.fingerprint(p, Options()) for p in (plain, mirrored, in_environment)]
    assert fingerprints[0] == fingerprints[1] == fingerprints[2]
    own = project(tmp_path / "4", LOCK, yarnrc=mirror)
    assert FORMAT.fingerprint(own, Options()) != fingerprints[0]
    assert "https://mirror.example" in read(mirrored).access.origins


def test_yarns_name_for_the_public_registry_is_the_public_registry(tmp_path: Path) -> None:
    yarnrc = f"npmRegistryServer: {ALIAS_REGISTRY.rstrip('/')}\n"
    found = artifacts(project(tmp_path, LOCK, yarnrc=yarnrc))
    assert found[1].sources == (REGISTRY + "b/-/b-1.0.0.tgz",)


def test_credentials_belong_to_their_registry(tmp_path: Path) -> None:
    yarnrc = """
npmRegistryServer: https://user:pass%20word@npm.example
npmRegistries:
  "//other.example/path":
    npmAuthIdent: "name:secret"
npmScopes:
  corp:
    npmRegistryServer: https://corp.example
    npmAuthToken: "${TOKEN}"
  public:
    npmAuthToken: only-for-the-scope
"""
    access = load_yarnrc(project(tmp_path, LOCK, yarnrc=yarnrc, environ={"TOKEN": "t"})).access

    def basic(pair: str) -> str:
        return "Basic " + base64.b64encode(pair.encode()).decode()

    assert access.credentials == (
        Credential("https://corp.example/", "Bearer t"),
        Credential("https://corp.example/@corp%2f", "Bearer t"),
        Credential("https://corp.example/@corp/", "Bearer t"),
        Credential("https://npm.example/", basic("user:pass word")),
        Credential("https://npm.example/@public%2f", "Bearer only-for-the-scope"),
        Credential("https://npm.example/@public/", "Bearer only-for-the-scope"),
        Credential("https://other.example/path/", basic("name:secret")),
    )
    assert "https://npm.example" in access.origins
    assert "secret" not in repr(access)


def test_an_unset_token_is_told_of_and_an_unset_registry_refused(tmp_path: Path) -> None:
    scoped = "npmScopes:\n  corp:\n    {}: '${{NOPE}}'\n"
    lockfile = read(project(tmp_path / "1", LOCK, yarnrc=scoped.format("npmAuthToken")))
    assert lockfile.access.credentials == ()
    assert ["NOPE" in warning.what for warning in lockfile.warnings] == [True]
    # Else a private name would be asked for at the public registry.
    with pytest.raises(LockfileError, match="NOPE"):
        read(project(tmp_path / "2", LOCK, yarnrc=scoped.format("npmRegistryServer")))


@pytest.mark.parametrize(
    ("value", "environ", "found"),
    [
        ("${A}", {"A": "x"}, "x"),
        ("${A-d}", {}, "d"),
        ("${A-d}", {"A": ""}, ""),
        ("${A:-d}", {"A": ""}, "d"),
        ("${A-}", {}, ""),
        ("a${A}b${B-c}", {"A": "1"}, "a1bc"),
    ],
)
def test_variables(tmp_path: Path, value: str, environ: dict[str, str], found: str) -> None:
    yarnrc = f'httpsProxy: "http://proxy.example/{value}"\n'
    proxies = load_yarnrc(project(tmp_path, LOCK, yarnrc=yarnrc, environ=environ)).access.proxies
    assert proxies == {"https": f"http://proxy.example/{found}"}


@pytest.mark.parametrize(
    "yarnrc",
    [
        "- a\n",
        "npmRegistryServer: ftp://x.example\n",
        "npmRegistryServer: 'https://['\n",
        "npmRegistryServer: [a]\n",
        "npmScopes: a\n",
        "npmScopes:\n  a: b\n",
        "npmRegistries: [a]\n",
        "supportedArchitectures: x\n",
        "supportedArchitectures:\n  os: {a: b}\n",
        "a: b: c\n",
    ],
)
def test_nonsense_is_refused(tmp_path: Path, yarnrc: str) -> None:
    with pytest.raises(LockfileError) as caught:
        read(project(tmp_path, LOCK, yarnrc=yarnrc))
    assert (caught.value.where or "").startswith(".yarnrc.yml")


def test_certificates_are_checked_whatever_is_set(tmp_path: Path) -> None:
    lockfile = read(
        project(tmp_path, LOCK, yarnrc="enableStrictSsl: false\nhttpsCaFilePath: ./ca.pem\n")
    )
    assert lockfile.access.ca_files == (str(tmp_path / "ca.pem"),)
    assert ["enableStrictSsl" in warning.what for warning in lockfile.warnings] == [True]

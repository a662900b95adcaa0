"""npm's configuration, from files and the environment, and what we make of it."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import pytest

from vendorpack.errors import LockfileError
from vendorpack.formats._shared.npm.npmrc import Npmrc, load_npmrc
from vendorpack.formats._shared.npm.registry import DEFAULT_REGISTRY
from vendorpack.project import Host, Project

SECRET = "c4n4ry"


def load(
    folder: Path,
    local: str | bytes = "",
    *,
    user: str = "",
    system: str = "",
    environ: Mapping[str, str] | None = None,
) -> Npmrc:
    home, prefix, project = folder / "home", folder / "prefix", folder / "project"
    for place, text in ((home / ".npmrc", user), (prefix / "etc/npmrc", system)):
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    project.mkdir(exist_ok=True)
    data = local.encode() if isinstance(local, str) else local
    (project / ".npmrc").write_bytes(data)
    host = Host({"PREFIX": str(prefix), **(environ or {})}, home, "linux")
    return load_npmrc(Project(project, PurePosixPath("package-lock.json"), host))


def headers(npmrc: Npmrc) -> dict[str, str]:
    return {c.prefix: c.header for c in npmrc.access().credentials}


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


def test_nothing_configured(tmp_path: Path) -> None:
    npmrc = load(tmp_path)
    assert npmrc.registry == npmrc.registry_for("@any/thing") == DEFAULT_REGISTRY
    assert npmrc.registries() == (DEFAULT_REGISTRY,)
    assert npmrc.access().origins == {DEFAULT_REGISTRY.rstrip("/")}
    assert not npmrc.access().credentials and not npmrc.warnings


def test_the_nearest_setting_wins(tmp_path: Path) -> None:
    local, user, system = (
        f"registry=https://{layer}.example/" for layer in ("local", "user", "system")
    )

    def registry(local: str = "", user: str = "", **environ: str) -> str:
        return load(tmp_path, local, user=user, system=system, environ=environ).registry

    assert registry() == "https://system.example/"
    assert registry(user=user) == "https://user.example/"
    assert registry(local, user) == "https://local.example/"
    assert registry(local, user, npm_config_registry="") == "https://local.example/"
    for name in ("npm_config_registry", "NPM_CONFIG_REGISTRY"):
        assert registry(local, user, **{name: "https://env.example"}) == "https://env.example/"


def test_other_places_of_the_files(tmp_path: Path) -> None:
    for name in ("user", "system"):
        (tmp_path / name).write_text(f"@{name}:registry=https://{name}.example/")
    environ = {
        "npm_config_userconfig": str(tmp_path / "user"),
        "npm_config_globalconfig": str(tmp_path / "system"),
    }
    assert load(tmp_path, environ=environ).scopes == {
        "@user": "https://user.example/",
        "@system": "https://system.example/",
    }


INI = [
    ("registry = https://r.example/x  ", "https://r.example/x/"),
    ('registry="https://r.example/"', "https://r.example/"),
    ("registry='https://r.example/'", "https://r.example/"),
    ("registry=https://r.example/ ; a comment", "https://r.example/"),
    ("registry=https://r.example/ # a comment", "https://r.example/"),
    ("; registry=https://no.example/\nregistry=https://r.example", "https://r.example/"),
    ("registry=https://no.example/\r\nregistry=https://r.example\r\n", "https://r.example/"),
    ("[section]\nregistry=https://no.example/", DEFAULT_REGISTRY),
    ("registry=${R}", "https://from.example/"),
    ("registry=https://r.example/${UNSET?}", "https://r.example/"),
    ("registry=https://r.example/a/${UNSET}", "https://r.example/a/${UNSET}/"),
    ("registry=HTTPS://R.Example:443/P", "https://r.example/P/"),
    ("\ufeffregistry=https://r.example/", "https://r.example/"),
    ("not a setting\n=\nregistry=https://r.example/", "https://r.example/"),
]


@pytest.mark.parametrize(("text", "registry"), INI)
def test_ini(tmp_path: Path, text: str, registry: str) -> None:
    assert load(tmp_path, text, environ={"R": "https://from.example/"}).registry == registry


@pytest.mark.parametrize("setting", ["registry", "@a:registry", "${NAME}:registry"])
@pytest.mark.parametrize(
    "address",
    [
        "https://r.example/${T}/npm/",
        "https://${H}/npm?key=${T}",
        "${R}/x/${T}",
        '"https://r/a${T?}"',
    ],
)
def test_a_variable_in_the_path_is_refused(tmp_path: Path, setting: str, address: str) -> None:
    environ = {"T": "canary", "H": "h.example", "R": "https://r.example", "NAME": "@b"}
    with pytest.raises(LockfileError, match=r"has \$\{T\??\} in the path") as error:
        load(tmp_path, f"{setting}={address}", environ=environ)
    assert "canary" not in str(error.value) + str(error.value.where) + str(error.value.fix)
    # What is not in force is not refused.
    stronger = setting.replace("${NAME}", "@b")
    environ[f"npm_config_{stronger}"] = "https://env.example/"
    load(tmp_path, f"{setting}={address}", environ=environ)


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("https://${H}/npm/", "https://h.example/npm/"),
        ("https://u:${T}@r.example/npm/", "https://r.example/npm/"),
        ("${R}/npm", "https://r.example/npm/"),
    ],
)
def test_a_variable_before_the_path_is_followed(tmp_path: Path, address: str, found: str) -> None:
    environ = {"T": "canary", "H": "h.example", "R": "https://r.example"}
    assert load(tmp_path, f"registry={address}", environ=environ).registry == found


def test_scopes(tmp_path: Path) -> None:
    npmrc = load(tmp_path, "@a:registry=https://a.example/npm\nregistry=https://r.example/")
    assert npmrc.registry_for("@a/x") == "https://a.example/npm/"
    assert npmrc.registry_for("@ab/x") == npmrc.registry_for("a") == "https://r.example/"
    assert npmrc.access("https://more.example:8443/x").origins == {
        DEFAULT_REGISTRY.rstrip("/"),
        "https://a.example",
        "https://r.example",
        "https://more.example:8443",
    }


@pytest.mark.parametrize(
    "value", ["ftp://r.example/", "r.example", "https://", "https://[::1/", "file:///x", "${UNSET}"]
)
def test_a_registry_must_be_an_address(tmp_path: Path, value: str) -> None:
    with pytest.raises(LockfileError) as caught:
        load(tmp_path, f"registry={value}")
    assert caught.value.where == ".npmrc"


def test_credentials_belong_to_their_path(tmp_path: Path) -> None:
    password = base64.b64encode(SECRET.encode()).decode()
    npmrc = load(
        tmp_path,
        f"//a.example/npm/:_authToken={SECRET}\n"
        f"//b.example:_auth={base64.b64encode(b'u:p').decode()}\n"
        f"//c.example:8443/x:username=u\n//c.example:8443/x:_password={password}\n"
        "//half.example/:username=u\n",
        environ={"npm_config_//e.example/:_authToken": "${TOKEN}", "TOKEN": "t"},
    )
    assert headers(npmrc) == {
        "https://a.example/npm/": f"Bearer {SECRET}",
        "https://b.example/": basic("u:p"),
        "https://c.example:8443/x/": basic(f"u:{SECRET}"),
        "https://e.example/": "Bearer t",
    }


def test_plain_http_only_where_a_registry_is(tmp_path: Path) -> None:
    text = "//a.example/:_authToken=a\n//b.example/:_authToken=b\nregistry=http://a.example/"
    assert set(headers(load(tmp_path, text))) == {
        "http://a.example/",
        "https://a.example/",
        "https://b.example/",
    }


def test_a_registrys_credential_is_for_its_host_if_it_is_clear_whose(tmp_path: Path) -> None:
    one = "registry=https://a.example/npm/\n//a.example/npm/:_authToken=t\n"
    assert headers(load(tmp_path, one)) == {
        "https://a.example/npm/": "Bearer t",
        "https://a.example/": "Bearer t",
    }
    two = "@s:registry=https://a.example/other/\n//a.example/other/:_authToken=u\n"
    assert "https://a.example/" not in headers(load(tmp_path, one + two))


def test_userinfo_is_a_credential_and_not_part_of_the_registry(tmp_path: Path) -> None:
    npmrc = load(tmp_path, f"registry=https://user:{SECRET}%40@r.example/npm")
    assert npmrc.registry == "https://r.example/npm/"
    assert headers(npmrc)["https://r.example/npm/"] == basic(f"user:{SECRET}@")


def test_no_secret_is_shown(tmp_path: Path) -> None:
    npmrc = load(
        tmp_path,
        f"//a.example/:_authToken={SECRET}\n_auth={SECRET}\n"
        f"registry=https://u:{SECRET}@r.example/\n//b.example/:_auth={SECRET}",
    )
    assert SECRET not in repr(npmrc) + repr(npmrc.access()) + repr(npmrc.warnings)
    with pytest.raises(LockfileError) as caught:
        load(tmp_path, f"registry=ftp://u:{SECRET}@r.example/?token={SECRET}")
    assert SECRET not in str(caught.value)


REPLACED = [
    ("", "https://m.example/npm/a/-/a-1.tgz", "https://other.example/a.tgz"),
    ("npmjs", "https://m.example/npm/a/-/a-1.tgz", "https://other.example/a.tgz"),
    ("never", f"{DEFAULT_REGISTRY}a/-/a-1.tgz", "https://other.example/a.tgz"),
    ("always", "https://m.example/npm/a/-/a-1.tgz", "https://m.example/npm/a.tgz"),
    ("other.example", f"{DEFAULT_REGISTRY}a/-/a-1.tgz", "https://m.example/npm/a.tgz"),
]


@pytest.mark.parametrize(("value", "default", "other"), REPLACED)
def test_replace_registry_host(tmp_path: Path, value: str, default: str, other: str) -> None:
    text = f"registry=https://m.example/npm/\nreplace-registry-host={value}"
    npmrc = load(tmp_path, text if value else text.rpartition("\n")[0])
    assert npmrc.replace_host(f"{DEFAULT_REGISTRY}a/-/a-1.tgz") == default
    assert npmrc.replace_host("https://other.example/a.tgz") == other
    assert npmrc.replace_host("file:x.tgz") == "file:x.tgz"


def test_a_path_that_is_there_already_is_not_put_before_it_again(tmp_path: Path) -> None:
    npmrc = load(tmp_path, "registry=https://m.example/npm/\nreplace-registry-host=always")
    assert npmrc.replace_host("https://x.example/npm/a.tgz") == "https://m.example/npm/a.tgz"


def test_network(tmp_path: Path) -> None:
    access = load(tmp_path, "https-proxy=http://p.example:3128\ncafile=~/ca.pem").access()
    assert access.ca_files == (str(tmp_path / "home/ca.pem"),)
    assert access.proxies == dict.fromkeys(("http", "https"), "http://p.example:3128")
    relative = load(tmp_path, "cafile=ca.pem\nproxy=null")
    assert relative.path("cafile") == tmp_path / "project/ca.pem"
    assert relative.access().proxies == {}


@pytest.mark.parametrize(
    "text",
    [
        "strict-ssl=false",
        'ca[]="-----BEGIN CERTIFICATE-----"',
        f"_auth={SECRET}",
        "//a.example/:certfile=/x.pem",
        "proxy=http://p.example\nnoproxy=a.example",
    ],
)
def test_what_is_not_followed_is_said(tmp_path: Path, text: str) -> None:
    (warning,) = load(tmp_path, text).warnings
    assert warning.where == ".npmrc" and "not followed" in warning.what


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    npmrc = load(tmp_path, b"\xff\xfe=\x00\nregistry=https://r.example/\n//\xff/:_authToken=x")
    assert npmrc.registry == "https://r.example/"

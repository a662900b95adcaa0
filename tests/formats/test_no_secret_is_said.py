"""Every setting of every room that can hold a secret: it is in nothing that is printed or kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.cli import Cli
from tests.formats.samples import SAMPLES
from tests.world import Reply, Server
from vendorpack.formats import BUILTIN

SECRET = "canary-5ecret"
AUTH = "Y2FuYXJ5LTVlY3JldDpjYW5hcnktNWVjcmV0"  # canary-5ecret:canary-5ecret
IN_ADDRESS = f"http://canary-5ecret:{SECRET}@HOST/"
BROKEN = f"http://u:{SECRET}@HOST:99999/"
UNFINISHED = f"u:{SECRET}@HOST/simple"


@dataclass(frozen=True)
class Setting:
    """Where a secret may stand. HOST is a server that refuses everything."""

    room: str
    files: Mapping[str, str] = field(default_factory=dict)
    environ: Mapping[str, str] = field(default_factory=dict)
    home: Mapping[str, str] = field(default_factory=dict)


def npm_like(room: str) -> list[Setting]:
    return [
        Setting(room, {".npmrc": f"registry=http://HOST/\n//HOST/:_authToken={SECRET}\n"}),
        Setting(room, {".npmrc": f"registry=http://HOST/\n//HOST/:_auth={AUTH}\n"}),
        Setting(
            room,
            {".npmrc": f"registry=http://HOST/\n//HOST/:username=u\n//HOST/:_password={AUTH}\n"},
        ),
        Setting(room, {".npmrc": "registry=http://u:${TOKEN}@HOST/\n"}, {"TOKEN": SECRET}),
        Setting(room, {".npmrc": f"registry={IN_ADDRESS}\n"}),
        Setting(room, {".npmrc": f"registry={BROKEN}\n"}),
        Setting(room, {".npmrc": f"registry={UNFINISHED}\n"}),
        Setting(room, {".npmrc": f"https-proxy=http://u:{SECRET}@HOST/\n"}),
        Setting(room, {}, {"npm_config_registry": IN_ADDRESS}),
        Setting(room, home={".npmrc": f"registry=http://HOST/\n//HOST/:_authToken={SECRET}\n"}),
        Setting(room, {".npmrc": "registry=http://HOST/${TOKEN}/npm/\n"}, {"TOKEN": SECRET}),
    ]


def of_a_variable(room: str) -> list[Setting]:
    """The whole of a project's setting is what the environment holds."""
    whole = {"WHOLE": f"http://HOST/{SECRET}/npm/", "TOKEN": SECRET}
    return [
        Setting(room, {".npmrc": text}, whole)
        for text in (
            "registry=${WHOLE}\n",
            "registry=${TOKEN}\n",
            "registry=http:${TOKEN}//HOST/\n",
            "@scope:registry=${WHOLE}\n",
            "cafile=${TOKEN}\n",
            "https-proxy=${TOKEN}\n",
        )
    ]


def indexes(room: str, *variables: str) -> list[Setting]:
    values = (f"{IN_ADDRESS}simple", f"{BROKEN}simple", UNFINISHED)
    return [Setting(room, environ={name: value}) for name in variables for value in values]


EVERYWHERE = [
    ({"https_proxy": f"http://u:{SECRET}@HOST"}, {}),
    ({"HTTPS_PROXY": f"u:{SECRET}@HOST"}, {}),
    ({"https_proxy": BROKEN}, {}),
    ({"https_proxy": "http://HOST"}, {".netrc": f"machine 127.0.0.1 login u password {SECRET}\n"}),
]
FAMILIES = ("npm", "pip", "gomod", "gradle", "extras")
"""Whose requests are made alike; proxies and logins of the machine are the engine's business."""
SETTINGS = [
    *npm_like("npm"),
    *(s for room in ("pnpm", "bun", "deno", "yarn-classic") for s in npm_like(room)[::3]),
    *(s for room in ("npm", "pnpm", "bun", "deno", "yarn-classic") for s in of_a_variable(room)),
    Setting(
        "bun",
        {"bunfig.toml": '[install]\nregistry = "$WHOLE"\n'},
        {"WHOLE": f"http://HOST/{SECRET}/npm/"},
    ),
    Setting("bun", {"bunfig.toml": '[install]\nregistry = "$TOKEN"\n'}, {"TOKEN": SECRET}),
    Setting(
        "bun", {"bunfig.toml": f'[install.registry]\nurl = "http://HOST/"\ntoken = "{SECRET}"\n'}
    ),
    Setting("bun", {"bunfig.toml": f'[install]\nregistry = "{UNFINISHED}"\n'}),
    Setting(
        "bun", {"bunfig.toml": '[install]\nregistry = "http://HOST/$TOKEN/"\n'}, {"TOKEN": SECRET}
    ),
    Setting("yarn-classic", {".yarnrc": f'registry "{IN_ADDRESS}"\n'}),
    Setting("yarn-classic", {".yarnrc": f'registry "{UNFINISHED}"\n'}),
    *(
        Setting(
            "yarn-berry",
            {".yarnrc.yml": text},
            {"TOKEN": SECRET, "WHOLE": f"http://HOST/{SECRET}/npm/"},
        )
        for text in (
            "npmRegistryServer: '${WHOLE}'\n",
            "npmRegistryServer: '${TOKEN}'\n",
            "npmScopes: {s: {npmRegistryServer: '${WHOLE}'}}\n",
            "httpsCaFilePath: '${TOKEN}'\n",
            "httpsProxy: '${TOKEN}'\n",
            f"npmRegistryServer: '{IN_ADDRESS}'\n",
            f"npmRegistryServer: '{UNFINISHED}'\n",
            f"npmRegistryServer: '{BROKEN}'\n",
            "npmRegistryServer: 'http://HOST'\nnpmAuthToken: ${TOKEN}\n",
            f"npmRegistryServer: 'http://HOST'\nnpmAuthIdent: 'u:{SECRET}'\n",
            "npmRegistryServer: 'http://u:${TOKEN}@HOST/'\n",
            "npmRegistryServer: 'http://HOST/${TOKEN:-none}/npm'\n",
            f"httpsProxy: 'http://u:{SECRET}@HOST'\n",
        )
    ),
    *indexes("pip", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_PROXY"),
    *indexes("pipenv", "PIPENV_PYPI_MIRROR"),
    *indexes("pdm", "PDM_PYPI_URL"),
    *indexes("uv", "UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL"),
    Setting("uv", {"uv.toml": f'[[index]]\nname = "x"\nurl = "{IN_ADDRESS}simple"\n'}),
    Setting(
        "poetry",
        environ={"POETRY_HTTP_BASIC_X_USERNAME": "u", "POETRY_HTTP_BASIC_X_PASSWORD": SECRET},
    ),
    Setting("cargo", {".cargo/config.toml": f'[http]\nproxy = "http://u:{SECRET}@HOST"\n'}),
    Setting(
        "cargo",
        {
            ".cargo/config.toml": f'[registries.x]\nindex = "sparse+{IN_ADDRESS}"\n'
            f'token = "{SECRET}"\n'
        },
    ),
    Setting(
        "cargo",
        {
            ".cargo/config.toml": '[source.crates-io]\nreplace-with = "m"\n[source.m]\n'
            f'registry = "sparse+{IN_ADDRESS}"\n'
        },
    ),
    Setting("cargo", environ={"CARGO_HTTP_PROXY": f"u:{SECRET}@HOST"}),
    Setting("gomod", environ={"GOPROXY": IN_ADDRESS}),
    Setting("gomod", environ={"GOPROXY": UNFINISHED}),
    Setting("gomod", environ={"GOPROXY": BROKEN}),
    Setting("bundler", {".bundle/config": f'---\nBUNDLE_MIRROR__ALL: "{IN_ADDRESS}"\n'}),
    Setting("bundler", {".bundle/config": f'---\nBUNDLE_MIRROR__ALL: "{UNFINISHED}"\n'}),
    Setting("bundler", environ={"BUNDLE_RUBYGEMS__ORG": f"u:{SECRET}"}),
    Setting(
        "maven",
        home={
            ".m2/settings.xml": "<settings><mirrors><mirror><id>m</id><mirrorOf>*</mirrorOf>"
            f"<url>{IN_ADDRESS}</url></mirror></mirrors><servers><server><id>m</id>"
            f"<username>u</username><password>{SECRET}</password></server></servers></settings>"
        },
    ),
    *(Setting(room, {}, environ, home) for room in FAMILIES for environ, home in EVERYWHERE),
]


def test_every_room_is_asked() -> None:
    assert {setting.room for setting in SETTINGS} == {room.name for room in BUILTIN}


@pytest.mark.parametrize("number", range(len(SETTINGS)))
def test_no_secret_is_said_or_kept(number: int, tmp_path: Path) -> None:
    setting = SETTINGS[number]
    sample = SAMPLES[setting.room]
    with Server({}, default=lambda request: Reply(b"who?", 403)) as server:
        # Addresses of the sample lead to the server too, so that nothing goes out.
        host = f"127.0.0.1:{server.port}"
        environ = {"https_proxy": f"http://{host}", **setting.environ}
        environ = {name: value.replace("HOST", host) for name, value in environ.items()}
        places = (tmp_path / "project", setting.files), (tmp_path / "home", setting.home)
        for folder, files in places:
            for name, text in files.items():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_text(text.replace("HOST", host))
        for name, data in sample.files.items():
            path = tmp_path / "project" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                path.write_bytes(data)
        cli = Cli(tmp_path, environ=environ)
        lockfile = tmp_path / "project" / sample.lockfile
        printed = ""
        for more in ((), ("--json",)):
            done = cli("pack", lockfile, "--format", setting.room, "-o", "out.tar.zst", *more)
            printed += done.out + done.err
            assert done.code != 0, "everything was refused"
    assert printed
    assert SECRET not in printed and AUTH not in printed
    for path in (tmp_path / "store").rglob("*"):
        assert SECRET not in str(path)
        assert not path.is_file() or SECRET.encode() not in path.read_bytes()

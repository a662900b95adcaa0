"""A private registry of every kind: https, a login, and files that lie elsewhere.

The real client locks against it, vendorpack packs, plain tar unpacks, and the client's ordinary
command installs with the network cut off. What credentials opened the registry with is neither
in the bundle nor said, and the hosts that were not meant to see them have not.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.real.clients import client, tool
from tests.real.test_bundler import Built, bundler, gemspec, pure
from tests.real.test_cargo import name_of, toolchain
from tests.real.test_npm import npm
from tests.real.test_pip import target_of
from tests.real.test_pnpm import pnpm
from tests.real.test_yarn import yarn
from tests.real.ways import Way
from tests.world import Mirror, Redirect, Reply, Site, World, basic, bearer
from tests.world.cargo import CargoRegistry, CrateDownloads, index_files
from tests.world.crates import crate, package
from tests.world.distributions import installable_wheel, sha256
from tests.world.gems import GemSource
from tests.world.git import GitHost, Repository
from tests.world.go import GoProxy
from tests.world.npm import NpmRegistry
from tests.world.pypi import PypiIndex

pytestmark = pytest.mark.real

TOKEN = "canary-token"
LOGIN = "someone:canary-password"


def logins(site: Site) -> set[str | None]:
    """The Authorization headers that a host has seen."""
    return {request.headers.get("authorization") for request in site.requests}


# -- JavaScript ------------------------------------------------------------------------------


def npm_registry(world: World, *, under_auth: str) -> tuple[NpmRegistry, Site]:
    """A registry with a token, which sends all who want a tarball to another host."""
    site, files = world.site(tls=True), world.site(tls=True, host="localhost")
    registry = site.mount("npm", NpmRegistry(packuments=True), login=bearer(under_auth))
    registry.publish("left", "1.0.0", dependencies={"@own/right": "^2.0.0"})
    registry.publish("@own/right", "2.1.0")
    elsewhere = files.mount("files", NpmRegistry())
    elsewhere.packages = registry.packages
    for path in registry.packages:
        site.mount(f"npm{path}", Redirect(elsewhere.url + path), login=bearer(under_auth))
    return registry, files


def package_json() -> str:
    return json.dumps({"name": "app", "version": "1.0.0", "dependencies": {"left": "^1.0.0"}})


def token_of(registry: NpmRegistry, token: str) -> str:
    return f"{registry.url.removeprefix('https:')}/:_authToken={token}\n"


NODE_PROOF = ("node", "-e", "console.log(require('left'))")


@pytest.mark.parametrize("name", ["npm-10", "npm-11", "npm-12", "pnpm-9", "pnpm-11", "yarn-1"])
def test_npm_registry_with_a_token(world: World, tmp_path: Path, name: str) -> None:
    registry, files = npm_registry(world, under_auth=TOKEN)
    kind, _, version = name.partition("-")
    command = {"npm": npm, "pnpm": pnpm}[kind](version) if kind != "yarn" else yarn(name)
    lock, install = {
        "npm": (("install", "--package-lock-only"), ("ci",)),
        "pnpm": (("install", "--lockfile-only"), ("install", "--frozen-lockfile")),
        "yarn": (("install",), ("install", "--frozen-lockfile")),
    }[kind]
    environ = {"NPM_TOKEN": TOKEN, "NODE_EXTRA_CA_CERTS": str(world.ca_file)}
    npmrc = f"registry={registry.url}/\nalways-auth=true\n"
    home = {}
    if kind == "npm":
        npmrc += token_of(registry, "${NPM_TOKEN}")
    else:
        home[".npmrc"] = token_of(registry, TOKEN)
    way = Way(
        files={"package.json": package_json(), ".npmrc": npmrc},
        home=home,
        lock=[(*command, *lock), ("rm", "-rf", "node_modules")],
        install=[(*command, *install)],
        proof=NODE_PROOF,
        said="left@1.0.0",
        path=[client("node") / "bin"],
        locking=environ | {"YARN_CACHE_FOLDER": str(tmp_path / "locking-cache")},
        packing={"NPM_TOKEN": TOKEN},
        installing={"NPM_TOKEN": "", "YARN_CACHE_FOLDER": str(tmp_path / "yarn-cache")},
    )
    way.go(world, tmp_path)
    assert logins(files) == {None}


def test_yarn_berry_registry_with_a_token(world: World, tmp_path: Path) -> None:
    registry, files = npm_registry(world, under_auth=TOKEN)
    command = yarn("yarn-4")
    settings = (
        f'npmRegistryServer: "{registry.url}"\nnpmAuthToken: "${{NPM_TOKEN:-none}}"\n'
        "npmAlwaysAuth: true\nnpmMinimalAgeGate: 0\nnodeLinker: node-modules\n"
        "enableTelemetry: false\n"
    )
    way = Way(
        files={"package.json": package_json(), ".yarnrc.yml": settings, "yarn.lock": ""},
        lock=[(*command, "install", "--mode=update-lockfile"), ("rm", "-rf", ".yarn")],
        install=[(*command, "install", "--immutable")],
        proof=NODE_PROOF,
        said="left@1.0.0",
        path=[client("node") / "bin"],
        locking={"NPM_TOKEN": TOKEN, "NODE_EXTRA_CA_CERTS": str(world.ca_file)},
        packing={"NPM_TOKEN": TOKEN},
    )
    way.go(world, tmp_path)
    assert logins(files) == {None}


# -- Python ----------------------------------------------------------------------------------

WHEELS = {
    "left-1.0.0-py3-none-any.whl": installable_wheel("left", "1.0.0", {"left.py": b"NAME = 'left'"})
}
IMPORT = "import left; print(left.NAME)"
PYTHON = (".venv/bin/python", "-c", IMPORT)


def pypi(world: World, *, speaks_json: bool = True) -> PypiIndex:
    index = PypiIndex(speaks_json=speaks_json)
    world.site(tls=True).mount("pypi", index, login=basic(LOGIN))
    index.files |= WHEELS
    return index


def with_login(url: str, login: str = LOGIN) -> str:
    user, _, password = login.partition(":")
    return url.replace("://", f"://{quote(user)}:{quote(password)}@")


def trust(world: World) -> dict[str, str]:
    """Whom each Python client believes."""
    return dict.fromkeys(("REQUESTS_CA_BUNDLE", "PIP_CERT", "SSL_CERT_FILE"), str(world.ca_file))


@pytest.mark.parametrize("speaks_json", [True, False])
@pytest.mark.parametrize("version", ["23", "26"])
def test_pip_index_with_a_login(
    world: World, tmp_path: Path, version: str, speaks_json: bool
) -> None:
    index = pypi(world, speaks_json=speaks_json)
    program = client(f"pip-{version}") / "bin/pip"
    (wheel,) = WHEELS.values()
    way = Way(
        files={
            "requirements.txt": "--index-url "
            + with_login(index.simple).replace("canary-password", "${PASSWORD}")
            + f"\nleft==1.0.0 --hash=sha256:{sha256(wheel)}\n"
        },
        install=[
            (program.parent / "python", "-m", "venv", "--without-pip", ".venv"),
            (program, "--python", ".venv/bin/python", "install", "-r", "requirements.txt"),
        ],
        proof=PYTHON,
        said="left",
        packing={"PASSWORD": "canary-password"},
        installing={"PASSWORD": ""},
        options=("--target", target_of(program), "--allow-host", index.url.split("/")[2]),
    )
    way.go(world, tmp_path)


def test_a_mirror_whose_files_are_elsewhere(world: World, tmp_path: Path) -> None:
    """It wants a login, and stumbles at first; the files' host, allowed by name, sees none."""
    files, site = world.site(tls=True, host="localhost"), world.site(tls=True)
    index = files.mount("pypi", PypiIndex())
    index.files |= WHEELS
    mirror = site.mount("mirror", Mirror(index), login=basic(LOGIN))
    site.next["/mirror/simple/left/"] = [Reply(b"", 503), Reply(b"", 503)]
    program = client("pip-26") / "bin/pip"
    (wheel,) = WHEELS.values()
    way = Way(
        files={"requirements.txt": f"left==1.0.0 --hash=sha256:{sha256(wheel)}\n"},
        install=[
            (program.parent / "python", "-m", "venv", "--without-pip", ".venv"),
            (program, "--python", ".venv/bin/python", "install", "-r", "requirements.txt"),
        ],
        proof=PYTHON,
        said="left",
        packing={"PIP_INDEX_URL": with_login(f"{mirror.url}/simple/")},
        options=("--target", target_of(program), "--allow-host", f"localhost:{files.port}"),
    )
    way.go(world, tmp_path)
    assert len(site.requests) == 3
    assert logins(files) == {None}


def uv_way(version: str, simple: str, world: World, login: Mapping[str, str]) -> Way:
    """`left` by uv, from the one index `own`."""
    uv = client(f"uv-{version}") / "bin/uv"
    python = {
        "UV_PYTHON": str(Path(sys.base_prefix, "bin", f"python3.{sys.version_info.minor}")),
        "UV_PYTHON_DOWNLOADS": "never",
    }
    project = f"""[project]
name = "app"
version = "1.0.0"
requires-python = ">=3.11"
dependencies = ["left==1.0.0"]
[[tool.uv.index]]
name = "own"
url = "{simple}"
default = true
"""
    return Way(
        files={"pyproject.toml": project},
        lock=[(uv, "lock")],
        install=[(uv, "sync", "--frozen")],
        proof=PYTHON,
        said="left",
        locking={**login, **python, **trust(world)},
        packing=login,
        installing=python,
    )


@pytest.mark.parametrize("version", ["0.8", "0.13"])
def test_uv_index_with_a_login(world: World, tmp_path: Path, version: str) -> None:
    login = {"UV_INDEX_OWN_USERNAME": "someone", "UV_INDEX_OWN_PASSWORD": "canary-password"}
    uv_way(version, pypi(world).simple, world, login).go(world, tmp_path)


def poetry_way(version: str, simple: str, world: World, login: Mapping[str, str]) -> Way:
    """`left` by Poetry, from the one source `own`."""
    poetry = client(f"poetry-{version}") / "bin/poetry"
    local = {"POETRY_VIRTUALENVS_IN_PROJECT": "true"}
    project = f"""[project]
name = "app"
version = "1.0.0"
requires-python = ">=3.11"
dependencies = ["left==1.0.0"]
[tool.poetry]
package-mode = false
[[tool.poetry.source]]
name = "own"
url = "{simple}"
priority = "primary"
"""
    return Way(
        files={"pyproject.toml": project},
        lock=[(poetry, "lock")],
        install=[(poetry, "install", "--no-interaction")],
        proof=PYTHON,
        said="left",
        path=[Path(sys.base_prefix, "bin")],
        locking={**login, **local, **trust(world)},
        packing=login,
        installing=local,
    )


@pytest.mark.parametrize("version", ["2.0", "2.5"])
def test_poetry_source_with_a_login(world: World, tmp_path: Path, version: str) -> None:
    login = {
        "POETRY_HTTP_BASIC_OWN_USERNAME": "someone",
        "POETRY_HTTP_BASIC_OWN_PASSWORD": "canary-password",
    }
    poetry_way(version, pypi(world).simple, world, login).go(world, tmp_path)


def test_pipenv_source_with_a_login(world: World, tmp_path: Path) -> None:
    index = pypi(world)
    pipenv = client("pipenv") / "bin/pipenv"
    source = with_login(index.simple).replace("canary-password", "${PASSWORD}")
    pipfile = f'[[source]]\nname = "own"\nurl = "{source}"\nverify_ssl = true\n'
    pipfile += '[packages]\nleft = "==1.0.0"\n'
    (wheel,) = WHEELS.values()
    locked = {
        "_meta": {
            "hash": {"sha256": "0" * 64},
            "pipfile-spec": 6,
            "requires": {},
            "sources": [{"name": "own", "url": source, "verify_ssl": True}],
        },
        "default": {
            "left": {"hashes": [f"sha256:{sha256(wheel)}"], "index": "own", "version": "==1.0.0"}
        },
        "develop": {},
    }
    way = Way(
        files={"Pipfile": pipfile, "Pipfile.lock": json.dumps(locked, indent=4)},
        install=[(pipenv, "sync")],
        proof=PYTHON,
        said="left",
        packing={"PASSWORD": "canary-password"},
        installing={
            "PASSWORD": "",
            "PIPENV_VENV_IN_PROJECT": "1",
            "PIPENV_PYTHON": str(pipenv.parent / "python"),
        },
        options=("--target", target_of(pipenv), "--allow-host", index.url.split("/")[2]),
    )
    way.go(world, tmp_path)


# -- Cargo, Go, Bundler ----------------------------------------------------------------------


@pytest.mark.parametrize("token", ["of the environment", "of a file", None])
def test_cargo_registry_with_a_token(world: World, tmp_path: Path, token: str | None) -> None:
    auth = token is not None
    index_site, files = world.site(tls=True), world.site(tls=True, host="localhost")
    login = TOKEN if auth else None
    downloads = files.mount("dl", CrateDownloads(), login=login)
    registry = index_site.mount("index", CargoRegistry(downloads, auth_required=auth), login=login)
    own = f'registry-index = "{registry.source}"'
    windows = f"[target.'cfg(windows)'.dependencies.only-windows]\nversion = '1'\n{own}\n"
    two = f"[features]\nextra = []\n[dependencies.one]\nversion = '1'\n{own}\n"
    feature = '#[cfg(feature = "extra")]\n' + name_of("two").decode()
    for name, version, manifest, lib in (
        ("one", "1.2.3+meta", windows, name_of("one").decode()),
        ("Two", "0.1.0", two, feature),
        ("only-windows", "1.0.0", "", "compile_error!();"),
    ):
        registry.publish(name, version, crate(name, version, manifest, lib))
    environ = {"CARGO_REGISTRIES_CORP_INDEX": registry.source}
    provider = {"CARGO_REGISTRY_GLOBAL_CREDENTIAL_PROVIDERS": "cargo:token"}
    secret = {"CARGO_REGISTRIES_CORP_TOKEN": TOKEN} if token == "of the environment" else {}
    file = f'[registries.corp]\ntoken = "{TOKEN}"\n'
    way = Way(
        files={
            "Cargo.toml": '[package]\nname = "app"\nversion = "0.1.0"\nedition = "2021"\n'
            '[dependencies]\none = { version = "1", registry = "corp" }\n'
            'renamed = { package = "Two", version = "0.1", features = ["extra"], '
            'registry = "corp" }\n',
            "src/main.rs": 'fn main() { println!("{} {}", one::NAME, renamed::NAME) }\n',
        },
        home={".cargo/credentials.toml": file} if token == "of a file" else {},
        lock=[("cargo", "generate-lockfile")],
        install=[("cargo", "build", "--frozen")],
        proof=("target/debug/app",),
        said="one two",
        path=[Path(tool("cargo")).parent],
        locking=environ
        | secret
        | provider
        | toolchain()
        | {"CARGO_HTTP_CAINFO": str(world.ca_file)},
        packing=environ | secret,
        installing=toolchain(),
    )
    way.go(world, tmp_path)
    assert logins(files) == {login}


@pytest.mark.parametrize("name", ["1.65", "1.85", "newest"])
def test_cargo_registry_whose_index_is_in_git(world: World, tmp_path: Path, name: str) -> None:
    """git's login opens the index, cargo's token the downloads; neither sees the other's."""
    site, files = world.site(tls=True), world.site(tls=True, host="localhost")
    downloads = files.mount("dl", CrateDownloads(), login=TOKEN)
    host = site.mount("git", GitHost(tmp_path / "served"), login=basic(LOGIN))
    url = f"{host.url}/index.git"
    two = f"[dependencies.one]\nversion = '1'\nregistry-index = '{url}'\n"
    for crate_name, version, manifest in (("one", "1.2.3", ""), ("Two", "0.1.0", two)):
        lib = name_of(crate_name).decode()
        downloads.crates[crate_name, version] = crate(crate_name, version, manifest, lib)
    index = Repository(tmp_path / "index")
    index.commit(index_files(downloads, auth_required=True))
    index.publish(tmp_path / "served")
    source = f"registry+{url}"
    one, two_crate = downloads.crates.values()
    lock = package("app", "0.1.0", None) + 'dependencies = ["Two", "one"]\n'
    lock += package("one", "1.2.3", source, one)
    lock += package("Two", "0.1.0", source, two_crate) + 'dependencies = ["one"]\n'
    own = [] if name == "newest" else [client(f"cargo-{name}") / "bin"]
    environ = {"CARGO_REGISTRIES_CORP_INDEX": url}
    way = Way(
        files={
            "Cargo.toml": '[package]\nname = "app"\nversion = "0.1.0"\nedition = "2021"\n'
            '[dependencies]\none = { version = "1", registry = "corp" }\n'
            'Two = { version = "0.1", registry = "corp" }\n',
            "src/main.rs": 'fn main() { println!("{} {}", one::NAME, Two::NAME) }\n',
            "Cargo.lock": "version = 3\n\n" + lock,
        },
        home={".netrc": "machine 127.0.0.1 login someone password canary-password\n"},
        install=[("cargo", "build", "--frozen")],
        proof=("target/debug/app",),
        said="one Two",
        path=[*own, Path(tool("cargo")).parent],
        packing=environ | {"CARGO_REGISTRIES_CORP_TOKEN": TOKEN},
        installing=toolchain(),
        options=("--cargo-compat", "1.65"),
    )
    way.go(world, tmp_path)
    assert logins(files) == {TOKEN}
    assert logins(site) == {None, basic(LOGIN)}  # git asks first whether it needs one


def test_go_proxy_with_a_netrc(world: World, tmp_path: Path) -> None:
    site = world.site(tls=True)
    proxy = site.mount("go", GoProxy(), login=basic(LOGIN))
    mod = b"module own.example/Left\n\ngo 1.20\n"
    proxy.publish(
        "own.example/Left",
        "v1.0.0",
        {"go.mod": mod, "left.go": b'package left\nconst Name = "left"\n'},
    )
    go = Path(tool("go")).parent
    host = site.url.removeprefix("https://")
    environ = {"GOPROXY": proxy.url, "GONOSUMDB": "*", "GOFLAGS": "-modcacherw"}
    way = Way(
        files={
            "go.mod": "module app\n\ngo 1.20\n\nrequire own.example/Left v1.0.0\n",
            "main.go": 'package main\nimport ("fmt"; left "own.example/Left")\n'
            "func main() { fmt.Println(left.Name) }\n",
        },
        home={".netrc": f"machine {host} login someone password canary-password\n"},
        lock=[("go", "mod", "tidy"), ("go", "clean", "-modcache")],
        install=[("go", "build", "-o", "app", ".")],
        proof=("./app",),
        said="left",
        path=[go],
        locking=environ | {"GOPATH": str(tmp_path / "gopath")},
        packing={"GOPROXY": proxy.url},
        installing={"GOFLAGS": "-modcacherw"},
    )
    way.go(world, tmp_path)


@pytest.mark.parametrize("version", ["system", "4"])
def test_gem_source_with_a_login(world: World, tmp_path: Path, version: str) -> None:
    built = Built(tmp_path / "built")
    spec = built.add(
        "left", {"left.gemspec": gemspec("left"), "lib/left.rb": pure("Left", "NAME = 'left'")}
    )
    built.build(spec)
    source = world.site(tls=True).mount("gems", GemSource(login=LOGIN))
    source.releases.append(built.release("left"))
    bundle = bundler(version)
    login = {"BUNDLE_127__0__0__1": LOGIN}
    jobs = {"BUNDLE_JOBS": "1"}
    way = Way(
        files={"Gemfile": f'source "{source.url}/"\ngem "left"\n'},
        lock=[(*bundler("system"), "lock")],  # Bundler 4 wants a newer Ruby for its threads
        install=[(*bundle, "install", "--local")],
        proof=(*bundle, "exec", "ruby", "-e", "Bundler.require; puts Left::NAME"),
        said="left",
        locking=login | jobs,
        packing=login,
        installing=jobs | {"BUNDLE_PATH": str(tmp_path / "installed")},
    )
    way.go(world, tmp_path)

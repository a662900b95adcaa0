"""Projects that pin their package manager install through corepack with the network cut off."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli import Cli
from tests.real.clients import PROJECTS, Machine, another_user, client, copy_project, extract, pack

pytestmark = [pytest.mark.real, pytest.mark.network]

PNPM_12 = (
    "66fd8278ee28935ce951792d34367ff3af5c432a2756445823029533835b8da5"
    "29bbe0be5130afd56ed0713fb8789e47bad82d93bd5ae2fe54b15562d6276ef0"
)
YARN_4 = "5707fce90df5d8720fae4e85a07ab55e90aa20fded8914893e2ba225"
"""As corepack 0.36 itself has it: of the file that it downloads from Yarn's own site."""

CASES = {
    "npm@10.9.9": ("hello-npm", "npm ci"),
    "pnpm@9.15.9": ("hello-pnpm", "pnpm install --frozen-lockfile"),
    "pnpm@10.34.5": ("hello-pnpm", "pnpm install --frozen-lockfile"),
    "pnpm@11.28.11": ("hello-pnpm", "pnpm install --frozen-lockfile"),
    f"pnpm@12.21.0+sha512.{PNPM_12}": ("hello-pnpm", "pnpm install --frozen-lockfile"),
    "yarn@1.22.22": ("hello-yarn-1", "yarn install --offline --frozen-lockfile"),
    "yarn@3.8.7": ("hello-yarn-3", "yarn install --immutable"),
    f"yarn@4.18.0+sha224.{YARN_4}": ("hello-yarn-4", "yarn install --immutable"),
}
VERSIONS = ("0.29", "0.36")
BY = [
    *((field, "0.36") for field in CASES),
    ("pnpm@9.15.9", "0.29"),
    (f"yarn@4.18.0+sha224.{YARN_4}", "0.29"),
]


def pinning(field: str, into: Path) -> Path:
    """The project, with its package manager in package.json."""
    project = copy_project(PROJECTS / CASES[field][0], into)
    if field.startswith("pnpm@9"):  # which wants packages in it
        (project / "pnpm-workspace.yaml").unlink()
    manifest = json.loads((project / "package.json").read_text())
    text = json.dumps({**manifest, "packageManager": field}, indent=2) + "\n"
    (project / "package.json").write_text(text)
    return project


def shims(version: str, folder: Path) -> Machine:
    """A target whose package managers are corepack's shims."""
    node = client("node") / "bin"
    target = Machine(folder, [folder / "bin", node])
    (folder / "bin").mkdir()
    script = client(f"corepack-{version}") / "node_modules/corepack/dist/corepack.js"
    enable = ("enable", "--install-directory", folder / "bin", "npm", "pnpm", "yarn")
    target.offline(node / "node", script, *enable, cwd=folder)
    return target


@pytest.mark.parametrize(("field", "corepack"), BY, ids=lambda text: str(text).partition("+")[0])
def test_the_package_manager_that_the_project_pins(
    field: str, corepack: str, real_cli: Cli, bundles: Path, tmp_path: Path
) -> None:
    project = pinning(field, tmp_path / "project")
    before = {p: p.read_bytes() for p in project.rglob("*") if p.is_file()}
    pack(real_cli, project, "-o", bundles / "deps.tar.zst")
    prefix = extract(bundles / "deps.tar.zst", tmp_path / "deps")
    target = shims(corepack, tmp_path)
    name, _, version = field.partition("+")[0].partition("@")
    said = target.offline(name, "--version", cwd=project, prefix=prefix)
    assert said.splitlines()[-1] == version
    env = {"YARN_CACHE_FOLDER": str(tmp_path / "cache")} if version == "1.22.22" else {}
    target.offline(*CASES[field][1].split(), cwd=project, prefix=prefix, env=env)
    assert {p: p.read_bytes() for p in before} == before  # nothing of the user's is edited
    assert not [*target.home.glob(".cache/node/corepack/v1")]
    run = [name, "run"] if name == "yarn" else [name, "exec", "--"]
    shown = target.offline(*run, "esbuild", "--version", cwd=project, prefix=prefix)
    assert "0.25.12" in shown.splitlines()


def test_another_user_and_a_read_only_folder(real_cli: Cli, bundles: Path, tmp_path: Path) -> None:
    """As in an image: root unpacked it, somebody else installs."""
    project = pinning("pnpm@10.34.5", tmp_path / "project")
    pack(real_cli, project, "-o", bundles / "deps.tar.zst")
    prefix = extract(bundles / "deps.tar.zst", tmp_path / "deps")
    target = shims("0.36", tmp_path)
    nobody = another_user(target.home, project)
    target.offline(*nobody, "pnpm", "install", "--frozen-lockfile", cwd=project, prefix=prefix)


def test_corepacks_own_folder(real_cli: Cli, bundles: Path, tmp_path: Path) -> None:
    """Unpacked without a prefix; what is there already is left alone."""
    field = f"yarn@4.18.0+sha224.{YARN_4}"
    project = pinning(field, tmp_path / "project")
    pack(real_cli, project, "-o", bundles / "deps.tar.zst")
    target = shims("0.36", tmp_path)
    unpacking = Cli(tmp_path, environ={"HOME": str(target.home)})
    unpacking.ok("unpack", bundles / "deps.tar.zst")
    assert target.offline("yarn", "--version", cwd=project) == "4.18.0\n"
    script = target.home / ".cache/node/corepack/v1/yarn/4.18.0/yarn.js"
    script.write_text("// their own\n")
    unpacking.ok("unpack", bundles / "deps.tar.zst")
    assert script.read_text() == "// their own\n"


@pytest.mark.parametrize(
    "field", [f"pnpm@12.21.0+sha512.{PNPM_12}", f"yarn@4.18.0+sha224.{YARN_4}"]
)
def test_a_wrong_hash_is_refused(field: str, real_cli: Cli, tmp_path: Path) -> None:
    project = pinning(field, tmp_path / "project")
    manifest = project / "package.json"
    digit = field[-1]
    wrong = field[:-1] + ("1" if digit != "1" else "2")
    manifest.write_text(manifest.read_text().replace(field, wrong))
    done = real_cli("pack", project, "-o", tmp_path / "deps.tar.zst")
    assert done.code == 8 and "package.json:16" in done.err, done.err
    assert not (tmp_path / "deps.tar.zst").exists()


def test_the_lockfile_proves_it(real_cli: Cli, tmp_path: Path) -> None:
    """So far as the bundle has what the hash is of, or the local store has the package."""
    for field in (f"yarn@4.18.0+sha224.{YARN_4}", f"pnpm@12.21.0+sha512.{PNPM_12}"):
        project = pinning(field, tmp_path / field[:4])
        (lock,) = [p for p in project.iterdir() if p.name in ("yarn.lock", "pnpm-lock.yaml")]
        bundle = tmp_path / f"{field[:4]}.tar.zst"
        pack(real_cli, project, "-o", bundle)
        real_cli.ok("verify", bundle, "--lockfile", lock)


def test_it_can_be_left_out(real_cli: Cli, bundles: Path, tmp_path: Path) -> None:
    project = pinning("pnpm@10.34.5", tmp_path / "project")
    pack(real_cli, project, "--pnpm-package-manager", "no", "-o", bundles / "deps.tar.zst")
    prefix = extract(bundles / "deps.tar.zst", tmp_path / "deps")
    assert not (prefix / "corepack").exists()
    assert "COREPACK" not in (prefix / "vendorpack.env").read_text()

"""Finding lockfiles, and the key that names them."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from tests.formats.samples import SAMPLES
from vendorpack.discover import discover
from vendorpack.errors import DiscoveryError, UsageError
from vendorpack.formats import BUILTIN, UNLOCKED, Room
from vendorpack.key import Keyed, compute_key
from vendorpack.model import Options, Target
from vendorpack.project import Host
from vendorpack.target import this_machine

HOST = Host({}, Path("/nonexistent"), "linux")
LINUX = Target("linux", "x86_64", "gnu")


def lock(folder: Path, name: str = "package-lock.json", **more: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    value = {"name": "x", "lockfileVersion": 3, "packages": {"": {"name": "x"}}, **more}
    path.write_text(json.dumps(value, indent=2))
    return path


def names(*paths: Path, recursive: bool = False, format_name: str | None = None) -> list[str]:
    found = discover(paths, recursive=recursive, host=HOST, format_name=format_name)
    return [f"{f.room.name}:{f.project.lockfile}" for f in found]


def key(*paths: Path, recursive: bool = False, targets: tuple[Target, ...] = (LINUX,)) -> Keyed:
    found = discover(paths, recursive=recursive, host=HOST)
    return compute_key([replace(one, options=Options(targets=targets)) for one in found])


def test_a_folder_and_a_file_mean_the_same(tmp_path: Path) -> None:
    path = lock(tmp_path)
    assert names(tmp_path) == names(path) == ["npm:package-lock.json"]
    assert key(tmp_path) == key(path)


def test_the_first_of_a_format_wins_as_it_does_for_the_client(tmp_path: Path) -> None:
    lock(tmp_path)
    lock(tmp_path, "npm-shrinkwrap.json")
    assert names(tmp_path) == ["npm:npm-shrinkwrap.json"]


def test_others_of_a_format_are_mentioned(tmp_path: Path) -> None:
    for name in ("requirements.txt", "requirements-dev.txt", "package-lock.json"):
        (tmp_path / name).touch()
    (tmp_path / "npm-shrinkwrap.json").touch()  # which npm, too, takes for the other one
    found = discover([tmp_path], recursive=False, host=HOST)
    assert [one.passed_over for one in found] == [(), ("requirements-dev.txt",)]
    both = [tmp_path, tmp_path / "requirements-dev.txt"]
    assert [one.passed_over for one in discover(both, recursive=False, host=HOST)] == [(), (), ()]


def test_two_clients_for_one_project_are_refused(tmp_path: Path) -> None:
    lock(tmp_path)
    (tmp_path / "yarn.lock").write_text("# yarn lockfile v1\n")
    with pytest.raises(DiscoveryError, match=r"package-lock.json and yarn.lock") as error:
        names(tmp_path)
    assert error.value.fix is not None and str(tmp_path / "package-lock.json") in error.value.fix
    assert names(tmp_path / "package-lock.json") == ["npm:package-lock.json"]


def test_recursive_leaves_installed_packages_alone(tmp_path: Path) -> None:
    for folder in (".", "web", "web/node_modules/x", ".hidden", "b/vendor/c"):
        lock(tmp_path / folder)
    assert names(tmp_path, recursive=True) == [
        "npm:package-lock.json",
        "npm:web/package-lock.json",
    ]


def test_paths_do_not_depend_on_where_we_stand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock(tmp_path / "a/web")
    lock(tmp_path / "a/api")
    keys = set()
    for where, paths in (
        (tmp_path, ["a/web", "a/api"]),
        (tmp_path / "a", ["api/package-lock.json", "web"]),
        (tmp_path / "a/web", [".", "../api"]),
    ):
        monkeypatch.chdir(where)
        keys.add(key(*map(Path, paths)).key)
    monkeypatch.chdir(tmp_path)
    keys.add(key(tmp_path, recursive=True).key)
    assert len(keys) == 1


@pytest.mark.parametrize("what", ["missing", "empty", "unknown"])
def test_nothing_found(tmp_path: Path, what: str) -> None:
    path = {"missing": tmp_path / "no", "empty": tmp_path, "unknown": tmp_path / "x.txt"}[what]
    (tmp_path / "x.txt").write_text("")
    with pytest.raises(DiscoveryError) as error:
        names(path)
    assert error.value.where is not None
    if what != "missing":
        assert error.value.fix is not None and "npm" in error.value.fix


def test_format_says_what_a_file_is(tmp_path: Path) -> None:
    path = lock(tmp_path, "frozen.json")
    assert names(path, format_name="npm") == ["npm:frozen.json"]
    with pytest.raises(UsageError, match="no format is named 'nonsense'"):
        names(path, format_name="nonsense")


def test_of_a_folder_format_takes_that_one_only(tmp_path: Path) -> None:
    lock(tmp_path)
    (tmp_path / "yarn.lock").write_text("# yarn lockfile v1\n")
    lock(tmp_path / "web")
    assert names(tmp_path, format_name="yarn-classic") == ["yarn-classic:yarn.lock"]
    assert names(tmp_path, format_name="npm", recursive=True) == [
        "npm:package-lock.json",
        "npm:web/package-lock.json",
    ]
    with pytest.raises(DiscoveryError, match="no lockfile of cargo found") as error:
        names(tmp_path, format_name="cargo")
    assert error.value.fix == "Looked for Cargo.lock. Name one, or search with --recursive."


def test_a_lockfile_of_one_branch(tmp_path: Path) -> None:
    """What pnpm writes with `gitBranchLockfile`."""
    (tmp_path / "pnpm-lock.feature.yaml").touch()
    assert meant(tmp_path) == ("pnpm-lock.feature.yaml", (), ())
    (tmp_path / "pnpm-lock.yaml").touch()
    assert meant(tmp_path) == ("pnpm-lock.yaml", ("pnpm-lock.feature.yaml",), ())


HASHED = "six==1.17.0 --hash=sha256:" + "0" * 64 + "\n"


def meant(folder: Path) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """The one lockfile that a folder holds, what was passed over and what set aside."""
    (found,) = discover([folder], recursive=False, host=HOST)
    return found.project.lockfile.name, found.passed_over, found.set_aside


@pytest.mark.parametrize("lockfile", ["uv.lock", "poetry.lock", "Pipfile.lock", "pdm.lock"])
def test_requirements_without_hashes_are_no_lockfile_beside_one(
    tmp_path: Path, lockfile: str
) -> None:
    (tmp_path / lockfile).touch()
    (tmp_path / "requirements.txt").write_text("# --hash= is for others\nsix==1.17.0\n")
    aside = ("requirements.txt (nothing in it has a hash)",)
    assert meant(tmp_path) == (lockfile, (), aside)
    assert names(tmp_path / "requirements.txt") == ["pip:requirements.txt"]


def test_requirements_without_hashes_are_no_lockfile_beside_others(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("six\n")
    assert meant(tmp_path) == ("requirements.txt", (), ())
    (tmp_path / "requirements_lock.txt").write_text(HASHED)
    aside = ("requirements.txt (nothing in it has a hash)",)
    assert meant(tmp_path) == ("requirements_lock.txt", (), aside)
    (tmp_path / "requirements.txt").write_text(HASHED)
    assert meant(tmp_path) == ("requirements.txt", ("requirements_lock.txt",), ())


def test_requirements_with_hashes_are_one(tmp_path: Path) -> None:
    (tmp_path / "uv.lock").touch()
    (tmp_path / "requirements.txt").write_text(HASHED)
    with pytest.raises(DiscoveryError, match=r"uv.lock and requirements.txt"):
        meant(tmp_path)


YARN1 = "# yarn lockfile v1\n"
BERRY = "__metadata:\n  version: 8\n"


@pytest.mark.parametrize(
    ("manifest", "lockfile"),
    [
        ({"packageManager": "npm@10.8.2"}, "package-lock.json"),
        ({"packageManager": "pnpm@10.1.0+sha512.00"}, "pnpm-lock.yaml"),
        ({"packageManager": "yarn@1.22.22"}, "yarn.lock"),
        ({"packageManager": "bun@1.2.3"}, "bun.lock"),
        ({"devEngines": {"packageManager": {"name": "pnpm"}}}, "pnpm-lock.yaml"),
        ({"devEngines": {"packageManager": [{"name": "yarn", "version": "1"}]}}, "yarn.lock"),
        (
            {"packageManager": "npm@11", "devEngines": {"packageManager": {"name": "pnpm"}}},
            "package-lock.json",
        ),
    ],
)
@pytest.mark.parametrize("yarn", [YARN1, BERRY])
def test_the_project_says_which_client_it_is_for(
    tmp_path: Path, manifest: dict[str, object], lockfile: str, yarn: str
) -> None:
    lock(tmp_path)
    (tmp_path / "yarn.lock").write_text(yarn)
    (tmp_path / "pnpm-lock.yaml").touch()
    (tmp_path / "bun.lock").touch()
    (tmp_path / "package.json").write_text(json.dumps(manifest))
    name, passed_over, aside = meant(tmp_path)
    assert (name, passed_over, len(aside)) == (lockfile, (), 3)
    assert all("ackageManager in package.json is " in one for one in aside)


@pytest.mark.parametrize(
    "manifest",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        b"[" * 100_000,
        b'{"packageManager": "cnpm@9"}',
        b'{"packageManager": 3}',
        b'{"packageManager": "@9"}',
        b'{"devEngines": {"packageManager": [{"name": "npm"}, {"name": "yarn"}]}}',
        b'{"devEngines": {"packageManager": {"name": ["npm"]}}}',
        b'{"devEngines": []}',
    ],
)
def test_a_manifest_that_decides_nothing(tmp_path: Path, manifest: bytes) -> None:
    lock(tmp_path)
    (tmp_path / "yarn.lock").write_text(YARN1)
    (tmp_path / "package.json").write_bytes(manifest)
    with pytest.raises(DiscoveryError, match="two lockfiles"):
        names(tmp_path)


def test_the_question_has_the_command_for_each_answer(tmp_path: Path) -> None:
    folder = tmp_path / "my project"
    lock(folder)
    for name in ("pnpm-lock.yaml", "bun.lock"):
        (folder / name).touch()
    with pytest.raises(DiscoveryError, match="three lockfiles for one project") as error:
        discover([folder], recursive=False, host=HOST, command="vendorpack pack")
    assert error.value.fix is not None
    commands = [shlex.split(line) for line in error.value.fix.splitlines()[1:]]
    assert [command[:2] for command in commands] == [["vendorpack", "pack"]] * 3
    for command in commands:
        assert names(Path(command[2]))
    with pytest.raises(DiscoveryError) as error:
        discover([tmp_path], recursive=True, host=HOST, command="vendorpack key")
    assert error.value.fix is not None
    answer = shlex.split(error.value.fix.splitlines()[2])
    assert answer[:3] == ["vendorpack", "key", "--recursive"]
    # What was named decides in its folder, and all others are still found.
    lock(tmp_path / "other")
    assert names(*map(Path, answer[3:]), recursive=True) == [
        "pnpm:my project/pnpm-lock.yaml",
        "npm:other/package-lock.json",
    ]


@pytest.mark.parametrize(
    ("seen", "advice"),
    [
        ("package.json", "package.json is locked by `npm install --package-lock-only`"),
        ("Cargo.toml", "Cargo.toml is locked by `cargo generate-lockfile`"),
        ("build.sbt", "build.sbt is of sbt, which is not supported yet"),
        ("App.csproj", "App.csproj is of NuGet, which is not supported yet"),
    ],
)
def test_what_is_there_in_place_of_a_lockfile_is_named(
    tmp_path: Path, seen: str, advice: str
) -> None:
    (tmp_path / seen).touch()
    for path in (tmp_path, tmp_path / seen):
        with pytest.raises(DiscoveryError) as error:
            names(path)
        assert error.value.fix is not None and error.value.fix.startswith(advice)


def test_everywhere_below_is_everywhere(tmp_path: Path) -> None:
    (tmp_path / "server").mkdir()
    (tmp_path / "server/build.sbt").touch()
    with pytest.raises(DiscoveryError) as error:
        names(tmp_path, recursive=True)
    advice, looked_for = (error.value.fix or "").splitlines()
    assert advice == "build.sbt is of sbt, which is not supported yet."
    assert looked_for.endswith("in all folders below.") and "--recursive" not in looked_for


def test_lockfiles_below_are_named(tmp_path: Path) -> None:
    lock(tmp_path / "web")
    lock(tmp_path / "node_modules" / "x")
    with pytest.raises(DiscoveryError) as error:
        names(tmp_path)
    assert error.value.fix == "Below it there is web/package-lock.json: use --recursive."


def test_what_is_told_of_other_files_is_not_about_lockfiles() -> None:
    patterns = [pattern for room in BUILTIN for pattern in room.lockfiles]
    for one in UNLOCKED:
        assert not any(fnmatchcase(one.pattern, pattern) for pattern in patterns), one.pattern


def test_a_manifest_stands_in_where_nothing_else_is_found(tmp_path: Path) -> None:
    app, below = tmp_path / "app", tmp_path / "app/below"
    below.mkdir(parents=True)
    for folder in (app, below):
        (folder / "go.mod").write_text("module x\n")
    assert names(app) == names(app / "go.mod") == ["gomod:go.mod"]
    assert names(app, recursive=True) == ["gomod:go.mod"]
    assert names(app, below, format_name="gomod") == ["gomod:below/go.mod", "gomod:go.mod"]
    with pytest.raises(DiscoveryError):
        names(app, format_name="npm")
    (below / "go.sum").touch()
    assert names(app, recursive=True) == ["gomod:go.sum"]
    lock(app)
    assert names(app) == ["npm:package-lock.json"]
    assert names(app, app / "go.mod") == ["gomod:go.mod", "npm:package-lock.json"]


def test_gemfiles_of_other_names(tmp_path: Path) -> None:
    for name in ("Gemfile.lock", "Gemfile.next.lock", "rails_8.gemfile.lock"):
        (tmp_path / name).touch()
        assert names(tmp_path / name) == [f"bundler:{name}"]
    (found,) = discover([tmp_path], recursive=False, host=HOST)
    assert str(found.project.lockfile) == "Gemfile.lock"
    assert found.passed_over == ("Gemfile.next.lock", "rails_8.gemfile.lock")


def test_a_lockfile_named_after_the_gemfile_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "rails_8.lock"
    path.touch()
    with pytest.raises(DiscoveryError, match="by its name"):
        names(path)
    (tmp_path / "rails_8").touch()
    assert names(path) == ["bundler:rails_8.lock"]
    with pytest.raises(DiscoveryError):  # only where it is named
        names(tmp_path)


def test_a_link_is_read_where_it_stands(tmp_path: Path) -> None:
    real = lock(tmp_path / "elsewhere", "real.json")
    (tmp_path / "package-lock.json").symlink_to(real)
    assert names(tmp_path) == ["npm:package-lock.json"]


def test_what_is_in_the_key(tmp_path: Path) -> None:
    path = lock(tmp_path)
    first = key(tmp_path)
    assert len(first.key) == 64 and first.pinned[0].path == "package-lock.json"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert key(tmp_path).key == first.key
    assert key(tmp_path, targets=(Target("macos", "aarch64"),)).key != first.key
    assert key(tmp_path, targets=()).key != first.key
    lock(tmp_path, license="MIT")
    assert key(tmp_path).key != first.key


JAVASCRIPT = [room for room in BUILTIN if room.family == "javascript"]


@pytest.mark.parametrize("room", JAVASCRIPT, ids=lambda room: room.name)
def test_the_start_path_is_light(room: Room, tmp_path: Path) -> None:
    """`key` runs in every CI job: no HTTP client, no event loop, no zstandard, no progress bar.

    Of the room only what its fingerprint takes: nothing that lays out, opens archives or knows git.
    """
    sample = SAMPLES[room.name]
    for name, content in sample.files.items():
        (tmp_path / name).write_bytes(content)
    lockfile = tmp_path / sample.lockfile
    code = (
        "import sys; from vendorpack.cli import app\n"
        f"try: app(['key', {str(lockfile)!r}])\n"
        "except SystemExit as e: assert not e.code, e.code\n"
        "print(*sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    printed, loaded = done.stdout.splitlines()
    assert printed == key(lockfile, targets=(this_machine(),)).key
    modules = set(loaded.split())
    assert not modules & {"aiohttp", "asyncio", "zstandard", "tqdm", "tomlkit", "packaging"}
    assert not modules & {"gzip", "tarfile", "zipfile", "zlib_ng", "sqlite3"}
    assert "yaml" not in modules or room.name == "yarn-berry"  # its configuration is YAML
    commands = "app completion groups guard key options project_file selection surroundings"
    assert {m for m in modules if m.startswith("vendorpack.cli.")} == {
        f"vendorpack.cli.{name}" for name in commands.split()
    }
    ours = {m.removeprefix("vendorpack.formats.") for m in modules if ".formats." in m}
    own = room.module.rpartition(".")[2]
    assert {m.partition(".")[0] for m in ours} == {own, "_shared"}
    assert not {part for m in ours for part in m.split(".")} & {"layout", "archives", "git"}

"""Finding lockfiles, and the key that names them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from vendorpack.discover import discover
from vendorpack.errors import DiscoveryError
from vendorpack.key import Keyed, compute_key
from vendorpack.model import Host, Options, Target
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
    return compute_key(found, Options(targets=targets))


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
    with pytest.raises(DiscoveryError):
        names(path, format_name="nonsense")


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


def test_the_start_path_is_light(tmp_path: Path) -> None:
    """`key` runs in every CI job: no HTTP client, no zstandard, no progress bar."""
    lock(tmp_path)
    code = (
        "import sys; from vendorpack.cli import app\n"
        f"try: app(['key', {str(tmp_path)!r}])\n"
        "except SystemExit as e: assert not e.code, e.code\n"
        "heavy = {'aiohttp', 'zstandard', 'tqdm', 'yaml', 'tomlkit', 'packaging', 'rich'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
        "print(sorted(m for m in sys.modules if m.startswith('vendorpack.formats.')))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    printed, heavy, rooms = done.stdout.splitlines()
    assert (
        printed
        == compute_key(
            discover([tmp_path], recursive=False, host=HOST), Options(targets=(this_machine(),))
        ).key
    )
    assert heavy == "[]"
    assert "vendorpack.formats.npm" in rooms
    assert not any(name in rooms for name in ("yarn", "pnpm", "uv", "cargo"))

"""Small repositories of five ecosystems that share most of what they depend on."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tests.world.cargo import CargoRegistry, CrateDownloads
from tests.world.crates import crate, package
from tests.world.distributions import installable_wheel, sha256
from tests.world.gems import GemSource, Release, gem_file, lock_text
from tests.world.go import GoProxy
from tests.world.npm import NpmRegistry
from tests.world.pypi import PypiIndex
from tests.world.site import bearer
from tests.world.world import World

TOKEN = "canary-token"
_ARTIFACTS = (".tgz", ".whl", ".crate", ".mod", ".zip", ".gem")


class Repositories:
    """Writes them below `folder`; one site has all that they name.

    environ: what a machine needs to pack them: the authority, the proxy of Go, and npm's token,
    of which the repositories have the variable's name.
    """

    def __init__(self, world: World, folder: Path) -> None:
        self.folder = folder
        self.site = world.site(tls=True)
        self._npm = self.site.mount("npm", NpmRegistry(), login=bearer(TOKEN))
        self._pypi = self.site.mount("pypi", PypiIndex())
        downloads = self.site.mount("dl", CrateDownloads())
        self._cargo = self.site.mount("index", CargoRegistry(downloads))
        self._go = self.site.mount("go", GoProxy())
        self._gems = self.site.mount("gems", GemSource())
        self._host = self.site.url.removeprefix("https://")
        self.environ = {**world.environ, "GOPROXY": self._go.url, "NPM_TOKEN": TOKEN}

    def write(self, number: int, version: str = "1.0.0") -> Path:
        """One repository: of its own kind, with what all have, some have, and it alone."""
        names = ("common", f"shared{number % 7}", f"own{number}")
        releases = dict(zip(names, ("1.0.0", "1.0.0", version), strict=True))
        folder = self.folder / f"team{number % 3}" / f"repository{number}"
        (folder / ".git").mkdir(parents=True, exist_ok=True)
        kinds = (self._of_npm, self._of_pip, self._of_cargo, self._of_go, self._of_bundler)
        kinds[number % 5](folder, releases)
        return folder

    def fetched(self) -> Counter[str]:
        """How often each artifact was asked for."""
        return Counter(path for path in self.site.paths if path.endswith(_ARTIFACTS))

    def _of_npm(self, folder: Path, releases: dict[str, str]) -> None:
        self._npm.lock(folder, releases)
        with (folder / ".npmrc").open("a") as file:
            file.write(f"//{self._host}/npm/:_authToken=${{NPM_TOKEN}}\n")

    def _of_pip(self, folder: Path, releases: dict[str, str]) -> None:
        lines = [f"--index-url {self._pypi.simple}"]
        for name, version in releases.items():
            filename = f"{name}-{version}-py3-none-any.whl"
            code = {f"{name}.py": f"VERSION = {version!r}\n".encode()}
            data = self._pypi.files.get(filename) or self._pypi.publish(
                filename, installable_wheel(name, version, code)
            )
            lines.append(f"{name}=={version} --hash=sha256:{sha256(data)}")
        (folder / "base.txt").write_text("\n".join([*lines, ""]))
        (folder / "requirements.txt").write_text("-r base.txt\n")
        self._let_in(folder)

    def _of_cargo(self, folder: Path, releases: dict[str, str]) -> None:
        tables = ["version = 3\n"]
        for name, version in releases.items():
            data = self._cargo.publish(name, version, crate(name, version))
            tables.append(package(name, version, self._cargo.source, data))
        (folder / "Cargo.lock").write_text("\n".join([*tables, package("app", "0.1.0", None)]))
        (folder / ".cargo").mkdir(exist_ok=True)
        (folder / ".cargo/config.toml").write_text(
            f'[registries.own]\nindex = "{self._cargo.source}"\n'
        )

    def _of_go(self, folder: Path, releases: dict[str, str]) -> None:
        sums, required = "", ""
        for name, version in releases.items():
            module, tag = f"own.example/{name}", f"v{version}"
            files = {
                "go.mod": f"module {module}\n\ngo 1.20\n".encode(),
                "code.go": f"package {name}\n".encode(),
            }
            sums += self._go.publish(module, tag, files)
            required += f"require {module} {tag}\n"
        (folder / "go.mod").write_text(f"module app\n\ngo 1.20\n\n{required}")
        (folder / "go.sum").write_text(sums)

    def _of_bundler(self, folder: Path, releases: dict[str, str]) -> None:
        gems = [Release(n, version, gem_file(n, version)) for n, version in releases.items()]
        self._gems.releases += [gem for gem in gems if gem not in self._gems.releases]
        (folder / "Gemfile.lock").write_text(lock_text({f"{self._gems.url}/": gems}))
        self._let_in(folder)

    def _let_in(self, folder: Path) -> None:
        """A lockfile grants no host; the project's own file does."""
        (folder / "vendorpack.toml").write_text(f'allow-host = ["{self._host}"]\n')

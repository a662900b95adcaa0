"""What packages' install scripts fetch, as far as the packages themselves say it.

A script is a few words of shell, so this is reading signs: tools that are known for what they
fetch (node-gyp, prebuild-install, node-pre-gyp), a list of checksums beside the script, the
platform packages that take a download's place. Names and hashes come from the package, never from a
list here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final

from vendorpack.digest import Digest, DigestError, Integrity
from vendorpack.errors import UnsupportedError
from vendorpack.formats._shared.archives.opened import Opening
from vendorpack.formats._shared.archives.package_files import Files
from vendorpack.formats._shared.browsers import playwright
from vendorpack.formats._shared.npm.allowed import Runs
from vendorpack.formats._shared.npm.harmless import is_harmless
from vendorpack.formats._shared.npm.manifests import json_object, mapping_in
from vendorpack.formats._shared.npm.npmrc import load_npmrc
from vendorpack.formats._shared.npm.package import package_files
from vendorpack.formats._shared.npm.prebuilt import ABI_PACKAGE, prebuilt
from vendorpack.formats._shared.npm.puppeteer import PUPPETEER, of_puppeteer
from vendorpack.formats._shared.npm.registry import DOWNLOADERS, node_platform
from vendorpack.model import Need, Options, Packed, Target, Wanted
from vendorpack.project import Project
from vendorpack.room import Keep, Workshop

_SCRIPTS: Final = ("preinstall", "install", "postinstall")
_SCRIPT_FORM: Final = "npm-install-script-1"
_IMPLIED: Final = "node-gyp rebuild"
"""What runs for a package with a binding.gyp that has neither preinstall nor install, unless its
`gypfile` is false."""
_BUILDS: Final = re.compile(r"node-gyp|node-pre-gyp|prebuild-install|cmake-js")
_COMPILES: Final = re.compile(r"node-gyp (?:re)?build|prebuild-install|node-pre-gyp|cmake-js")
"""What does so though there are packages of platforms."""
_PLATFORM: Final = re.compile(r"linux|darwin|win32")
_FETCHES: Final = re.compile(r"node-pre-gyp|prebuild-install|install-from-cache|\b(?:curl|wget)\b")
DEFAULT_HEADERS: Final = "https://nodejs.org/download/release"
"""Where node-gyp takes headers from unless `disturl` is configured."""

_RELEASES: Final = re.compile(r"github\.com[/:]([\w.-]+/[\w.-]+?)(?:\.git)?$|^([\w-]+/[\w.-]+)$")
_VERSION: Final = re.compile(r"v?(\d+\.\d+\.\d+)")
_SHOWN: Final = 80


def needs(
    packed: Sequence[Packed],
    read: Callable[[Packed], Files],
    project: Project,
    options: Options,
    *,
    runs: Runs,
    otherwise: str,
    scripted: Callable[[Packed], Files] | None = None,
) -> list[Need]:
    """What the scripts of these packages need, and what a command downloads that comes with them.

    read: a package's files. runs: whether the project lets a package's scripts run. otherwise: what
    runs no script. scripted: a package's files, if it has a script; where that costs less than
    `read`.
    """
    return [
        *_script_needs(packed, scripted or read, project, options, read, runs, otherwise),
        *(
            need
            for one in packed
            if one.artifact.name == playwright.CORE
            for need in playwright.needs(one.artifact, read(one), options.targets)
        ),
    ]


def needs_of_tarballs(
    packed: Sequence[Packed],
    workshop: Workshop,
    project: Project,
    options: Options,
    *,
    runs: Runs,
    otherwise: str,
    has_script: Callable[[Packed], bool] = lambda packed: True,
) -> list[Need]:
    """`needs` where the room opens no tarball. has_script: False where the lockfile says so."""

    def scripted(one: Packed) -> Files:
        return files_of_tarball(workshop, one) if has_script(one) else {}

    read = partial(files_of_any_tarball, workshop)
    return needs(packed, read, project, options, runs=runs, otherwise=otherwise, scripted=scripted)


def _script_needs(
    packed: Sequence[Packed],
    files_of: Callable[[Packed], Files],
    project: Project,
    options: Options,
    read: Callable[[Packed], Files],
    runs: Runs,
    otherwise: str,
) -> Iterator[Need]:
    nodes = node_versions(project.read, options)
    base = load_npmrc(project).get("disturl") or DEFAULT_HEADERS
    names = {one.artifact.name: one for one in packed}

    def beside(name: str) -> Files:
        return read(names[name]) if name in names else {}

    for one in packed:
        files = files_of(one) if runs(one.artifact) else {}
        manifest = _json(files, "package.json")
        script = install_script(files)
        if not script:
            continue
        label = str(one.artifact)
        name = str(manifest.get("name", one.artifact.name))
        stop = DOWNLOADERS.get(name)
        remedy = f"{stop[0]} or {otherwise}" if stop else otherwise

        def need(
            *wanted: Wanted, label: str = label, where: str = one.artifact.where,
            script: str = script, remedy: str = remedy, is_sure: bool = True,
        ) -> Need:  # fmt: skip
            shown = script if len(script) <= _SHOWN else f"{script[:_SHOWN]}…"
            return Need(label, shown, where, wanted, remedy, is_sure)

        if name == PUPPETEER[0]:
            browsers = [*of_puppeteer(beside(PUPPETEER[1]), beside(PUPPETEER[2]), options.targets)]
            yield from map(need, browsers)
            if browsers:
                continue
        listed = tuple(_listed(files, manifest, options.targets))
        if listed:
            yield need(*listed)
            continue
        libvips = tuple(_libvips(manifest, options.targets))
        yield from map(need, libvips)
        if _has_prebuilds(files, script):
            continue
        if _has_platform_package(manifest, names) and not _COMPILES.search(script):
            continue
        if _BUILDS.search(script):
            any_release = Wanted(f"{_module(manifest)}-v{one.artifact.version}-*.tar.gz")
            releases = _releases(manifest)
            for node in nodes or (None,):
                asked = () if node is None else (node,)
                ready = prebuilt(
                    manifest, script, releases, options.targets, asked, beside(ABI_PACKAGE)
                )
                yield need(_headers(node, base), *ready, any_release)
        elif _FETCHES.search(script):
            yield need()
        elif stop:
            yield need(Wanted(stop[1]))
        elif not libvips and not is_harmless(script, files):
            yield need(is_sure=False)


def install_script(files: Files) -> str:
    """What runs when a package is installed, in one line; empty if nothing does."""
    manifest = _json(files, "package.json")
    scripts = mapping_in(manifest, "scripts")
    words = [str(scripts[name]) for name in _SCRIPTS if scripts.get(name)]
    own = scripts.get("preinstall") or scripts.get("install")
    if "binding.gyp" in files and not own and manifest.get("gypfile") is not False:
        words.insert(0, _IMPLIED)
    return " && ".join(words)


def files_of_tarball(workshop: Workshop, packed: Packed) -> Files:
    """The files of a tarball that its room does not open, if its package has install scripts.

    Whether it has some is kept in the store (`keep_install_script`), so that the others are read
    once. What is no proper package has none: its client will tell.
    """
    label = str(packed.artifact)
    script = workshop.derived(_SCRIPT_FORM, packed.blob, lambda archive: _script(archive, label))
    return _files(workshop.read(packed.blob), label) if script.size else {}


def files_of_any_tarball(workshop: Workshop, packed: Packed) -> Files:
    """The files of a tarball, whether its package has scripts or not."""
    return _files(workshop.read(packed.blob), str(packed.artifact))


def keep_install_script(archive: bytes, label: str, keep: Keep) -> None:
    """Keep what `files_of_tarball` asks first, in the reading that follows the download."""
    keep(_SCRIPT_FORM, (_script(archive, label),))


def _script(archive: bytes, label: str) -> bytes:
    return install_script(_files(archive, label)).encode("utf-8", "replace")


def _files(archive: bytes, label: str) -> Files:
    try:
        found = package_files(archive, label)
    except UnsupportedError:
        return {}
    return {path: partial(bytes, file.data) for path, file in found.items()}


def files_of_opened(opening: Opening, workshop: Workshop, packed: Packed) -> Files:
    """The files of a tarball that its room opens."""
    opened = opening.open(packed.blob, workshop, str(packed.artifact))
    return {row.path: partial(workshop.read, opened.slice(row)) for row in opened.rows}


def _headers(node: str | None, base: str) -> Wanted:
    """Node's headers, of a version or of any."""
    if node is None:
        return Wanted("node-v*-headers.tar.gz")
    file = f"node-v{node}-headers.tar.gz"
    return Wanted(file, f"{base.rstrip('/')}/v{node}/{file}")


def node_versions(read: Callable[[str], bytes | None], options: Options) -> tuple[str, ...]:
    """Versions of Node: of the targets (`…-node24.19.0`), else what the project itself names.

    That is .nvmrc, .node-version, or `engines.node` of package.json, if it is one whole version.
    """
    asked = {t.runtime("node") for t in options.targets} - {None}
    if asked:
        return tuple(sorted(filter(None, asked)))
    manifest = json_object(read("package.json"))
    named = [read(".nvmrc"), read(".node-version")]
    named.append(str(mapping_in(manifest, "engines").get("node", "")).encode("utf-8", "replace"))
    for text in named:
        match = _VERSION.fullmatch((text or b"").decode("utf-8", "replace").strip())
        if match is not None:
            return (match[1],)
    return ()


def _listed(
    files: Files, manifest: Mapping[str, Any], targets: Sequence[Target]
) -> Iterator[Wanted]:
    """Archives of the targets in a package's checksums.json, whose names begin as its release's."""
    checksums = _json(files, "checksums.json")
    version = str(manifest.get("version"))
    release = f"{manifest.get('name')}-v{version}-"
    base = _releases(manifest)
    for target in targets:
        file = f"{release}{'-'.join(node_platform(target))}.zip"
        try:
            integrity = Integrity.of([Digest.from_hex("sha256", str(checksums[file]))])
        except (KeyError, DigestError):
            continue
        yield Wanted(file, f"{base}/v{version}/{file}" if base else None, integrity)


def _libvips(manifest: Mapping[str, Any], targets: Sequence[Target]) -> Iterator[Wanted]:
    """The archives of `config.libvips`, with the hashes that `config.integrity` has."""
    config = mapping_in(manifest, "config")
    version, hashes = config.get("libvips"), mapping_in(config, "integrity")
    base = (_releases(manifest) or "").removesuffix("/releases/download")
    for target in targets:
        platform = "-".join(node_platform(target))
        try:
            integrity = Integrity.parse_sri(str(hashes[platform]))
        except (KeyError, DigestError):
            continue
        file = f"libvips-{version}-{platform}.tar.br"
        url = f"{base}-libvips/releases/download/v{version}/{file}" if base else None
        yield Wanted(file, url, integrity)


def _module(manifest: Mapping[str, Any]) -> str:
    """How the names of a package's prebuilt addons begin."""
    module = mapping_in(manifest, "binary").get("module_name")
    return str(module or manifest.get("name", "")).rpartition("/")[2]


def _has_prebuilds(files: Files, script: str) -> bool:
    """Whether addons lie in the package itself, where node-gyp-build looks first."""
    return "node-gyp-build" in script and any(path.startswith("prebuilds/") for path in files)


def _has_platform_package(manifest: Mapping[str, Any], packed: Container[str]) -> bool:
    """Whether an optional package for a platform is packed, which takes the download's place."""
    optional = mapping_in(manifest, "optionalDependencies")
    return any(name in packed and _PLATFORM.search(name) for name in optional)


def _releases(manifest: Mapping[str, Any]) -> str | None:
    """Where the package's repository has the files of its releases, if that is on GitHub."""
    repository = manifest.get("repository")
    text = repository.get("url") if isinstance(repository, dict) else repository
    match = _RELEASES.search(text.removeprefix("github:")) if isinstance(text, str) else None
    return f"https://github.com/{match[1] or match[2]}/releases/download" if match else None


def _json(files: Files, path: str) -> Mapping[str, Any]:
    return json_object(files[path]() if path in files else None)

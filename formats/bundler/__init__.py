"""Bundler: `Gemfile.lock` to the folder of gems and the git repositories it installs from.

The bundle's environment points Bundler at both: `BUNDLE_CACHE_PATH`, and for git gems
`BUNDLE_USER_CACHE` with `BUNDLE_GLOBAL_GEM_CACHE`. `BUNDLE_FROZEN` is part of it: without it,
Bundler updates the folder of gems after it has installed, and 4.0 the lockfile. At the target:

- `--local` keeps Bundler from asking a source. A plain `bundle install` does not ask either, as
  long as nothing is left to resolve (seen with 2.3, 2.6 and 4.0).
- A project's own `.bundle/config` wins over the environment: one that sets `cache_path` or
  `global_gem_cache` hides the bundle. Packing warns of it.
- A Bundler of another version than the lockfile's `BUNDLED WITH` looks for that version on the
  network first, says that it could not be had, and goes on. `BUNDLER_VERSION` set to the
  version that is installed keeps it from looking.
- Submodules (`submodules: true`) are asked for by git, under their addresses: it is led into the
  bundle. Relative addresses count from Bundler's cache before Bundler 4, which finds nothing there,
  with a network neither.
- Git gems need git, as ever, and git reads no repository of another user's: unpack as the user
  who installs, or tell git with `safe.directory`.

What goes in: for each gem, the variants whose platform fits a target, and always the one for
`ruby`, if it is locked: it is what Bundler falls back to where the native gem does not support
the Ruby there is, or `force_ruby_platform` is set. Path gems are the project's own. Groups are
not told apart: a lockfile does not have them.

A gem that a target has to compile may be written in Rust: the crates that its own Cargo.lock
names are packed with it, and cargo finds them by `CARGO_HOME`.

Hashes are the lockfile's `CHECKSUMS`; where it has none, the compact index of the source gives
them, and the manifest says so. Bundler itself checks neither, unless it is 2.6 or newer and
there are `CHECKSUMS`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from vendorpack.demands import Client, Contents, Demand, Tool, Trap
from vendorpack.errors import UnsupportedError, UsageError
from vendorpack.formats._shared.git.repository import derive_commit
from vendorpack.formats._shared.git.submodule_sources import ALLOWED_PROTOCOLS, new_submodules
from vendorpack.formats.bundler.artifacts import (
    DEFAULT_SOURCE,
    Commit,
    Gem,
    Source,
    asked_addresses,
    commit_artifact,
    gem_artifact,
    git_url,
    source_of,
    submodule_artifact,
)
from vendorpack.formats.bundler.config import (
    LOCAL_CONFIG,
    Config,
    basic,
    origin_of,
    read_config,
    split_userinfo,
    user_cache,
)
from vendorpack.formats.bundler.index import locate
from vendorpack.formats.bundler.layout import GEMS, SUBMODULES, USER, layout, repository_path
from vendorpack.formats.bundler.license import reader_of as license_reader
from vendorpack.formats.bundler.lockfile import RUBY, GemId, Lock, LockedGem, read_lock
from vendorpack.formats.bundler.platforms import fits, platform_of
from vendorpack.formats.bundler.requests import explain_output, explain_request
from vendorpack.formats.bundler.rust import LOCKFILE, lockfiles_of
from vendorpack.model import (
    Access,
    Artifact,
    Brought,
    Credential,
    Entry,
    Environment,
    Graph,
    InnerLockfile,
    Json,
    Lack,
    LicenseReader,
    Lockfile,
    Options,
    Packed,
    Target,
    Variable,
    Warning,
)
from vendorpack.project import Host, Project
from vendorpack.room import Format, Index, Workshop

_HIDING: Final = ("CACHE_PATH", "GLOBAL_GEM_CACHE")
_SHOWN: Final = 5
_BUNDLED_WITH: Final = "bundled-with"


class Bundler(Format):
    """Gems and git repositories of a `Gemfile.lock`."""

    name = "bundler"
    title = "Bundler"
    layout_version = 3
    command = "bundle install --local"
    inner_lockfiles = (LOCKFILE,)
    options = {
        _BUNDLED_WITH: "yes: also carry the Bundler that BUNDLED WITH names, as a gem among the "
        "others; install it with `gem install --local`",
    }

    def read(self, project: Project, options: Options) -> Lockfile:
        """Read `Gemfile.lock`; the configuration only says how to reach the sources."""
        path = project.where()
        lock = read_lock(project.lock_bytes(), path)
        config = read_config(project)
        servers = _Servers(config)
        compiled = _compiled(lock, options.targets)
        artifacts: list[Artifact] = []
        nodes: list[_Node] = []
        for gem in _chosen(lock, options.targets):
            where = project.where(gem.line)
            sources = tuple(servers.source(remote, where) for remote in gem.remotes)
            built = gem.id in compiled
            artifacts.append(gem_artifact(gem, sources, where, compiled=built))
            nodes.append(_Node((gem.id.name,), gem.needs, artifacts[-1].purl))
        if _carries_bundler(options):
            artifacts.append(_own_gem(lock, project, servers))
        for commit in lock.commits:
            where = project.where(commit.line)
            artifacts.append(commit_artifact(commit, where))
            nodes.append(_Node(commit.gems, commit.needs, artifacts[-1].purl))
            servers.repository(commit.remote, where)
        return Lockfile(
            path=path,
            format=self.name,
            artifacts=tuple(artifacts),
            graph=_graph(nodes, lock.direct),
            access=servers.access(),
            warnings=tuple(_warnings(lock, config, project, options.targets)),
        )

    def fingerprint(self, project: Project, options: Options) -> Mapping[str, Json]:
        """The platforms whose gems are chosen, of those that the lockfile has at all."""
        lock = read_lock(project.lock_bytes(), project.where())
        platforms = {gem.id.platform for gem in _chosen(lock, options.targets)}
        result: dict[str, Json] = {"platforms": list[Json](sorted(platforms - {RUBY}))}
        if _carries_bundler(options):
            result[_BUNDLED_WITH] = True
        return result

    def asks_for_hash(self, artifact: Artifact) -> bool:
        """Whether a server's index may have it."""
        return isinstance(artifact, Gem) and not artifact.integrity

    async def locate(self, lockfile: Lockfile, options: Options, index: Index) -> Lockfile:
        """Ask the compact index for the hashes that the lockfile lacks."""
        return await locate(lockfile, index)

    async def expand(
        self, lockfile: Lockfile, packed: Sequence[Packed], workshop: Workshop, index: Index
    ) -> Sequence[Brought]:
        """The lockfiles of gems that are compiled from Rust, and commits' submodules."""
        gems = [one for one in packed if isinstance(one.artifact, Gem) and one.artifact.compiled]

        def look(one: Packed) -> list[InnerLockfile | Warning]:
            assert isinstance(one.artifact, Gem)
            return list(lockfiles_of(one.artifact, one.blob, workshop))

        return [
            *itertools.chain.from_iterable(workshop.map(look, gems)),
            *new_submodules(packed, _with_submodules, submodule_artifact, workshop),
        ]

    def license(self, artifact: Artifact) -> LicenseReader | None:
        """What a gem's specification declares."""
        return license_reader(artifact)

    def derive(self, artifact: Artifact, algorithm: str, path: Path) -> bytes:
        """The commit that a pack file is."""
        if isinstance(artifact, Commit):
            return derive_commit(artifact, path)
        return super().derive(artifact, algorithm, path)

    def layout(self, packed: Sequence[Packed], workshop: Workshop) -> Iterator[Entry]:
        """See `vendorpack.formats.bundler.layout`."""
        return layout(packed, workshop)

    def is_place_of(self, path: str, name: str, version: str) -> bool:
        """Bundler takes a gem by its file name; a platform may follow the version."""
        rest = path.removeprefix(f"{GEMS}/{name}-{version}")
        return rest == ".gem" or (rest[:1] == "-" and path != rest)

    def environment(self, packed: Sequence[Packed]) -> Environment:
        """Where the gems are and, if there are any, the git repositories."""
        variables = [
            Variable("BUNDLE_CACHE_PATH", GEMS, is_path=True),
            Variable("BUNDLE_FROZEN", "true"),
        ]
        commits = [item.artifact for item in packed if isinstance(item.artifact, Commit)]
        if commits:
            variables.append(Variable("BUNDLE_GLOBAL_GEM_CACHE", "true"))
            variables.append(Variable("BUNDLE_USER_CACHE", USER, is_path=True))
        submodules = {
            address: repository_path(commit)
            for commit in commits
            if commit.is_submodule
            for address in asked_addresses(commit.remote)
        }
        if submodules:
            variables.append(ALLOWED_PROTOCOLS)
        return Environment(tuple(variables), tuple(sorted(submodules.items())))

    def explain_request(self, url: str) -> str | None:
        """Name what was asked for, if this client asks for it."""
        return explain_request(url)

    def explain_output(self, text: str) -> Sequence[Lack]:
        """Find what it lacks in the client's words."""
        return explain_output(text)

    def demands(self, contents: Contents) -> Sequence[Demand]:
        """Bundler, Ruby, perhaps a compiler, and a configuration that lets ours be."""
        return (
            Client(("bundle",), seen="2.3, 2.6, 4.0", otherwise="Install Ruby and Bundler."),
            Tool(
                ("cc", "gcc", "clang"),
                "gems with C code are built when they are installed",
                "If one has C code, install a compiler, make and Ruby's headers: gcc, ruby-dev.",
                is_sure=False,
            ),
            Trap(
                ".bundle/config",
                r"^BUNDLE_(CACHE_PATH|USER_CACHE|GLOBAL_GEM_CACHE|MIRROR__\S*)\s*:",
                "Bundler believes it before the environment",
                "Take the line out of .bundle/config for the offline install.",
            ),
        )

    def native_roots(self, host: Host) -> Mapping[str, Path]:
        """The user's cache. Bundler has no place for gems there that `--local` looks into."""
        cache = user_cache(host)
        return {GEMS: cache / "offline", USER: cache, SUBMODULES: cache / "submodules"}

    def merge(self, path: str, existing: bytes, ours: bytes) -> bytes:
        """A repository that is there keeps its settings and branches; commits are joined."""
        name = path.rpartition("/")[2]
        if name == "shallow":
            return b"".join(sorted({*existing.splitlines(True), *ours.splitlines(True)}))
        return existing if name in ("HEAD", "config", "master") else ours


def _with_submodules(artifact: Artifact) -> tuple[Commit, str] | None:
    """A commit whose submodules Bundler fetches, with the address that relative ones count from."""
    if isinstance(artifact, Commit) and artifact.has_submodules:
        return artifact, artifact.remote
    return None


class _Servers:
    """The sources and repositories that were met, and how to reach them."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._sources: dict[str, Source] = {}
        self._origins = {origin_of(DEFAULT_SOURCE)}
        self._credentials: set[Credential] = set()

    def source(self, remote: str, where: str) -> Source:
        if remote not in self._sources:
            source, userinfo = source_of(remote, self._config, where)
            self._sources[remote] = source
            if source.server != source.address:
                self._origins.add(origin_of(source.server))
            self._add(source.server, userinfo)
        return self._sources[remote]

    def repository(self, remote: str, where: str) -> None:
        url = git_url(remote, where)
        if not url.startswith("ssh:"):
            self._add(url, split_userinfo(remote)[1])

    def _add(self, address: str, userinfo: str | None) -> None:
        login = self._config.login(address)
        if login is not None:
            self._origins.add(origin_of(address))
        if userinfo or login:
            self._credentials.add(Credential(address, basic(userinfo or login or "")))

    def access(self) -> Access:
        return Access(
            origins=frozenset(self._origins),
            credentials=tuple(sorted(self._credentials, key=lambda c: (c.prefix, c.header))),
            ca_files=self._config.ca_files,
        )


def _carries_bundler(options: Options) -> bool:
    value = options.extra.get(f"bundler-{_BUNDLED_WITH}", "no")
    if value not in ("yes", "no"):
        raise UsageError(f"bundler-{_BUNDLED_WITH} is {value!r}", fix="Give 'yes' or 'no'.")
    return value == "yes"


class _Node(NamedTuple):
    """A gem, or a commit with several. needs: names of the gems that they depend on."""

    names: tuple[str, ...]
    needs: tuple[str, ...]
    purl: str


def _graph(nodes: Sequence[_Node], direct: frozenset[str]) -> Graph:
    """A need is for a name, and so for all variants of that gem."""
    by_name: dict[str, list[str]] = {}
    for node in nodes:
        for name in node.names:
            by_name.setdefault(name, []).append(node.purl)
    edges = {
        node.purl: [purl for name in node.needs for purl in by_name.get(name, ())] for node in nodes
    }
    edges[""] = [purl for name in direct for purl in by_name.get(name, ())]
    return Graph.of(edges, {node.purl: node.purl for node in nodes}, ("",))


def _own_gem(lock: Lock, project: Project, servers: _Servers) -> Gem:
    """The Bundler that wrote the lockfile: Bundler itself looks for it at the public server."""
    if lock.bundled_with is None:
        raise UnsupportedError(
            "the lockfile does not say which Bundler wrote it",
            where=project.where(),
            fix="Run `bundle update --bundler`, or leave --bundler-bundled-with away.",
        )
    where = project.where(lock.bundled_with.line)
    source = servers.source(DEFAULT_SOURCE, where)
    return gem_artifact(lock.bundled_with, (source,), where)


def _chosen(lock: Lock, targets: Sequence[Target]) -> list[LockedGem]:
    """The gems that fit any target; all of them if there is none."""
    return [
        gem
        for gem in lock.gems
        if not targets or any(fits(gem.id.platform, target) for target in targets)
    ]


def _compiled(lock: Lock, targets: Sequence[Target]) -> set[GemId]:
    """The gems for `ruby` that some target installs: where nothing else of that name fits it."""
    variants: dict[tuple[str, str], list[str]] = {}
    for gem in lock.gems:
        variants.setdefault((gem.id.name, gem.id.version), []).append(gem.id.platform)
    return {
        GemId(name, version, RUBY)
        for (name, version), platforms in variants.items()
        if RUBY in platforms
        and (
            platforms == [RUBY]
            or any(not any(fits(p, t) for p in platforms if p != RUBY) for t in targets)
        )
    }


def _needed(lock: Lock, target: Target) -> set[str]:
    """The gems that the Gemfile asks for, with those that their variants for a target need."""
    needs: dict[str, set[str]] = {}
    for gem in lock.gems:
        if fits(gem.id.platform, target):
            needs.setdefault(gem.id.name, set()).update(gem.needs)
    needed: set[str] = set()
    due = sorted(lock.wanted or {gem.id.name for gem in lock.gems})
    while due:
        name = due.pop()
        if name not in needed:
            needed.add(name)
            due.extend(sorted(needs.get(name, ())))
    return needed


def _warnings(
    lock: Lock, config: Config, project: Project, targets: Sequence[Target]
) -> Iterator[Warning]:
    for section, line in lock.unknown:
        yield Warning(f"the section {section!r} is not known and not read", project.where(line))
    if b"\r\n" in project.lock_bytes():
        yield Warning(
            "the lockfile has Windows' line ends: Bundler 4 installs all, but ends with an error, "
            "as it may not write it anew; save it with plain ones",
            project.where(),
        )
    for name in _HIDING:
        if config.local(name) not in (None, "true"):
            yield Warning(
                f"the project's own configuration sets BUNDLE_{name}, which wins over the bundle's",
                str(project.lockfile.parent / LOCAL_CONFIG),
            )
    for target in targets:
        needed = _needed(lock, target)
        missing = []
        for (name, version), group in itertools.groupby(
            lock.gems, key=lambda gem: (gem.id.name, gem.id.version)
        ):
            variants = list(group)
            if name in needed and not any(fits(gem.id.platform, target) for gem in variants):
                missing.append((f"{name} {version}", variants[0].line))
        if missing:
            names = ", ".join(name for name, _ in missing[:_SHOWN])
            more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
            yield Warning(
                f"{names}{more}: locked for other platforms than {target} only; it needs "
                f"`bundle lock --add-platform {platform_of(target)}`",
                project.where(missing[0][1]),
            )


FORMAT = Bundler()

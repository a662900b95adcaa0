"""The contract of `room.Format`: checks that every room passes, for a room's own tests.

The engine and a room meet in a few dataclasses, and what each takes for granted of the other is
written here rather than found out by a user. A room of another distribution runs the same:

    from vendorpack import contract

    SAMPLE = contract.Sample(
        lockfile="foo.lock",
        files={"foo.lock": b"..."},
        answers={"https://registry.example/a-1.tgz": contract.Document(b"...")},
    )

    @pytest.mark.parametrize("check", contract.CHECKS, ids=contract.title)
    def test_contract(check, tmp_path):
        check(contract.Case(ROOM, SAMPLE, tmp_path))

ROOM is the row of the table (`vendorpack.formats.Room`), which must be installed as an entry
point if it is not one of the built-in ones. A sample is as small as may be and has a bit of all
that the room lays out; git commits are proven with real servers instead. A check raises
`AssertionError`. Nothing of vendorpack's own commands imports this module.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import io
import pickle
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from functools import cached_property
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any, Final, Self, cast

from vendorpack.boundary import foreign, outside
from vendorpack.bundle.manifest import Head, records_of
from vendorpack.bundle.plan import Section, members
from vendorpack.bundle.table import Files
from vendorpack.bundle.writer import write_bundle
from vendorpack.console import Console
from vendorpack.dataclass import dataclass
from vendorpack.digest import Hashers
from vendorpack.errors import FetchError, VendorpackError
from vendorpack.fetch.part import Download
from vendorpack.formats import Room
from vendorpack.gather import Gathered, gather, with_licenses
from vendorpack.key import canonical_json
from vendorpack.licenses import declared
from vendorpack.locked import Locked
from vendorpack.model import Access, Artifact, Blob, Entry, Json, Lockfile, Options, Slice
from vendorpack.pack import artifact_record, artifact_records, entries_of, environment_of
from vendorpack.policy import Policy, origin_of
from vendorpack.progress import Progress
from vendorpack.project import Host, Project
from vendorpack.room import Answer, Format
from vendorpack.run import Run
from vendorpack.store.local import Store
from vendorpack.target import parse_target

_TARGETS: Final = (
    ("linux-x86_64-gnu-py3.12",),
    ("linux-aarch64-musl-py3.11",),
    ("windows-x86_64-py3.12",),
    ("macos-aarch64-py3.13",),
    (),
)
_OPTION: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_RECIPE: Final = re.compile(r"[a-z0-9-]+")
_CUTS: Final = 48


@dataclass(frozen=True, slots=True)
class Document:
    """What an address answers."""

    body: bytes
    content_type: str = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Sample:
    """A small project, and all that it is packed from.

    lockfile: its name. files: the project's files by relative path.
    answers: documents of indexes and artifacts, by address; all else is 404.
    options: what decides the content. environ: the packing machine's.
    allow_hosts: as `--allow-host` names them.
    """

    lockfile: str
    files: Mapping[str, bytes]
    answers: Mapping[str, Document]
    options: Options = field(default_factory=lambda: _options(_TARGETS[0]))
    environ: Mapping[str, str] = field(default_factory=dict)
    allow_hosts: frozenset[str] = frozenset()


class Case:
    """One room with one sample; `folder` is empty, and the checks' own."""

    def __init__(self, row: Room, sample: Sample, folder: Path) -> None:
        self.row, self.sample, self.folder = row, sample, folder

    @cached_property
    def room(self) -> Format:
        """The room itself."""
        return cast(Format, importlib.import_module(self.row.module).FORMAT)

    def project(self, name: str = "project", lock: bytes | None = None) -> Project:
        """The sample on disk, in a folder of this name; with another lockfile's bytes."""
        root = self.folder / name
        for path, content in self.sample.files.items():
            file = root / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(lock if lock is not None and path == self.sample.lockfile else content)
        host = Host(dict(self.sample.environ), self.folder / "home", "linux")
        return Project(root, PurePosixPath(self.sample.lockfile), host)

    @cached_property
    def lockfile(self) -> Lockfile:
        """What the room reads."""
        return self.room.read(self.project(), self.sample.options)

    @cached_property
    def gathered(self) -> Gathered:
        """What the engine has before it writes."""
        return self.gather("store")

    def gather(self, store: str) -> Gathered:
        """Have the engine locate, fetch and expand, from the sample's answers alone."""
        project = self.project()
        options = self.sample.options
        locked = Locked(self.room, project, self.room.read(project, options), options)
        policy = Policy(allow_hosts=self.sample.allow_hosts)
        run = Run(
            policy=policy,
            store=Store(self.folder / store),
            connect=lambda access, policy: cast(Any, _Client(self.sample.answers, access, policy)),
            environ={},
            progress=Progress(Console(quiet=True)),
            say=lambda message: None,
            warn=lambda what, where: None,
        )
        return with_licenses(asyncio.run(gather(run, [locked])), run.store)

    def entries(self, gathered: Gathered, store: str = "store") -> list[tuple[Entry, int | None]]:
        """What the room lays out."""
        ((_, entries),) = entries_of(gathered, Store(self.folder / store))
        return list(entries)

    def bytes_of(self, entry: Entry) -> bytes | None:
        """An entry's content; None for a folder."""
        if isinstance(entry.content, Blob | Slice):
            return Store(self.folder / "store").read(entry.content)
        return entry.content

    @cached_property
    def tree(self) -> dict[str, Entry]:
        """The entries by path, folders with a slash behind."""
        return {
            f"{entry.path}/" if entry.content is None else entry.path: entry
            for entry, _ in self.entries(self.gathered)
        }

    def write(self, name: str, gathered: Gathered, store: str, jobs: int) -> bytes:
        """The whole bundle."""
        fingerprint = dict(self.room.fingerprint(self.project(), self.sample.options))
        head = Head(
            key="0" * 64,
            lockfiles=(),
            layouts={self.room.name: self.room.layout_version},
            options={self.sample.lockfile: cast(Json, fingerprint)},
            artifacts=records_of(artifact_records(gathered)),
            environment=environment_of(gathered),
        )
        entries = self.entries(gathered, store)
        sections = [Section(self.room.name, self.room.opens_artifacts, entries)]
        read = Store(self.folder / store).chunks
        write_bundle(self.folder / name, head, sections, read_blob=read, jobs=jobs)
        return (self.folder / name).read_bytes()


Check = Callable[[Case], None]


def title(check: Check) -> str:
    """What a check is called in a report."""
    return check.__name__.replace("_", " ")


# -- what a room says of itself --------------------------------------------------------------


def the_row_and_the_room_agree(case: Case) -> None:
    """One name, words for people, a layout version, and options that can be typed."""
    room = case.room
    _must(isinstance(room, Format), "FORMAT is an instance of Format")
    _must(room.name == case.row.name, f"the room is named {room.name!r}, its row {case.row.name!r}")
    _must(bool(room.title and room.command), "title and command are not empty")
    _must(room.layout_version >= 1, "layout_version counts from 1")
    for name, text in room.options.items():
        _must(bool(_OPTION.fullmatch(name)) and bool(text), f"option {name!r} has a name and help")


def companions_are_names_of_other_files(case: Case) -> None:
    """They lie beside the lockfile."""
    for name in case.room.companions(case.sample.lockfile):
        _must(name == PurePosixPath(name).name != case.sample.lockfile, f"companion {name!r}")


def options_are_declared(case: Case) -> None:
    """A room asks for no option that cannot be typed."""
    asked = _Asked()
    options = replace(case.sample.options, extra=asked)
    project = case.project()
    lockfile = case.room.read(project, options)
    case.room.fingerprint(project, options)
    index = _Client(case.sample.answers, lockfile.access, None)
    asyncio.run(case.room.locate(lockfile, options, index))
    declared = {f"{case.room.name}-{name}" for name in case.room.options}
    _must(asked.names <= declared, f"undeclared options: {sorted(asked.names - declared)}")


# -- reading ---------------------------------------------------------------------------------


def reading_is_pure(case: Case) -> None:
    """The same every time and everywhere, and nothing is written."""
    project = case.project("one")
    before = _files(case.folder)
    first = case.room.read(project, case.sample.options)
    _must(first == case.room.read(project, case.sample.options), "reads the same twice")
    _must(_files(case.folder) == before, "reading writes nothing")
    elsewhere = case.room.read(case.project("two"), case.sample.options)
    _must(first == elsewhere, "what is read does not depend on the folder")


def artifacts_are_complete(case: Case) -> None:
    """Each is listed once, says where it is from, and can be told from others."""
    lockfile = case.lockfile
    _must(lockfile.format == case.room.name, f"format is {lockfile.format!r}")
    _must(lockfile.path == case.sample.lockfile, f"path is {lockfile.path!r}")
    _must(len(lockfile.artifacts) > 0, "the sample has artifacts")
    _check_artifacts(lockfile.artifacts, case.sample)
    for warning in lockfile.warnings:
        _must(bool(warning.what and warning.where), f"warning {warning}")


def damaged_lockfiles_are_errors(case: Case) -> None:
    """Whatever is in a lockfile, there is an answer or an error of ours."""
    whole = case.sample.files[case.sample.lockfile]
    step = max(1, len(whole) // _CUTS)
    damaged = [whole[:end] for end in range(0, len(whole), step)]
    damaged += [whole[:at] + b"\xff{]\0" + whole[at + 1 :] for at in range(0, len(whole), step)]
    for text in damaged:
        project = case.project("damaged", text)
        try:
            case.room.read(project, case.sample.options)
            case.room.fingerprint(project, case.sample.options)
        except VendorpackError as error:
            _must(bool(error.what), "an error says what is wrong")


# -- the key ---------------------------------------------------------------------------------


def the_fingerprint_is_json(case: Case) -> None:
    """It is canonical JSON, the same everywhere, and silent about this machine."""
    one = case.room.fingerprint(case.project("one"), case.sample.options)
    text = canonical_json(cast(Json, dict(one)))
    again = case.room.fingerprint(case.project("two"), case.sample.options)
    _must(text == canonical_json(cast(Json, dict(again))), "the same in another folder")
    _must(str(case.folder).encode() not in text, "names no folder of this machine")


def another_choice_has_another_key(case: Case) -> None:
    """Where options choose other artifacts, the fingerprint is another too."""
    project = case.project()
    seen: dict[bytes, frozenset[Artifact]] = {}
    for targets in _TARGETS:
        for dev in (True, False):
            options = replace(case.sample.options, targets=_options(targets).targets, dev=dev)
            try:
                read = case.room.read(project, options)
            except VendorpackError:
                continue  # such as a Python that is not named
            chosen = frozenset(replace(a, where="", why=()) for a in read.artifacts)
            key = canonical_json(cast(Json, dict(case.room.fingerprint(project, options))))
            known = seen.setdefault(key, chosen)
            _must(known == chosen, f"{options} has the key of another choice")


# -- locating and fetching -------------------------------------------------------------------


def located_artifacts_can_be_fetched(case: Case) -> None:
    """Addresses and hashes are there, hosts that the room trusts are origins, none got lost."""
    (located,) = case.gathered.located
    lockfile = located.lockfile
    _must((lockfile.path, lockfile.format) == (case.lockfile.path, case.room.name), "same lockfile")
    _check_artifacts(lockfile.artifacts, case.sample)
    for artifact in lockfile.artifacts:
        _must(bool(artifact.sources), f"{artifact} has an address")
        _must(bool(artifact.integrity), f"{artifact} has a hash")
        handed_over = pickle.loads(pickle.dumps((case.room, artifact)))  # noqa: S301 - to workers
        _must(handed_over[1] == artifact, f"{artifact} is the same in another process")
    before, after = case.lockfile.access, lockfile.access
    _must(before.origins <= after.origins, "locating takes no origin away")
    _must(set(before.credentials) <= set(after.credentials), "locating takes no login away")
    for origin in after.origins:
        _must(origin_of(origin) == origin, f"{origin!r} is an origin in its one form")


def licenses_are_functions_of_the_bytes(case: Case) -> None:
    """What an artifact declares depends on its bytes alone, and any bytes have an answer."""
    store = Store(case.folder / "store")
    for packed in case.gathered.packed[case.room.name]:
        reader = case.room.license(packed.artifact)
        if reader is None:
            continue
        _must(bool(_RECIPE.fullmatch(reader.recipe)), f"recipe {reader.recipe!r} is a file's name")
        read = pickle.loads(pickle.dumps(reader)).read  # noqa: S301 - as workers get it
        whole = store.read(packed.blob)
        said = read(io.BytesIO(whole))
        _must(said == read(io.BytesIO(whole)) and isinstance(said, str), "the same text twice")
        kept = store.said(reader.recipe, packed.blob, reader.read)
        _must(kept == declared(said), "what was kept after the download is what is read")
        step = max(1, len(whole) // _CUTS)
        for at in range(0, len(whole), step):
            for damaged in (whole[:at], whole[:at] + b"\xff{]\0" + whole[at + 4 :]):
                with contextlib.suppress(VendorpackError):
                    _must(isinstance(read(io.BytesIO(damaged)), str), "an answer is a text")
    texts = [*case.room.licenses(case.gathered.packed[case.room.name])]
    _must(len(texts) == len(case.gathered.packed[case.room.name]), "one licence an artifact")


# -- the tree --------------------------------------------------------------------------------


def entries_are_within_the_boundary(case: Case) -> None:
    """Paths are the room's own, each has one content, artifacts are those that were handed in."""
    try:
        entries = case.entries(case.gathered)
        section = Section(case.room.name, case.room.opens_artifacts, entries)
        files = [member.file for member in members([section], Files())]
    except VendorpackError as error:
        raise AssertionError(str(error)) from None
    _must(bool(entries), "something is laid out")
    wrong = outside(case.row.boundary, files)
    _must(wrong is None, f"{wrong!r} is not within the row's boundary")


def the_same_artifacts_give_the_same_tree(case: Case) -> None:
    """Laid out again, from another store, and handed in the other way round."""
    first = [(e.path, e.mode, case.bytes_of(e)) for e, _ in case.entries(case.gathered)]
    again = [(e.path, e.mode, case.bytes_of(e)) for e, _ in case.entries(case.gathered)]
    _must(first == again, "twice the same from one store")
    one = case.write("one", case.gathered, "store", 1)
    two = case.write("two", case.gather("other"), "other", 3)
    _must(one == two, "the same bundle from another store, by other jobs")


def native_folders_are_known_for_every_path(case: Case) -> None:
    """Unpacking without a prefix has a place for all that is laid out, on every system."""
    for system in ("linux", "macos", "windows"):
        host = Host({}, case.folder / "home", system)
        roots = case.room.native_roots(host)
        for root, folder in roots.items():
            _must(folder.is_absolute(), f"{root!r} lies at {folder} on {system}")
        for path in case.tree:
            covered = any(path == root or path.startswith(f"{root}/") for root in roots)
            _must(covered, f"{path!r} has no place in the client's own cache on {system}")


def merging_again_changes_nothing(case: Case) -> None:
    """A second merge of the same content finds nothing to do; marks are names of files."""
    for path, entry in case.tree.items():
        content = case.bytes_of(entry)
        if content is None:
            continue
        mark = case.room.in_use_mark(path)
        _must(mark is None or mark == PurePosixPath(mark).name, f"mark {mark!r} of {path!r}")
        merged = case.room.merge(path, content, content)
        again = case.room.merge(path, merged, content)
        _must(again == merged, f"{path!r}, once merged, is not changed by the same again")


# -- the target's environment ----------------------------------------------------------------


def the_environment_is_within_the_boundary(case: Case) -> None:
    """Variables are the room's own, paths lie in its tree, and nothing is of this machine."""
    packed = case.gathered.packed[case.room.name]
    environment = case.room.environment(packed)
    _must(environment == case.room.environment(packed), "the same twice")
    names = [variable.name for variable in environment.variables]
    _must(len(names) == len(set(names)), f"each variable once: {names}")
    wrong = foreign(case.row.boundary, environment)
    _must(wrong is None, f"sets {wrong}, which the row's boundary does not have")
    paths = [variable.value for variable in environment.variables if variable.is_path]
    paths += [path for _, path in environment.git_sources]
    roots = {path.partition("/")[0] for path in case.tree}
    for path in paths:
        _must(path.partition("/")[0] in roots, f"{path!r} lies in no folder of the room's")
    _must(str(case.folder) not in repr(environment), "names no folder of this machine")


def no_secret_is_laid_out(case: Case) -> None:
    """What opens a registry is in no entry, no variable and no record."""
    secrets = [
        login.header.rpartition(" ")[2]
        for located in case.gathered.located
        for login in located.lockfile.access.credentials
    ]
    records = repr([artifact_record(p, case.room.name) for p in case.gathered.artifacts])
    told = records + repr(environment_of(case.gathered))
    for secret in secrets:
        _must(secret not in told, "a login is in the manifest")
        for path, entry in case.tree.items():
            _must(secret.encode() not in (case.bytes_of(entry) or b""), f"a login is in {path!r}")


CHECKS: Final[tuple[Check, ...]] = (
    the_row_and_the_room_agree,
    companions_are_names_of_other_files,
    options_are_declared,
    reading_is_pure,
    artifacts_are_complete,
    damaged_lockfiles_are_errors,
    the_fingerprint_is_json,
    another_choice_has_another_key,
    located_artifacts_can_be_fetched,
    licenses_are_functions_of_the_bytes,
    entries_are_within_the_boundary,
    the_same_artifacts_give_the_same_tree,
    native_folders_are_known_for_every_path,
    merging_again_changes_nothing,
    the_environment_is_within_the_boundary,
    no_secret_is_laid_out,
)
"""All there are. A new promise of `Format` is a function more."""


# -- what the checks are made with -----------------------------------------------------------


def _must(held: bool, promise: str) -> None:
    if not held:
        raise AssertionError(promise)


def _check_artifacts(artifacts: Sequence[Artifact], sample: Sample) -> None:
    identities = [replace(artifact, where="", why=()) for artifact in artifacts]
    _must(len(identities) == len(set(identities)), "each artifact is listed once")
    for artifact in artifacts:
        parameters = type(artifact).__dataclass_params__  # type: ignore[attr-defined]
        _must(parameters.frozen, f"{artifact!r} is frozen")
        _must(bool(artifact.name) and bool(artifact.version), f"{artifact!r} has name and version")
        _must(artifact.purl.startswith("pkg:"), f"{artifact} has purl {artifact.purl!r}")
        _must(artifact.where.startswith((*sample.files,)), f"{artifact} is at {artifact.where!r}")
        _must(tuple(sorted(set(artifact.why))) == artifact.why, f"{artifact} has {artifact.why}")


def _options(targets: Iterable[str]) -> Options:
    return Options(targets=tuple(map(parse_target, targets)))


def _files(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class _Asked(Mapping[str, str]):
    """No options at all, but it remembers which were asked for."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.names.add(name)
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


class _Client:
    """The engine's HTTP client over a sample's answers."""

    def __init__(
        self, answers: Mapping[str, Document], access: Access, policy: Policy | None
    ) -> None:
        self._answers, self._policy = answers, policy

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None

    async def get(self, url: str, *, accept: str = "*/*", max_size: int = 64 << 20) -> Answer:
        document = self._document(url)
        return Answer(document.body, document.content_type, url)

    async def head(self, repository: str, paths: Sequence[str]) -> Mapping[str, bytes]:
        raise FetchError("the sample has no git repository", where=repository)

    async def download(self, urls: Sequence[str], part: Path, **wanted: Any) -> Download:
        body = self._document(urls[0]).body
        await asyncio.to_thread(part.write_bytes, body)
        hashers = Hashers(wanted["algorithms"])
        hashers.update(body)
        return Download(hashers.values(), len(body), urls[0], len(body), body[:64], 0)

    def _document(self, url: str) -> Document:
        if self._policy is not None:
            self._policy.check(url)
        if url not in self._answers:
            raise FetchError("the sample has no such answer", where=url, status=404)
        return self._answers[url]

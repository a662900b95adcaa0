"""What is done with artifacts in workers: they are found in the store, or verified and put there.

Each is a dozen small looks at the disk, which in threads would wait for the interpreter's lock as
often. Nothing here needs the network or an event loop.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from vendorpack.dataclass import dataclass
from vendorpack.digest import Integrity
from vendorpack.licenses import ask, declared
from vendorpack.model import Artifact, Blob, LicenseReader
from vendorpack.room import Format
from vendorpack.store.local import Draft, Store


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of a file.

    blob: None if it is not what every pin says. values: of every algorithm that pins name, but for
    those that a room would have had to open a wrong file for.
    """

    blob: Blob | None
    values: Mapping[str, bytes]


def stored(store: Store, pins: Iterable[Sequence[Integrity]]) -> list[Blob | None]:
    """`Store.verified` of each artifact's pins."""
    return [store.verified(wanted) for wanted in pins]


def settle(
    store: Store,
    room: Format,
    artifact: Artifact,
    wanted: Sequence[Integrity],
    path: Path,
    values: Mapping[str, bytes],
    size: int,
) -> Settled:
    """Take a file into the store, with what the room makes of it, if it is what every pin says.

    values: of all streamed algorithms. path: is moved then, and stays else. A file whose streamed
    values are wrong is never opened. Raises what `Format.prepare` does, and `StoreError`.
    """
    if not all(pin.streamed.accepts(values) for pin in wanted):
        return Settled(None, values)
    reader = room.license(artifact)
    drafts: list[Draft] = []
    said: str | None = None

    def keep(recipe: str, chunks: Iterable[bytes | memoryview]) -> None:
        nonlocal said
        if reader is not None and recipe == reader.recipe:
            said = declared(b"".join(chunks).decode("utf-8", "replace"))
        else:
            drafts.append(store.draft(recipe, chunks))

    derived = tuple(a for a in algorithms(wanted) if a not in values)
    try:
        if derived or room.prepares:
            values = {**values, **room.prepare(artifact, derived, path, keep)}
            if not all(pin.accepts(values) for pin in wanted):
                return Settled(None, values)
        if said is None and reader is not None:
            said = _asked(reader, path)
        blob = store.adopt(path, values, size)
        store.adopt_drafts(blob, drafts)
        if said is not None and reader is not None:
            store.say(reader.recipe, blob, said)
    finally:
        store.drop_drafts(drafts)
    return Settled(blob, values)


def algorithms(wanted: Iterable[Integrity]) -> tuple[str, ...]:
    """All that the pins name, each once."""
    return tuple(dict.fromkeys(a for pin in wanted for a in pin.algorithms))


def _asked(reader: LicenseReader, path: Path) -> str:
    """What an artifact declares."""
    with path.open("rb") as file:
        return ask(reader, file)

"""Our dataclasses beside the standard library's: the same classes, made by both."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
from collections.abc import Callable
from dataclasses import field
from typing import Any, ClassVar

import pytest

from vendorpack.dataclass import dataclass as ours

DEFAULT = ["made once"]


def bare() -> type[Any]:
    class Bare:
        pass

    return Bare


def one() -> type[Any]:
    class One:
        """Its own words."""

        name: str

    return One


def many() -> type[Any]:
    class Many:
        kind: ClassVar[str] = "a kind"
        name: str
        size: int = 3
        known: list[str] = field(default_factory=lambda: [*DEFAULT])
        token: str = field(default="canary", repr=False)
        seen: int = field(default=0, compare=False)

        @property
        def double(self) -> int:
            return self.size * 2

    return Many


def checked() -> type[Any]:
    class Checked:
        size: int

        def __post_init__(self) -> None:
            if self.size < 0:
                raise ValueError("less than nothing")

        def __repr__(self) -> str:
            return "its own"

    return Checked


def alike() -> type[Any]:
    class Alike:  # noqa: PLW1641 - the hash is what is tested
        name: str

        def __eq__(self, other: object) -> bool:
            return isinstance(other, type(self))

    return Alike


Make = Callable[[], type[Any]]


def both(make: Make, **how: bool) -> tuple[type[Any], type[Any]]:
    return (
        dataclasses.dataclass(frozen=True, slots=True, **how)(make()),
        ours(frozen=True, slots=True, **how)(make()),
    )


CASES: list[tuple[Make, dict[str, bool], tuple[Any, ...], dict[str, Any]]] = [
    (bare, {}, (), {}),
    (one, {}, ("a",), {}),
    (one, {"kw_only": True}, (), {"name": "a"}),
    (one, {"order": True}, ("a",), {}),
    (many, {}, ("a",), {}),
    (many, {}, ("a", 4, ["b"]), {"token": "t", "seen": 2}),
    (many, {"kw_only": True}, (), {"name": "a", "known": []}),
    (many, {"order": True}, ("a",), {}),
    (checked, {}, (2,), {}),
    (alike, {}, ("a",), {}),
]


@pytest.mark.parametrize(("make", "how", "args", "kwargs"), CASES)
def test_the_same_as_the_standard_library(
    make: Make, how: dict[str, bool], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    theirs, mine = both(make, **how)
    want, got = theirs(*args, **kwargs), mine(*args, **kwargs)
    assert repr(got) == repr(want)
    assert dataclasses.asdict(got) == dataclasses.asdict(want)
    assert mine.__slots__ == theirs.__slots__ and mine.__match_args__ == theirs.__match_args__
    assert list(inspect.signature(mine).parameters) == list(inspect.signature(theirs).parameters)
    again = mine(*args, **kwargs)
    assert got == again and (got != again) is False
    assert got != want and want != got  # of another class
    if make is not many:
        assert hash(got) == hash(want) == hash(again)
    else:
        with pytest.raises(TypeError, match="unhashable type: 'list'"):
            hash(got)
    assert copy.copy(got) == copy.deepcopy(got) == got
    assert dataclasses.replace(got) == got


@pytest.mark.parametrize(("make", "how", "args", "kwargs"), CASES)
def test_it_stays_as_it_is(
    make: Make, how: dict[str, bool], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    for cls in both(make, **how):
        made = cls(*args, **kwargs)
        for name in (f.name for f in dataclasses.fields(cls)):
            with pytest.raises(dataclasses.FrozenInstanceError, match=f"assign to field '{name}'"):
                setattr(made, name, 1)
            with pytest.raises(dataclasses.FrozenInstanceError, match=f"delete field '{name}'"):
                delattr(made, name)
        with pytest.raises((AttributeError, TypeError)):
            made.no_field = 1


@pytest.mark.parametrize(
    ("make", "args", "kwargs"),
    [
        (one, (), {}),
        (one, ("a", "b"), {}),
        (one, ("a",), {"name": "b"}),
        (one, (), {"other": 1}),
        (many, (), {"size": 1}),
        (bare, (1,), {}),
        (checked, (-1,), {}),
    ],
)
def test_it_refuses_the_same(make: Make, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    said = []
    for cls in both(make):
        for _ in range(2):  # the second one meets an __init__ that is written
            with pytest.raises((TypeError, ValueError)) as raised:
                cls(*args, **kwargs)
            said.append((raised.type, str(raised.value)))
    assert len({*said}) == 1


def test_order() -> None:
    for cls in both(many, order=True):
        low, high, seen = cls("a", 1), cls("a", 2), cls("a", 1, seen=5)
        assert low < high and low <= high and high > low and high >= low
        assert low == seen and low <= seen and not low < seen
        assert sorted([high, low]) == [low, high]
        with pytest.raises(TypeError):
            assert low < 3
    for cls in both(one):
        with pytest.raises(TypeError):
            assert cls("a") < cls("b")


def test_defaults_are_made_for_each() -> None:
    for cls in both(many):
        cls("a").known.append("more")
        assert cls("b").known == DEFAULT
        assert cls.kind == "a kind" and cls("a").double == 6


@ours(frozen=True, slots=True)
class Base:
    """At a place where pickle finds it."""

    name: str
    size: int = 1


@ours(frozen=True, slots=True, kw_only=True)
class Derived(Base):
    """With fields of its own, by name."""

    more: tuple[str, ...] = ()


def test_one_that_derives_from_another() -> None:
    derived = Derived("a", 2, more=("b",))
    assert repr(derived) == "Derived(name='a', size=2, more=('b',))"
    assert derived != Base("a", 2) and Base("a", 2) != derived
    with pytest.raises(TypeError):
        Derived("a", 2, ("b",))  # type: ignore[call-arg]


def test_one_of_the_standard_library_that_derives_from_ours() -> None:
    @dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
    class Foreign(Base):
        more: int = 0

    made = Foreign("a", more=2)
    assert made == Foreign("a", 1, more=2) != Foreign("a", more=3)
    assert repr(made).endswith("Foreign(name='a', size=1, more=2)")
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.name = "b"  # type: ignore[misc]


@pytest.mark.parametrize("made", [Base("a"), Derived("a", more=("b",)), Base("")])
def test_pickled(made: Base) -> None:
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(made, protocol)) == made


def test_matched() -> None:
    match Base("a", 2):
        case Base(name, size=2):
            assert name == "a"
        case _:
            pytest.fail("not matched")


def test_what_is_not_frozen_is_the_standard_librarys() -> None:
    @ours(slots=True)
    class Counter:
        count: int = 0

    counter = Counter()
    counter.count += 1
    assert counter == Counter(1)
    with pytest.raises(TypeError):
        hash(counter)

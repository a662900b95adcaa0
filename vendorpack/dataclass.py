"""`dataclass`, as the standard library has it, whose methods cost nothing until they are called.

`dataclasses.dataclass` writes up to nine methods for each class and compiles them one by one (all
at once from Python 3.13), though most runs make no instance of most classes: that was a third of
the time of a short run. Here `__init__` alone is written, when the first instance is made; the
others are functions that ask for fields by name. All else is left to the standard library, so that
its `fields`, `replace` and `asdict` know these classes.

A class that is not frozen is the standard library's.
"""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Never

__all__ = ["dataclass"]

if TYPE_CHECKING:
    from dataclasses import dataclass
else:

    def dataclass(*, frozen=False, slots=False, kw_only=False, order=False):
        """As `dataclasses.dataclass` with these arguments; what is frozen has slots as well."""
        if not frozen:
            return dataclasses.dataclass(slots=slots, kw_only=kw_only, order=order)
        return lambda cls: _frozen(cls, kw_only=kw_only, order=order)


_Values = Callable[[Any], tuple[Any, ...]]


def _frozen(cls: type[Any], *, kw_only: bool, order: bool) -> type[Any]:
    # With an `__eq__` of its own, a class has None for `__hash__`.
    own = {name for name, value in cls.__dict__.items() if value is not None}
    # A frozen base is for a frozen class alone, though making one compiles two more methods.
    derived = any(map(dataclasses.is_dataclass, cls.__bases__))
    bare = dataclasses.dataclass(
        init=False, repr=False, eq=False, frozen=derived, slots=True, kw_only=kw_only
    )
    made: type[Any] = bare(cls)
    made.__dataclass_params__.frozen = True
    fields = dataclasses.fields(made)
    getstate, setstate = _pickling([field.name for field in fields])
    compared = _values([field.name for field in fields if field.compare])
    methods: dict[str, Callable[..., Any]] = {
        "__init__": _first_init(made),
        "__repr__": _repr([field.name for field in fields if field.repr]),
        "__eq__": _comparison(operator.eq, compared),
        "__hash__": lambda self: hash(compared(self)),
        "__setattr__": _refuse_to_set,
        "__delattr__": _refuse_to_delete,
        "__getstate__": getstate,
        "__setstate__": setstate,
    }
    if order:
        for name in ("lt", "le", "gt", "ge"):
            methods[f"__{name}__"] = _comparison(getattr(operator, name), compared)
    for name, method in methods.items():
        if name not in own:
            setattr(made, name, method)
    return made


def _values(names: list[str]) -> _Values:
    """What the fields of these names hold."""
    if len(names) < 2:
        return lambda self: tuple(getattr(self, name) for name in names)
    return operator.attrgetter(*names)


def _comparison(compare: Callable[[Any, Any], Any], values: _Values) -> Callable[[Any, Any], Any]:
    def method(self: Any, other: Any) -> Any:
        if other.__class__ is not self.__class__:
            return NotImplemented
        return compare(values(self), values(other))

    return method


def _repr(names: list[str]) -> Callable[[Any], str]:
    def method(self: Any) -> str:
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in names)
        return f"{self.__class__.__qualname__}({shown})"

    return method


def _pickling(names: list[str]) -> tuple[Callable[..., Any], Callable[..., None]]:
    values = _values(names)

    def getstate(self: Any) -> tuple[Any, ...]:
        return values(self)

    def setstate(self: Any, state: tuple[Any, ...]) -> None:
        for name, value in zip(names, state, strict=True):
            object.__setattr__(self, name, value)

    return getstate, setstate


def _refuse_to_set(_self: Any, name: str, _value: Any) -> Never:
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_to_delete(_self: Any, name: str) -> Never:
    raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")


def _first_init(cls: type[Any]) -> Callable[..., None]:
    def method(self: Any, *args: Any, **kwargs: Any) -> None:
        cls.__init__ = _written_init(cls)
        cls.__init__(self, *args, **kwargs)

    return method


def _written_init(cls: type[Any]) -> Callable[..., None]:
    """Its parameters are the fields, each of which goes to its slot."""
    known: dict[str, Any] = {"_unset": dataclasses.MISSING}
    parameters: list[str] = []
    by_name: list[str] = []
    body: list[str] = []
    for field in dataclasses.fields(cls):
        name = field.name
        known[f"_set_{name}"] = getattr(cls, name).__set__
        parameter, value = name, name
        if field.default is not dataclasses.MISSING:
            known[f"_default_{name}"] = field.default
            parameter = f"{name}=_default_{name}"
        elif field.default_factory is not dataclasses.MISSING:
            known[f"_make_{name}"] = field.default_factory
            parameter = f"{name}=_unset"
            value = f"_make_{name}() if {name} is _unset else {name}"
        (by_name if field.kw_only else parameters).append(parameter)
        body.append(f"_set_{name}(self, {value})")
    if hasattr(cls, "__post_init__"):
        body.append("self.__post_init__()")
    if by_name:
        parameters += ["*", *by_name]
    text = f"def __init__({', '.join(['self', *parameters])}):\n  " + "\n  ".join(body or ["pass"])
    exec(text, known)  # noqa: S102 - names of fields alone; so does the standard library
    known["__init__"].__qualname__ = f"{cls.__qualname__}.__init__"
    return known["__init__"]  # type: ignore[no-any-return]

"""What in a JSON value is not as a type says: a class of the foundation SDK, an enumeration, a TypedDict, a plain type.

The SDK itself reads JSON leniently: it drops what it does not know, and takes any value.
"""

from __future__ import annotations

import enum
import inspect
import re
from collections.abc import Iterator
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints, is_typeddict

from grafana_types import LATER, LATER_MEMBERS, LEFT_OUT

SDK = "grafana_foundation_sdk.models."
IN_JSON = re.compile(r'"(\w+)"\]?(?:: | = )self\.(\w+)')
"""How the SDK's `to_json` says which key holds which attribute."""


def faults(value: Any, kind: Any, at: str) -> Iterator[str]:
    """Each thing that is wrong with a value, with its place, which begins with `at`."""
    if get_origin(kind) in (Union, UnionType):
        yield from _of_union(value, get_args(kind), at)
    elif get_origin(kind) is Literal:
        if value not in get_args(kind):
            yield f"{at}: {value!r} is none of {get_args(kind)}"
    elif get_origin(kind) is list:
        yield from _plain(value, list, at)
        for number, one in enumerate(value if isinstance(value, list) else ()):
            yield from faults(one, get_args(kind)[0], f"{at}[{number}]")
    elif get_origin(kind) is dict:
        yield from _plain(value, dict, at)
        for key, one in (value if isinstance(value, dict) else {}).items():
            yield from faults(one, get_args(kind)[1], f"{at}.{key}")
    elif isinstance(kind, type) and issubclass(kind, enum.Enum):
        yield from _member(value, kind, at)
    elif is_typeddict(kind) or is_sdk(kind):
        yield from _plain(value, dict, at)
        yield from _keys(value if isinstance(value, dict) else {}, kind, at)
    elif kind not in (object, Any):
        yield from _plain(value, kind, at)


@cache
def fields(kind: Any) -> dict[str, tuple[Any, bool]]:
    """The keys of a class or TypedDict, each with its type and whether it must be there."""
    hints = get_type_hints(kind)
    if is_typeddict(kind):
        return {name: (hint, name in kind.__required_keys__) for name, hint in hints.items()}
    names = dict(IN_JSON.findall(inspect.getsource(kind.to_json)))
    assert set(names.values()) == set(hints), f"{kind} is not written as the SDK's other classes"
    settable = inspect.signature(kind.__init__).parameters
    found = {}
    for key, name in names.items():
        hint = hints[name] if name in settable else _just(getattr(kind(), name))
        found[key] = (hint, NoneType not in get_args(hint) and f"{kind.__name__}.{key}" not in LEFT_OUT)
    return found


def is_sdk(kind: Any) -> bool:
    """Whether this is one of the SDK's classes, of which it says the keys."""
    return isinstance(kind, type) and kind.__module__.startswith(SDK) and hasattr(kind, "to_json")


def _just(value: Any) -> Any:
    """The type of a value that the SDK sets itself."""
    return Literal[value.value if isinstance(value, enum.Enum) else value]


def _keys(value: dict[str, Any], kind: Any, at: str) -> Iterator[str]:
    known = fields(kind)
    for key, (_, wanted) in known.items():
        if wanted and key not in value:
            yield f"{at}: no key {key!r}, which {kind.__name__} has"
    for key, one in value.items():
        place = f"{at}.{key}"
        if key not in known:
            yield f"{place}: {kind.__name__} has no such key"
            continue
        yield from faults(one, known[key][0], place)
        harmless = LATER.get(f"{kind.__module__.removeprefix(SDK)}.{kind.__name__}.{key}")
        if harmless is not None and one not in harmless:
            yield f"{place}: Grafana 9.4 does not know it, and does otherwise than {one!r}"


def _of_union(value: Any, kinds: tuple[Any, ...], at: str) -> Iterator[str]:
    """Nothing where one of the types fits; else what the type says that comes nearest."""
    if value is None and NoneType in kinds:
        return
    found = [list(faults(value, kind, at)) for kind in kinds if kind is not NoneType]
    yield from min(found, key=len)


def _member(value: Any, kind: type[enum.Enum], at: str) -> Iterator[str]:
    if isinstance(value, bool) or value not in {one.value for one in kind}:
        yield f"{at}: {value!r} is no {kind.__name__}"
    elif value in LATER_MEMBERS.get(kind, ()):
        yield f"{at}: Grafana 9.4 does not know {value!r}"


def _plain(value: Any, kind: Any, at: str) -> Iterator[str]:
    wanted = (int, float) if kind is float else kind
    if not isinstance(value, wanted) or (isinstance(value, bool) and kind is not bool):
        yield f"{at}: {value!r} is no {kind.__name__}"

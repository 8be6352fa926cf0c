"""What templates generate (passwords, keys, times), kept so that a second render gives the same.

A value is known by its call site: the template that is rendered, the template in which the call
stands, where the loops around it are, the function, its arguments, and how often the same came
before. Keys are digests, since arguments may be secrets themselves.
"""

from __future__ import annotations

import functools
import hashlib
import json
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from whipstaff.golang import printf
from whipstaff.golang.timefmt import GoTime
from whipstaff.golang.values import GoObject
from whipstaff.template.execution import COMPILED
from whipstaff.template.functions.certificates import Certificate
from whipstaff.template.laps import Lap

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import FrameType

    from whipstaff.template.functions.registry import Function
    from whipstaff.template.scope import RenderScope

Json = str | int | dict[str, str] | dict[str, int]
T = TypeVar("T")

UNUSED_LIMIT = 256  # values that no call asked for, and that are kept all the same
_KEY_CHARACTERS = 32
_NANOSECONDS = 10**9

# Functions that give something else each time. Those that only draw on the clock where they are
# given no time are kept where they are given none.
_ALWAYS = frozenset(
    {
        *("randAlphaNum", "randAlpha", "randNumeric", "randAscii", "randBytes", "randInt"),
        *("shuffle", "uuidv4", "bcrypt", "htpasswd", "encryptAES"),
        *("genPrivateKey", "genCA", "genCAWithKey", "genSelfSignedCert"),
        *("genSelfSignedCertWithKey", "genSignedCert", "genSignedCertWithKey"),
        *("now", "ago"),
    }
)
_WITHOUT_A_TIME = frozenset({"date", "dateInZone", "date_in_zone", "htmlDate", "htmlDateInZone"})
_OF_A_TIME = frozenset({"durationRound"})
GENERATING = _ALWAYS | _WITHOUT_A_TIME | _OF_A_TIME


class Generated:
    """The values that one release keeps, as one render finds them and leaves them behind."""

    def __init__(self, known: Mapping[str, object] | None = None) -> None:
        self._known = dict(known or {})
        self._used: dict[str, Json] = {}
        self._counts: dict[str, int] = {}

    def recall(self, function: str, place: str, generate: Callable[[], T]) -> T:
        """Return what a function generated at a place, or generate and keep it.

        What is kept may have been edited: a value that is not of the type that the function gives
        counts as none.
        """
        site = f"{function}-{place}"
        count = self._counts[site] = self._counts.get(site, 0) + 1
        key = f"{site}.{count}"
        found = _read(self._known.get(key))
        if type(found) is _KINDS.get(function, str):
            self._used[key] = _written(found)
            return found  # type: ignore[return-value]  # the line above says so
        value = generate()
        self._used[key] = _written(value)
        return value

    def record(self) -> dict[str, object]:
        """What to keep: what was used, then some of what was kept before and not used now.

        A value that a switch of the chart took away is there again when the switch comes back.
        """
        unused = [key for key in self._known if key not in self._used]
        kept = {key: self._known[key] for key in unused[:UNUSED_LIMIT]}
        return {**self._used, **kept}


_KINDS: Mapping[str, type] = {
    "randInt": int,
    "now": GoTime,
    **dict.fromkeys(
        (
            *("genCA", "genCAWithKey", "genSelfSignedCert", "genSelfSignedCertWithKey"),
            *("genSignedCert", "genSignedCertWithKey"),
        ),
        Certificate,
    ),
}


def _written(value: object) -> Json:
    match value:
        case GoTime():
            return {"seconds": value.seconds, "nanosecond": value.nanosecond}
        case Certificate():
            return {"cert": value.cert, "key": value.key}
        case str() | int():
            return value
        case _:
            raise TypeError(f"{type(value).__name__} cannot be kept")


def _read(record: object) -> object:
    """Return the value in a record; None for what `_written` never gives."""
    match record:
        case str():
            return record
        case bool():
            return None
        case int():
            return record
        case {"seconds": int(seconds), "nanosecond": int(nanosecond)}:
            return GoTime(seconds, nanosecond) if 0 <= nanosecond < _NANOSECONDS else None
        case {"cert": str(cert), "key": str(key)}:
            return Certificate(cert, key)
        case _:
            return None


def keeping(function: Function) -> Function:
    """Return the function as one that asks what the release keeps, if it keeps anything."""
    call, scoped = function.call, function.scoped

    @functools.wraps(call)
    def kept(scope: RenderScope, *arguments: object) -> object:
        given = (scope, *arguments) if scoped else arguments
        if not _generates(function.name, arguments):
            return call(*given)
        # Whoever watches the effects learns so that this is no function of its arguments, even
        # where a library draws the randomness, or where nothing is drawn because it is kept.
        scope.effects.random  # noqa: B018
        if scope.generated is None:
            return call(*given)
        place = _place(arguments, sys._getframe(1))  # noqa: SLF001 - the only way
        return scope.generated.recall(function.name, place, lambda: call(*given))

    return replace(function, call=kept, scoped=True)


def _generates(name: str, arguments: tuple[object, ...]) -> bool:
    if name in _ALWAYS:
        return True
    timed = any(isinstance(one, GoTime | int) for one in arguments)
    if name in _OF_A_TIME:
        return any(isinstance(one, GoTime) for one in arguments)
    return not timed


def _place(arguments: tuple[object, ...], caller: FrameType) -> str:
    """Name a call by where it stands among templates and loops, and what it is given."""
    templates: list[str] = []
    laps: list[object] = []
    frame: FrameType | None = caller
    while frame is not None:
        if frame.f_code.co_filename == COMPILED:
            variables = frame.f_locals
            templates.append(variables["me"].name)
            # Outer loops come first among a frame's variables; so do outer frames in the end.
            laps[:0] = [
                _plain(one.where) for one in variables.values() if isinstance(one, Lap) and one.on
            ]
        frame = frame.f_back
    facts = [templates[-1:], templates[:1], laps, [_plain(one) for one in arguments]]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:_KEY_CHARACTERS]


def _plain(value: object) -> object:
    """Return the value in JSON: equal for equal arguments of a function."""
    match value:
        case None | bool() | int() | float() | str():
            return value
        case Certificate():
            return [value.cert, value.key]
        case list() | tuple():
            return [_plain(item) for item in value]
        case dict():
            return {str(key): _plain(value[key]) for key in sorted(value)}
        case GoObject():
            return [value.go_type, printf.show(value)]
        case _:
            return printf.show(value)

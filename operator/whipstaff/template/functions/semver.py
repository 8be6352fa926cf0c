"""sprig's versions: `semver` gives an object with Masterminds' methods, `semverCompare` checks."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, ClassVar

from whipstaff.golang.semver import Constraint, SemverError, Version
from whipstaff.golang.values import GoObject, GoSignature, GoType, Uint64
from whipstaff.template.errors import FunctionError
from whipstaff.template.functions.registry import Function, function

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

FAMILY: dict[str, Function] = {}


class VersionValue(GoObject):
    """A semver.Version as `IncMajor` returns it: without address, so only the value's methods."""

    __slots__ = ("version",)
    go_type: ClassVar[str] = "semver.Version"
    go_kind: ClassVar[str] = "struct"

    def __init__(self, version: Version) -> None:
        self.version = version

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, VersionValue)
            and self.go_type == other.go_type
            and (str(self), self.version.original) == (str(other), other.version.original)
        )

    def __hash__(self) -> int:
        return hash(self.version)

    def __str__(self) -> str:
        return str(self.version)

    def blank(self) -> VersionValue:
        """What a copy by reflection gets, which cannot see private fields."""
        return type(self)(Version(0, 0, 0))

    def go_string(self) -> str:
        return str(self.version)

    def go_text(self) -> str:
        return str(self.version)

    def go_json(self) -> str:
        return str(self.version)

    def printed_fields(self) -> Mapping[str, Callable[[], object]]:
        version = self.version
        return {
            "major": lambda: Uint64(version.major),
            "minor": lambda: Uint64(version.minor),
            "patch": lambda: Uint64(version.patch),
            "pre": lambda: version.prerelease,
            "metadata": lambda: version.metadata,
            "original": lambda: version.original,
        }

    def methods(self) -> Mapping[str, tuple[Callable[..., object], GoSignature]]:
        version = self.version
        nothing, text = GoSignature(), GoSignature((GoType.STRING,))
        return {
            "String": (self.go_string, nothing),
            "Major": (lambda: Uint64(version.major), nothing),
            "Minor": (lambda: Uint64(version.minor), nothing),
            "Patch": (lambda: Uint64(version.patch), nothing),
            "Prerelease": (lambda: version.prerelease, nothing),
            "Metadata": (lambda: version.metadata, nothing),
            "IncMajor": (lambda: _made(version.next_major), nothing),
            "IncMinor": (lambda: _made(version.next_minor), nothing),
            "IncPatch": (lambda: _made(version.next_patch), nothing),
            "SetPrerelease": (lambda given: _made(version.with_prerelease, given), text),
            "SetMetadata": (lambda given: _made(version.with_metadata, given), text),
            "MarshalText": (lambda: str(version).encode(), nothing),
            "MarshalJSON": (f'"{version}"'.encode, nothing),
            "Value": (self.go_string, nothing),
        }


class VersionPointer(VersionValue):
    """A *semver.Version, as `semver` returns it."""

    __slots__ = ()
    go_type: ClassVar[str] = "*semver.Version"
    go_kind: ClassVar[str] = "ptr"

    def methods(self) -> Mapping[str, tuple[Callable[..., object], GoSignature]]:
        version = self.version
        other = GoSignature((GoType.VERSION,))
        return {
            **super().methods(),
            "Original": (lambda: version.original, GoSignature()),
            "Compare": (lambda given: _compared(version, _version_of(given)), other),
            "Equal": (lambda given: version == _version_of(given), other),
            "LessThan": (lambda given: version < _version_of(given), other),
            "LessThanEqual": (lambda given: version <= _version_of(given), other),
            "GreaterThan": (lambda given: version > _version_of(given), other),
            "GreaterThanEqual": (lambda given: version >= _version_of(given), other),
        }


def _made(make: Callable[..., Version], *arguments: str) -> VersionValue:
    try:
        return VersionValue(make(*arguments))
    except SemverError as error:
        raise FunctionError(str(error)) from error


def _version_of(value: object) -> Version:
    if isinstance(value, VersionPointer):
        return value.version
    raise FunctionError("runtime error: invalid memory address or nil pointer dereference")


def _compared(left: Version, right: Version) -> int:
    return (left > right) - (left < right)


@function("semver", GoType.STRING)
def semver(text: str) -> VersionPointer:
    """The version that the text spells."""
    return VersionPointer(_version(text))


@function("semverCompare", GoType.STRING, GoType.STRING)
def semver_compare(constraint: str, version: str) -> bool:
    """Whether the version is in the range that the constraint draws."""
    return _constraint(constraint).allows(_version(version))


@functools.lru_cache(maxsize=512)
def _constraint(text: str) -> Constraint:
    try:
        return Constraint.parse(text)
    except SemverError as error:
        raise FunctionError(str(error)) from error


@functools.lru_cache(maxsize=512)
def _version(text: str) -> Version:
    try:
        return Version.parse(text)
    except SemverError as error:
        raise FunctionError(str(error)) from error

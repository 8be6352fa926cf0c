"""Versions and version constraints as Masterminds/semver v3 reads them.

`Version.parse` is lenient (`v1.2` is 1.2.0), `Version.parse_strict` wants all of SemVer 2.
Precedence is SemVer's: build metadata does not count. PyPI's `semver` reads strict versions;
precedence is a key of ours, because numbers of a pre-release that do not fit 64 bits are words to
Masterminds, and because sorting an index of ten thousand versions wants the key computed once.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

import semver

from whipstaff.golang.strconv import quote

MAX_VERSION_BYTES = 256
MAX_CONSTRAINT_BYTES = 512
MAX_CONSTRAINT_GROUPS = 32
MAX_SEGMENT = (1 << 64) - 1

_LOOSE = re.compile(
    r"v?([0-9]+)(\.[0-9]+)?(\.[0-9]+)?"
    r"(-([0-9A-Za-z\-]+(\.[0-9A-Za-z\-]+)*))?"
    r"(\+([0-9A-Za-z\-]+(\.[0-9A-Za-z\-]+)*))?"
)
_NUMERIC = re.compile(r"[0-9]+")
_IDENTIFIER = re.compile(r"[0-9A-Za-z-]+")

_Key = tuple[int, int, int, bool, tuple[tuple[int, int, str], ...]]


class SemverError(ValueError):
    """A version or a constraint that cannot be read; the text is Masterminds'."""


@dataclass(frozen=True, slots=True, eq=False)
class Version:
    """One version; equality and order are SemVer's, so metadata and spelling do not count."""

    major: int
    minor: int
    patch: int
    prerelease: str = ""
    metadata: str = ""
    original: str = ""
    key: _Key = field(init=False, repr=False)

    def __post_init__(self) -> None:
        key = (
            self.major,
            self.minor,
            self.patch,
            not self.prerelease,
            _prerelease_key(self.prerelease),
        )
        object.__setattr__(self, "key", key)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a version that may lack parts, start with `v` or have leading zeros."""
        if _byte_length(text) > MAX_VERSION_BYTES:
            raise SemverError(f"version string is too long (max {MAX_VERSION_BYTES} bytes)")
        found = _LOOSE.fullmatch(text)
        if found is None:
            raise SemverError("invalid semantic version")
        major, minor, patch = (
            _segment((part or "0").removeprefix(".")) for part in found.group(1, 2, 3)
        )
        prerelease, metadata = found[5] or "", found[8] or ""
        if prerelease:
            _check_prerelease(prerelease)
        return cls(major, minor, patch, prerelease, metadata, text)

    @classmethod
    def parse_strict(cls, text: str) -> Self:
        """Read a complete SemVer 2 version."""
        if not text:
            raise SemverError("version string empty")
        if _byte_length(text) > MAX_VERSION_BYTES:
            raise SemverError(f"version string is too long (max {MAX_VERSION_BYTES} bytes)")
        try:
            read = semver.Version.parse(text) if text.isascii() else None
        except ValueError:
            read = None
        if read is None:
            raise SemverError(_why_not_strict(text))
        major, minor, patch = (
            _strict_segment(str(number)) for number in (read.major, read.minor, read.patch)
        )
        return cls(major, minor, patch, read.prerelease or "", read.build or "", text)

    def __str__(self) -> str:
        text = f"{self.major}.{self.minor}.{self.patch}"
        if self.prerelease:
            text += f"-{self.prerelease}"
        return f"{text}+{self.metadata}" if self.metadata else text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Version) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def __lt__(self, other: Self) -> bool:
        return self.key < other.key

    def __le__(self, other: Self) -> bool:
        return self.key <= other.key

    def __gt__(self, other: Self) -> bool:
        return self.key > other.key

    def __ge__(self, other: Self) -> bool:
        return self.key >= other.key

    def next_major(self) -> "Version":
        return self._next(self.major + 1, 0, 0, "major")

    def next_minor(self) -> "Version":
        return self._next(self.major, self.minor + 1, 0, "minor")

    def next_patch(self) -> "Version":
        """The release of this pre-release, otherwise the next patch."""
        patch = self.patch if self.prerelease else self.patch + 1
        return self._next(self.major, self.minor, patch, "patch")

    def with_prerelease(self, prerelease: str) -> "Version":
        if prerelease:
            _check_prerelease(prerelease)
        return self._renamed(Version(self.major, self.minor, self.patch, prerelease, self.metadata))

    def with_metadata(self, metadata: str) -> "Version":
        if metadata and not all(map(_IDENTIFIER.fullmatch, metadata.split("."))):
            raise SemverError("invalid metadata string")
        return self._renamed(Version(self.major, self.minor, self.patch, self.prerelease, metadata))

    def _next(self, major: int, minor: int, patch: int, which: str) -> "Version":
        if max(major, minor, patch) > MAX_SEGMENT:
            raise SemverError(f"{which} version increment would overflow uint64")
        return self._renamed(Version(major, minor, patch))

    def _renamed(self, version: "Version") -> "Version":
        prefix = "v" if self.original.startswith("v") else ""
        return Version(
            version.major,
            version.minor,
            version.patch,
            version.prerelease,
            version.metadata,
            f"{prefix}{version}",
        )


def _prerelease_key(prerelease: str) -> tuple[tuple[int, int, str], ...]:
    if not prerelease:
        return ()
    return tuple(_identifier_key(identifier) for identifier in prerelease.split("."))


def _identifier_key(identifier: str) -> tuple[int, int, str]:
    if _NUMERIC.fullmatch(identifier) and int(identifier) <= MAX_SEGMENT:
        return (0, int(identifier), "")
    return (1, 0, identifier)


def _byte_length(text: str) -> int:
    return len(text.encode("utf-8", "surrogateescape"))


def _segment(digits: str) -> int:
    try:
        return _strict_segment(digits)
    except SemverError as error:
        raise SemverError(f"error parsing version segment: {error}") from error


def _strict_segment(digits: str) -> int:
    number = int(digits)
    if number > MAX_SEGMENT:
        raise SemverError(f"strconv.ParseUint: parsing {quote(digits)}: value out of range")
    return number


def _check_prerelease(prerelease: str) -> None:
    for identifier in prerelease.split("."):
        if not _IDENTIFIER.fullmatch(identifier):
            raise SemverError("invalid prerelease string")
        if len(identifier) > 1 and identifier[0] == "0" and _NUMERIC.fullmatch(identifier):
            raise SemverError("version segment starts with 0")


def _why_not_strict(text: str) -> str:
    major, _, rest = text.partition(".")
    minor, dot, patch = rest.partition(".")
    if not dot:
        return "invalid semantic version"
    patch, plus, metadata = patch.partition("+")
    if plus and not all(map(_IDENTIFIER.fullmatch, metadata.split("."))):
        return "invalid metadata string"
    patch, dash, prerelease = patch.partition("-")
    if dash:
        try:
            _check_prerelease(prerelease)
        except SemverError as error:
            return str(error)
    for part in (major, minor, patch):
        if part and not _NUMERIC.fullmatch(part):
            return "invalid characters in version"
        if len(part) > 1 and part[0] == "0":
            return "version segment starts with 0"
    return 'strconv.ParseUint: parsing "": invalid syntax'


_PATTERN = (
    r"v?([0-9|x|X|\*]+)(\.[0-9|x|X|\*]+)?(\.[0-9|x|X|\*]+)?"
    r"(-([0-9A-Za-z\-]+(\.[0-9A-Za-z\-]+)*))?"
    r"(\+([0-9A-Za-z\-]+(\.[0-9A-Za-z\-]+)*))?"
)
# Alternatives are tried in this order: `>= 1` is found as `>=` because nothing shorter lets the
# version follow.
_OPERATORS = r"=||!=|>|<|>=|=>|<=|=<|~|~>|\^"
_SPACE = r"[\t\n\f\r ]"  # Go's \s, which knows no vertical tab
_ONE = re.compile(rf"{_SPACE}*({_OPERATORS}){_SPACE}*({_PATTERN}){_SPACE}*")
_RANGE = re.compile(rf"{_SPACE}*({_PATTERN}){_SPACE}+-{_SPACE}+({_PATTERN}){_SPACE}*")
_EACH = re.compile(rf"(?:{_OPERATORS}){_SPACE}*(?:{_PATTERN})")
_GROUP = re.compile(
    rf"(?:{_SPACE}*(?:{_OPERATORS}){_SPACE}*(?:{_PATTERN}){_SPACE}*)"
    rf"(?:(?:{_SPACE}+|,{_SPACE}*)(?:{_OPERATORS}){_SPACE}*(?:{_PATTERN}){_SPACE}*)*"
)
_WILDCARDS = frozenset({"x", "X", "*"})


@dataclass(frozen=True, slots=True)
class _Comparison:
    """One operator and one version; `dirty` says that parts were left open, and which."""

    operator: str
    spelled: str
    bound: Version
    dirty: bool = False
    minor_dirty: bool = False
    patch_dirty: bool = False

    def allows(self, version: Version, *, prereleases: bool) -> bool:
        if version.prerelease and not prereleases:
            return False
        return _CHECKS[self.operator](version, self)


@dataclass(frozen=True, slots=True)
class Constraint:
    """Groups joined by `||`, each a conjunction; a pre-release needs a group that names one."""

    groups: tuple[tuple[_Comparison, ...], ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a constraint such as `^1.2`, `~1`, `>=1.0 <2`, `1.x || 2.0 - 2.4`."""
        if _byte_length(text) > MAX_CONSTRAINT_BYTES:
            raise SemverError(f"constraint string is too long (max {MAX_CONSTRAINT_BYTES} bytes)")
        groups = _ranges_spelled_out(text).split("||")
        if len(groups) > MAX_CONSTRAINT_GROUPS:
            raise SemverError(f"too many constraint groups (max {MAX_CONSTRAINT_GROUPS})")
        return cls(tuple(_parse_group(group) for group in groups))

    def allows(self, version: Version, *, include_prerelease: bool = False) -> bool:
        for group in self.groups:
            prereleases = include_prerelease or any(one.bound.prerelease for one in group)
            if all(one.allows(version, prereleases=prereleases) for one in group):
                return True
        return False

    def __str__(self) -> str:
        return " || ".join(
            " ".join(one.operator + one.spelled for one in group) for group in self.groups
        )


def _ranges_spelled_out(text: str) -> str:
    spelled = text
    for found in _RANGE.finditer(text):
        spelled = spelled.replace(found[0], f">= {found[1]}, <= {found[11]} ", 1)
    return spelled


def _parse_group(group: str) -> tuple[_Comparison, ...]:
    if not _GROUP.fullmatch(group):
        raise SemverError(f"improper constraint: {quote(group)}")
    return tuple(_parse_comparison(found[0]) for found in _EACH.finditer(group))


def _parse_comparison(text: str) -> _Comparison:
    found = _ONE.fullmatch(text)
    if found is None:
        raise SemverError(f"improper constraint: {quote(text)}")
    operator, spelled, major, minor, patch = found.group(1, 2, 3, 4, 5)
    suffix = found[6] or ""
    if major in _WILDCARDS:
        return _Comparison(operator, spelled, _bound(f"0.0.0{suffix}"), dirty=True)
    if _is_open(minor):
        bound = _bound(f"{major}.0.0{suffix}")
        return _Comparison(operator, spelled, bound, dirty=True, minor_dirty=True)
    if _is_open(patch):
        bound = _bound(f"{major}{minor}.0{suffix}")
        return _Comparison(operator, spelled, bound, dirty=True, patch_dirty=True)
    return _Comparison(operator, spelled, _bound(spelled))


def _is_open(segment: str | None) -> bool:
    return not segment or segment.removeprefix(".") in _WILDCARDS


def _bound(text: str) -> Version:
    try:
        return Version.parse(text)
    except SemverError as error:
        raise SemverError("constraint parser error") from error


def _equal(version: Version, wanted: _Comparison) -> bool:
    return _tilde(version, wanted) if wanted.dirty else version == wanted.bound


def _not_equal(version: Version, wanted: _Comparison) -> bool:
    if not wanted.dirty:
        return version != wanted.bound
    if version.major != wanted.bound.major:
        return True
    if wanted.minor_dirty:
        return False
    if version.minor != wanted.bound.minor:
        return True
    if wanted.patch_dirty:
        return version.prerelease != wanted.bound.prerelease
    return version.patch != wanted.bound.patch or version != wanted.bound


def _greater(version: Version, wanted: _Comparison) -> bool:
    if not wanted.dirty:
        return version > wanted.bound
    if version.major != wanted.bound.major:
        return version.major > wanted.bound.major
    if wanted.minor_dirty:
        return False
    if wanted.patch_dirty:
        return version.minor > wanted.bound.minor
    return version > wanted.bound


def _less(version: Version, wanted: _Comparison) -> bool:
    return version < wanted.bound


def _greater_or_equal(version: Version, wanted: _Comparison) -> bool:
    return version >= wanted.bound


def _less_or_equal(version: Version, wanted: _Comparison) -> bool:
    if not wanted.dirty:
        return version <= wanted.bound
    if version.major != wanted.bound.major:
        return version.major < wanted.bound.major
    return wanted.minor_dirty or version.minor <= wanted.bound.minor


def _tilde(version: Version, wanted: _Comparison) -> bool:
    bound = wanted.bound
    if version < bound:
        return False
    # `~0.0.0`, and so `*`, is any version from 0.0.0 on.
    if not (bound.major or bound.minor or bound.patch or wanted.minor_dirty or wanted.patch_dirty):
        return True
    if version.major != bound.major:
        return False
    return wanted.minor_dirty or version.minor == bound.minor


def _caret(version: Version, wanted: _Comparison) -> bool:
    bound = wanted.bound
    if version < bound:
        return False
    if bound.major > 0 or wanted.minor_dirty:
        return version.major == bound.major
    if version.major > 0:
        return False
    if bound.minor > 0 or wanted.patch_dirty:
        return version.minor == bound.minor
    return version.minor == 0 and version.patch == bound.patch


_CHECKS: dict[str, Callable[[Version, _Comparison], bool]] = {
    "": _equal,
    "=": _equal,
    "!=": _not_equal,
    ">": _greater,
    "<": _less,
    ">=": _greater_or_equal,
    "=>": _greater_or_equal,
    "<=": _less_or_equal,
    "=<": _less_or_equal,
    "~": _tilde,
    "~>": _tilde,
    "^": _caret,
}

"""sprig's regular expressions, in RE2's syntax.

`regexMatch` takes a broken pattern for one that matches nothing; the others fail, those without
`must` with the text of Go's panic.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from whipstaff.golang import regexp
from whipstaff.golang.nil_values import NilStrings
from whipstaff.golang.values import Strings
from whipstaff.template.errors import FunctionError, LimitExceeded
from whipstaff.template.functions.bounds import MAX_ELEMENTS
from whipstaff.template.functions.registry import Function, GoType, function

if TYPE_CHECKING:
    from collections.abc import Callable

FAMILY: dict[str, Function] = {}

S = GoType.STRING
N = GoType.INT


def _compiled(pattern: str) -> regexp.Regexp:
    try:
        return regexp.compile_pattern(pattern)
    except regexp.RegexpError as error:
        raise FunctionError(str(error)) from error


def _must_compile(pattern: str) -> regexp.Regexp:
    try:
        return regexp.compile_pattern(pattern)
    except regexp.RegexpError as error:
        raise FunctionError(regexp.must_compile_text(pattern, error)) from error


@function("regexMatch", S, S)
def regex_match(pattern: str, text: str) -> bool:
    """Whether the pattern matches anywhere."""
    try:
        return regexp.compile_pattern(pattern).matches(text)
    except regexp.RegexpError:
        return False


@function("mustRegexMatch", S, S)
def must_regex_match(pattern: str, text: str) -> bool:
    """Whether the pattern matches anywhere."""
    return _compiled(pattern).matches(text)


@function("regexFind", S, S)
def regex_find(pattern: str, text: str) -> str:
    """The first match."""
    return _must_compile(pattern).find(text)


@function("mustRegexFind", S, S)
def must_regex_find(pattern: str, text: str) -> str:
    """The first match."""
    return _compiled(pattern).find(text)


@function("regexFindAll", S, S, N)
def regex_find_all(pattern: str, text: str, limit: int) -> Strings:
    """Up to `limit` matches."""
    return _strings(_must_compile(pattern).find_all(text, limit))


@function("mustRegexFindAll", S, S, N)
def must_regex_find_all(pattern: str, text: str, limit: int) -> Strings:
    """Up to `limit` matches."""
    return _strings(_compiled(pattern).find_all(text, limit))


@function("regexSplit", S, S, N)
def regex_split(pattern: str, text: str, limit: int) -> Strings:
    """What is between the matches."""
    return _strings(_must_compile(pattern).split(text, limit))


@function("mustRegexSplit", S, S, N)
def must_regex_split(pattern: str, text: str, limit: int) -> Strings:
    """What is between the matches."""
    return _strings(_compiled(pattern).split(text, limit))


def _strings(found: list[str] | None) -> Strings:
    return NilStrings() if found is None else Strings(found)


@function("regexReplaceAll", S, S, S)
def regex_replace_all(pattern: str, text: str, replacement: str) -> str:
    """The text with its matches replaced, groups expanded."""
    return _bounded(_must_compile(pattern).replace_all, text, replacement)


@function("mustRegexReplaceAll", S, S, S)
def must_regex_replace_all(pattern: str, text: str, replacement: str) -> str:
    """The text with its matches replaced, groups expanded."""
    return _bounded(_compiled(pattern).replace_all, text, replacement)


@function("regexReplaceAllLiteral", S, S, S)
def regex_replace_all_literal(pattern: str, text: str, replacement: str) -> str:
    """The text with its matches replaced."""
    return _bounded(_must_compile(pattern).replace_all_literal, text, replacement)


@function("mustRegexReplaceAllLiteral", S, S, S)
def must_regex_replace_all_literal(pattern: str, text: str, replacement: str) -> str:
    """The text with its matches replaced."""
    return _bounded(_compiled(pattern).replace_all_literal, text, replacement)


def _bounded(replace: Callable[[str, str, int], str], text: str, replacement: str) -> str:
    try:
        return replace(text, replacement, MAX_ELEMENTS)
    except regexp.TooLong as error:
        raise LimitExceeded(str(error)) from error


@function("regexQuoteMeta", S)
def regex_quote_meta(text: str) -> str:
    """A pattern that matches this text alone."""
    return regexp.quote_meta(text)

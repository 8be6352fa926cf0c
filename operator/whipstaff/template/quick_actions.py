"""Parse an action in its most common forms: operands, calls, pipelines, parentheses.

What is read here must be read by `parser`, and to the same nodes. Everything else, and all that may
be an error, is left to it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from whipstaff.template.lexer import WORDS, Kind
from whipstaff.template.nodes import (
    Bool,
    Chain,
    Command,
    Dot,
    Field,
    Identifier,
    Nil,
    Node,
    Number,
    Pipe,
    String,
    Variable,
)

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

_BLANK = r"[ \t\r\n]"
_END = rf"(?={_BLANK}|[|)]|\Z)"
_FIELDS = r"(?:\.(?![0-9])\w+)+"

_KEYWORD = re.compile(
    rf"{_BLANK}*+(end|else|if|with|range|template|define|block|break|continue)(?={_BLANK}|\Z)"
)
_CHAINED = re.compile(rf"{_BLANK}++(if|with)(?={_BLANK})")
_NAME = re.compile(rf"{_BLANK}++(\"[^\"\\\n]*+\")(?={_BLANK}|\Z)")
_REST = re.compile(rf"{_BLANK}*+\Z")
_DECLARATION = re.compile(
    rf"{_BLANK}*+(\$\w+)(?:,{_BLANK}*+(\$\w+))?(?:{_BLANK}*+:=|{_BLANK}++(=)(?!=))"
)
_TOKEN = re.compile(
    rf"{_BLANK}*+(?:"
    rf"({_FIELDS}){_END}"
    rf"|([^\W0-9]\w*){_END}"
    rf"|(\"[^\"\\\n]*+\"){_END}"
    rf"|(\$\w*)({_FIELDS})?{_END}"
    rf"|(\|)"
    rf"|(\()"
    rf"|(\))({_FIELDS})?{_END}"
    rf"|(0|[1-9][0-9]{{0,15}}){_END}"
    rf"|(\.){_END}"
    rf"|(\Z))"
)
_FIELD, _WORD, _STRING, _VARIABLE, _FIELDS_OF_VARIABLE, _PIPE, _LEFT, _RIGHT = range(1, 9)
_FIELDS_OF_RIGHT, _NUMBER, _DOT, _NOTHING = range(9, 13)

_WITH_NAME = frozenset({Kind.TEMPLATE, Kind.DEFINE, Kind.BLOCK})
_WITH_PIPE = frozenset({Kind.IF, Kind.WITH, Kind.RANGE, Kind.BLOCK})
_VALUES = Bool, Dot, Nil, Number, String  # what cannot be given an argument
_MAX_NESTING = 100


# What `_stages` reads, as one expression, unless its parentheses are nested deeper than most.
_LITERAL = rf"{_BLANK}*+(?:(?:true|false|nil){_END}|[\"0-9]|\.{_END})"
_OPERAND = (
    rf"(?:\.(?:(?![0-9])\w++|\Z|(?=[ \t\r\n|)]))(?:\.(?![0-9])\w++)*+"
    rf"|[^\W0-9]\w*+|\"[^\"\\\n]*+\"|\$\w*+(?:\.(?![0-9])\w++)*+|0|[1-9][0-9]{{0,15}}+){_END}"
)


def _in_order(depth: int) -> str:
    operand = _OPERAND
    if depth:
        inside = _in_order(depth - 1)
        operand = rf"(?:{_OPERAND}|\({inside}{_BLANK}*+\)(?:{_FIELDS})?+{_END})"
    command = rf"(?:{_BLANK}*+{operand})++"
    return rf"{command}(?:{_BLANK}*+\|(?!{_LITERAL}){command})*+"


_PIPELINE = re.compile(rf"{_BLANK}*+((?!{_BLANK}){_in_order(3)}){_BLANK}*+\Z")
_NAMES = re.compile(r"\"[^\"\\\n]*+\"|\.\w++|(\$\w*+|[^\W0-9]\w*+)")
_CONSTANTS = frozenset({"true", "false", "nil"})


class Unusual(Exception):
    """An action is not for the quick way."""


class ActionText(NamedTuple):
    """What one action says, wherever it stands; positions count from behind its left delimiter.

    `kind` is that of its keyword, 0 where it has none, and `chained` that of an if or with behind
    an else. It may stand where the variables in `needs` are known, and adds those in `declares`.
    """

    kind: int
    chained: int
    position: int
    name: str
    pipe: Pipe | None
    needs: Sequence[str]
    declares: Sequence[str]


class UnreadPipe(Pipe):
    """A pipeline that is in order, of which nobody has asked for more."""

    __slots__ = ("_from", "_functions", "_inner", "_read")

    def __init__(self, position: int, inner: str, begins: int, functions: Container[str]) -> None:
        self.position = position
        self.variables = []
        self.assigns = False
        self.evaluate = None
        self._inner = inner
        self._from = begins
        self._functions = functions
        self._read: list[Command] | None = None

    @property
    def commands(self) -> list[Command]:  # type: ignore[override]  # nobody sets those of a pipe
        """What stands in it, read now."""
        if self._read is None:
            self._read = _Reader(self._inner, self._functions).commands(self._from)
        return self._read


def read(inner: str, functions: Container[str]) -> ActionText:
    """What the text between the delimiters of an action says; Unusual if another must tell."""
    reader = _Reader(inner, functions)
    found = _KEYWORD.match(inner)
    if found is None:
        pipe = reader.pipeline(0)
        return ActionText(0, 0, reader.first, "", pipe, reader.needs, reader.declares)
    kind, chained, name, position, end = WORDS[found[1]], 0, "", 0, found.end()
    if kind in _WITH_NAME:
        if (found := _NAME.match(inner, end)) is None:
            raise Unusual
        name, position, end = found[1][1:-1], found.start(1), found.end()
    elif kind == Kind.ELSE and (found := _CHAINED.match(inner, end)):
        chained, end = WORDS[found[1]], found.end()
    is_over = _REST.match(inner, end) is not None
    if is_over and not chained and kind not in _WITH_PIPE:
        return ActionText(kind, 0, position, name, None, (), ())
    if is_over or (not chained and kind not in _WITH_PIPE and kind != Kind.TEMPLATE):
        raise Unusual
    pipe = reader.pipeline(end, is_range=kind == Kind.RANGE)
    position = position if name else pipe.position
    return ActionText(kind, chained, position, name, pipe, reader.needs, reader.declares)


def _start(found: re.Match[str]) -> int:
    kind = found.lastindex or 0
    return found.start(_VARIABLE if kind == _FIELDS_OF_VARIABLE else kind)


class _Reader:
    """Reads the pipeline of one action."""

    def __init__(self, inner: str, functions: Container[str]) -> None:
        self._inner = inner
        self._functions = functions
        self.needs: list[str] = []
        self.declares: list[str] = []
        self.first = 0

    def pipeline(self, position: int, *, is_range: bool = False) -> Pipe:
        """The pipeline that begins here and takes the rest of the action."""
        declaration = _DECLARATION.match(self._inner, position) if "=" in self._inner else None
        if declaration is None:
            pipe = self._unread(position) or self._stages(position, 0)[0]
            self.first = pipe.position
            return pipe
        one, two, assigns = declaration.groups()
        if two and not is_range:
            raise Unusual
        self.declares += [one, two] if two else [one]
        pipe = self._unread(declaration.end()) or self._stages(declaration.end(), 0)[0]
        self.first = pipe.position = declaration.start(1)
        pipe.variables.append(Variable(pipe.position, (one,)))
        if two:
            pipe.variables.append(Variable(declaration.start(2), (two,)))
        pipe.assigns = assigns is not None
        return pipe

    def commands(self, position: int) -> list[Command]:
        """What stands in a pipeline without its declaration."""
        return self._stages(position, 0)[0].commands

    def _unread(self, position: int) -> UnreadPipe | None:
        """The pipeline, if one look suffices to know that it is in order."""
        found = _PIPELINE.match(self._inner, position)
        if found is None:
            return None
        for name in _NAMES.findall(self._inner, position):
            if not name or name in self._functions or name in _CONSTANTS:
                continue
            if name[0] != "$":
                raise Unusual
            if name not in self.declares:
                self.needs.append(name)
        return UnreadPipe(found.start(1), self._inner, position, self._functions)

    def _stages(  # noqa: C901, PLR0912 - one branch for each kind of token
        self, position: int, nesting: int
    ) -> tuple[Pipe, re.Match[str]]:
        """The commands up to the end, or to the parenthesis that closes them; that token too."""
        if nesting > _MAX_NESTING:
            raise Unusual
        inner, match = self._inner, _TOKEN.match
        found = match(inner, position)
        if found is None:
            raise Unusual
        start = _start(found)
        pipe = Pipe(start)
        operands: list[Node] = []
        while True:
            kind = found.lastindex
            if kind == _FIELD:
                names = tuple(found[1][1:].split("."))
                at = found.start(1)
                # A chain's place is that of its second field.
                operands.append(Field(at + len(names[0]) + 1 if len(names) > 1 else at, names))
            elif kind == _WORD:
                operands.append(self._word(found))
            elif kind == _LEFT:
                inside, found = self._stages(found.end(), nesting + 1)
                fields = found[_FIELDS_OF_RIGHT]
                operands.append(
                    inside
                    if fields is None
                    else Chain(found.start(_FIELDS_OF_RIGHT), inside, tuple(fields[1:].split(".")))
                )
            elif (kind is not None and kind < _PIPE) or kind in (_NUMBER, _DOT):
                operands.append(self._operand(kind, found))
            else:
                self._stage(pipe, start, operands)
                if kind != _PIPE:
                    if (kind == _NOTHING) is (nesting > 0):
                        raise Unusual
                    return pipe, found
                operands = []
            found = match(inner, found.end())
            if found is None:
                raise Unusual
            if not operands:
                start = _start(found)

    def _stage(self, pipe: Pipe, start: int, operands: list[Node]) -> None:
        if not operands or (pipe.commands and isinstance(operands[0], _VALUES)):
            raise Unusual
        pipe.commands.append(Command(start, operands))

    def _word(self, found: re.Match[str]) -> Node:
        text, at = found[_WORD], found.start(_WORD)
        if text in WORDS:
            if text == "nil":
                return Nil(at)
            if WORDS[text] != Kind.BOOL:
                raise Unusual
            return Bool(at, text == "true")
        if text not in self._functions:
            raise Unusual
        return Identifier(at, text)

    def _operand(self, kind: int | None, found: re.Match[str]) -> Node:
        if kind == _STRING:
            text = found[_STRING]
            return String(found.start(_STRING), text, text[1:-1])
        if kind == _NUMBER:
            number = int(found[_NUMBER])
            return Number(found.start(_NUMBER), found[_NUMBER], number, number, float(number))
        if kind == _DOT:
            return Dot(found.start(_DOT))
        name, fields = found[_VARIABLE], found[_FIELDS_OF_VARIABLE]
        if name not in self.declares:
            self.needs.append(name)
        if fields is None:
            return Variable(found.start(_VARIABLE), (name,))
        return Variable(found.start(_FIELDS_OF_VARIABLE), (name, *fields[1:].split(".")))

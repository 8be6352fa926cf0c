"""Parse a template into its syntax trees, as Go's text/template/parse does, errors included."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NoReturn

from whipstaff.golang.strconv import NumberError, parse_float, parse_int, quote
from whipstaff.template.lexer import Kind, Token, describe, tokens_of
from whipstaff.template.nodes import (
    Action,
    Body,
    Bool,
    Break,
    Chain,
    Command,
    Continue,
    Dot,
    Else,
    End,
    Field,
    Identifier,
    If,
    Nil,
    Node,
    Number,
    Pipe,
    Range,
    String,
    Template,
    Text,
    Variable,
    With,
    is_empty,
)

if TYPE_CHECKING:
    from collections.abc import Container

MAX_NESTING = 500  # parentheses, and control actions in each other; Go allows 10,000

_ESCAPE = re.compile(
    r"\\(?:([abfnrtv\\'\"])|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|.)",
    re.DOTALL,
)
_SIMPLE = {
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
    "\\": "\\",
    "'": "'",
    '"': '"',
}

# Local names: the parser compares kinds some ten times per token.
ERROR = int(Kind.ERROR)
BOOL = int(Kind.BOOL)
CHAR = int(Kind.CHAR)
CHAR_CONSTANT = int(Kind.CHAR_CONSTANT)
COMPLEX = int(Kind.COMPLEX)
ASSIGN = int(Kind.ASSIGN)
DECLARE = int(Kind.DECLARE)
EOF = int(Kind.EOF)
FIELD = int(Kind.FIELD)
IDENTIFIER = int(Kind.IDENTIFIER)
LEFT_DELIM = int(Kind.LEFT_DELIM)
LEFT_PAREN = int(Kind.LEFT_PAREN)
NUMBER = int(Kind.NUMBER)
PIPE = int(Kind.PIPE)
RAW_STRING = int(Kind.RAW_STRING)
RIGHT_DELIM = int(Kind.RIGHT_DELIM)
RIGHT_PAREN = int(Kind.RIGHT_PAREN)
STRING = int(Kind.STRING)
TEXT = int(Kind.TEXT)
VARIABLE = int(Kind.VARIABLE)
BLOCK = int(Kind.BLOCK)
BREAK = int(Kind.BREAK)
CONTINUE = int(Kind.CONTINUE)
DOT = int(Kind.DOT)
DEFINE = int(Kind.DEFINE)
ELSE = int(Kind.ELSE)
END = int(Kind.END)
IF = int(Kind.IF)
NIL = int(Kind.NIL)
RANGE = int(Kind.RANGE)
TEMPLATE = int(Kind.TEMPLATE)
WITH = int(Kind.WITH)

_OPERANDS = frozenset(
    (
        BOOL,
        CHAR_CONSTANT,
        COMPLEX,
        DOT,
        FIELD,
        IDENTIFIER,
        NUMBER,
        NIL,
        RAW_STRING,
        STRING,
        VARIABLE,
        LEFT_PAREN,
    )
)


class ParseError(Exception):
    """A template is no template; the text is Go's: `template: NAME:LINE: …`."""

    def __init__(self, text: str, line: int) -> None:
        super().__init__(text)
        self.line = line


def parse(name: str, source: str, functions: Container[str]) -> dict[str, Body]:
    """The trees that `source` defines, its own under `name`."""
    return _Parser(name, source, functions).run()


def unquote(literal: str) -> str | None:
    """The text of a quoted or raw Go string literal; None if it is malformed."""
    if literal[0] == "`":
        return literal[1:-1].replace("\r", "")
    inside = literal[1:-1]
    if "\\" not in inside:
        return inside
    return unescape(inside, literal[0])


def unescape(text: str, delimiter: str) -> str | None:
    """Resolve Go's escapes; None if one is unknown or unfit for this delimiter."""
    parts: list[bytes] = []
    position = 0
    for found in _ESCAPE.finditer(text):
        parts.append(text[position : found.start()].encode("utf-8", "surrogateescape"))
        position = found.end()
        simple, byte, short, wide, octal = found.groups()
        if simple is not None:
            if simple in "'\"" and simple != delimiter:
                return None
            parts.append(_SIMPLE[simple].encode())
        elif byte is not None or octal is not None:
            value = int(byte, 16) if byte is not None else int(octal, 8)
            if value > 0xFF:
                return None
            parts.append(bytes((value,)))
        elif short is not None or wide is not None:
            code = int(short or wide, 16)
            if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
                return None
            parts.append(chr(code).encode())
        else:
            return None
    parts.append(text[position:].encode("utf-8", "surrogateescape"))
    return b"".join(parts).decode("utf-8", "surrogateescape")


class _Parser:
    def __init__(self, name: str, source: str, functions: Container[str]) -> None:
        self.name = name
        self.source = source
        self.functions = functions
        self.tokens = tokens_of(source)
        self.at = 0
        self.trees: dict[str, Body] = {}
        self.variables = ["$"]
        self.ranges = 0
        self.nesting = 0
        self.action_line = 0

    # -- errors --------------------------------------------------------------------------------

    def line_of(self, token: Token) -> int:
        return 1 + self.source.count("\n", 0, token.pos)

    def fail(self, text: str, token: Token | None = None) -> NoReturn:
        # Go names the line of the token that was cut last: the one after those consumed, if peeked.
        if token is None:
            token = self.tokens[max(self.at - 1, 0)]
        line = self.line_of(token)
        raise ParseError(f"template: {self.name}:{line}: {text}", line)

    def unexpected(self, token: Token, context: str) -> NoReturn:
        if token.kind == ERROR:
            text = token.text
            if self.action_line and self.action_line != self.line_of(token):
                where = f" in action started at {self.name}:{self.action_line}"
                if text.endswith(" action"):
                    where = where.removeprefix(" in action")
                text += where
            self.fail(text, token)
        self.fail(f"unexpected {describe(token)} in {context}", token)

    def next(self) -> Token:
        token = self.tokens[self.at]
        if self.at < len(self.tokens) - 1:
            self.at += 1
        return token

    def expect(self, kind: int, context: str) -> Token:
        token = self.next()
        if token.kind != kind:
            self.unexpected(token, context)
        return token

    # -- structure -----------------------------------------------------------------------------

    def run(self) -> dict[str, Body]:
        tokens = self.tokens
        root = Body(tokens[0].pos)
        while tokens[self.at].kind != EOF:
            if tokens[self.at].kind == LEFT_DELIM and tokens[self.at + 1].kind == DEFINE:
                self.at += 2
                self.definition()
                continue
            node = self.text_or_action()
            if isinstance(node, End | Else):
                self.fail(f"unexpected {node}")
            root.nodes.append(node)
        self.add(self.name, root)
        return self.trees

    def definition(self) -> None:
        context = "define clause"
        token = self.next()
        if token.kind not in {STRING, RAW_STRING}:
            self.unexpected(token, context)
        name = self.unquoted(token)
        self.expect(RIGHT_DELIM, context)
        self.add(name, self.apart(context))

    def apart(self, context: str) -> Body:
        """The body of a define or block: its own variables, its own ranges."""
        outer = self.variables, self.ranges, self.action_line
        self.variables, self.ranges, self.action_line = ["$"], 0, 0
        body, end = self.body()
        if not isinstance(end, End):
            self.fail(f"unexpected {end} in {context}")
        self.variables, self.ranges, self.action_line = outer
        return body

    def add(self, name: str, root: Body) -> None:
        known = self.trees.get(name)
        if known is None or is_empty(known):
            self.trees[name] = root
        elif not is_empty(root):
            self.fail(f"template: multiple definition of template {quote(name)}")

    def body(self) -> tuple[Body, Node]:
        """Nodes up to an end or else, and that node."""
        tokens = self.tokens
        body = Body(tokens[self.at].pos)
        self.nesting += 1
        if self.nesting > MAX_NESTING:
            self.fail("max expression depth exceeded")
        append = body.nodes.append
        while tokens[self.at].kind != EOF:
            node = self.text_or_action()
            if isinstance(node, End | Else):
                self.nesting -= 1
                return body, node
            append(node)
        self.fail("unexpected EOF", tokens[self.at])

    def text_or_action(self) -> Node:
        kind, position, text = token = self.next()
        if kind == TEXT:
            return Text(position, text)
        if kind == LEFT_DELIM:
            outer, self.action_line = self.action_line, self.line_of_action(position)
            node = self.action()
            self.action_line = outer if not isinstance(node, End | Else) else 0
            return node
        self.unexpected(token, "input")

    def line_of_action(self, position: int) -> int:
        # Only an error that runs past its line needs it: an unclosed action, at the very end.
        if self.tokens[-1].kind != ERROR:
            return 0
        return 1 + self.source.count("\n", 0, position)

    def action(self) -> Node:
        token = self.tokens[self.at]
        match token.kind:
            case Kind.IF | Kind.WITH | Kind.RANGE:
                self.at += 1
                return self.control(token.kind)
            case Kind.END:
                self.at += 1
                return End(self.expect(RIGHT_DELIM, "end").pos)
            case Kind.ELSE:
                self.at += 1
                return self.otherwise()
            case Kind.TEMPLATE:
                self.at += 1
                return self.template()
            case Kind.BLOCK:
                self.at += 1
                return self.block()
            case Kind.BREAK | Kind.CONTINUE:
                self.at += 1
                return self.jump(token)
            case _:
                return Action(token.pos, self.pipeline("command", RIGHT_DELIM))

    def jump(self, token: Token) -> Node:
        word = f"{{{{{token.text}}}}}"
        after = self.next()
        if after.kind != RIGHT_DELIM:
            self.unexpected(after, word)
        if not self.ranges:
            self.fail(f"{word} outside {{{{range}}}}")
        return Break(token.pos) if token.kind == BREAK else Continue(token.pos)

    def otherwise(self) -> Node:
        token = self.tokens[self.at]
        if token.kind in {IF, WITH}:
            return Else(token.pos)
        return Else(self.expect(RIGHT_DELIM, "else").pos)

    def control(self, kind: int) -> Node:
        context = "if" if kind == IF else "with" if kind == WITH else "range"
        known = len(self.variables)
        pipe = self.pipeline(context, RIGHT_DELIM)
        self.ranges += kind == RANGE
        body, end = self.body()
        self.ranges -= kind == RANGE
        otherwise: Body | None = None
        if isinstance(end, Else):
            if kind in {IF, WITH} and self.tokens[self.at].kind == kind:
                # {{else if}} is {{else}}{{if}} whose {{end}} closes both.
                self.at += 1
                self.nesting += 1
                if self.nesting > MAX_NESTING:
                    self.fail("max expression depth exceeded")
                otherwise = Body(end.position, [self.control(kind)])
                self.nesting -= 1
            else:
                otherwise, end = self.body()
                if not isinstance(end, End):
                    self.fail(f"expected end; found {end}")
        del self.variables[known:]
        make = If if kind == IF else With if kind == WITH else Range
        return make(pipe.position, pipe, body, otherwise)

    def template(self) -> Node:
        context = "template clause"
        token = self.next()
        name = self.template_name(token, context)
        pipe = None
        if self.tokens[self.at].kind == RIGHT_DELIM:
            self.at += 1
        else:
            pipe = self.pipeline(context, RIGHT_DELIM)
        return Template(token.pos, name, pipe)

    def block(self) -> Node:
        context = "block clause"
        token = self.next()
        name = self.template_name(token, context)
        pipe = self.pipeline(context, RIGHT_DELIM)
        self.add(name, self.apart(context))
        return Template(token.pos, name, pipe)

    def template_name(self, token: Token, context: str) -> str:
        if token.kind not in {STRING, RAW_STRING}:
            self.unexpected(token, context)
        return self.unquoted(token)

    def unquoted(self, token: Token) -> str:
        text = unquote(token.text)
        if text is None:
            self.fail("invalid syntax", token)
        return text

    # -- pipelines -----------------------------------------------------------------------------

    def pipeline(self, context: str, end: int) -> Pipe:
        tokens = self.tokens
        pipe = Pipe(tokens[self.at].pos)
        while tokens[self.at].kind == VARIABLE:
            if not self.declaration(pipe, context):
                break
        while True:
            token = tokens[self.at]
            kind = token.kind
            if kind == end:
                self.at += 1
                self.check(pipe, context)
                return pipe
            if kind not in _OPERANDS:
                self.at += 1
                self.unexpected(token, context)
            pipe.commands.append(self.command())

    def declaration(self, pipe: Pipe, context: str) -> bool:
        """Take `$x :=`, `$x =` or `$x,`; whether another variable may follow."""
        variable, mark = self.tokens[self.at], self.tokens[self.at + 1]
        declares = mark.kind in {ASSIGN, DECLARE}
        if not declares and not (mark.kind == CHAR and mark.text == ","):
            return False
        self.at += 2
        pipe.variables.append(Variable(variable.pos, (variable.text,)))
        self.variables.append(variable.text)
        if declares:
            pipe.assigns = mark.kind == ASSIGN
            return False
        if context == "range" and len(pipe.variables) < 2:
            following = self.tokens[self.at]
            if following.kind in {VARIABLE, RIGHT_DELIM, RIGHT_PAREN}:
                return True
            self.fail("range can only initialize variables", following)
        self.fail(f"too many declarations in {context}", self.tokens[self.at - 1])

    def check(self, pipe: Pipe, context: str) -> None:
        if not pipe.commands:
            self.fail(f"missing value for {context}")
        for stage, command in enumerate(pipe.commands[1:], 2):
            if isinstance(command.operands[0], Bool | Dot | Nil | Number | String):
                self.fail(f"non executable command in pipeline stage {stage}")

    def command(self) -> Command:
        tokens = self.tokens
        command = Command(tokens[self.at].pos)
        while True:
            before = self.at
            operand = self.operand()
            if operand is not None:
                command.operands.append(operand)
            token = tokens[self.at]
            kind = token.kind
            if kind in (RIGHT_DELIM, RIGHT_PAREN):
                break
            if kind == PIPE:
                self.at += 1
                break
            last = tokens[self.at - 1]
            if self.at == before or last.pos + len(last.text) == token.pos:
                self.at += 1
                self.unexpected(token, "operand")
        if not command.operands:
            self.fail("empty command")
        return command

    def operand(self) -> Node | None:
        node = self.term()
        if node is None:
            return None
        last, token = self.tokens[self.at - 1], self.tokens[self.at]
        if token.kind != FIELD or last.pos + len(last.text) != token.pos:
            return node
        self.at += 1
        names = tuple(token.text[1:].split("."))
        match node:
            case Field():
                return Field(token.pos, (*node.names, *names))
            case Variable():
                return Variable(token.pos, (*node.names, *names))
            case Bool() | String() | Number() | Nil() | Dot():
                self.fail(f"unexpected . after term {quote(str(node))}")
            case _:
                return Chain(token.pos, node, names)

    def term(self) -> Node | None:
        kind, position, text = token = self.tokens[self.at]
        self.at += 1
        if kind == FIELD:
            names = tuple(text[1:].split("."))
            # A chain's place is that of its second field.
            return Field(position + len(names[0]) + 1 if len(names) > 1 else position, names)
        if kind == IDENTIFIER:
            if text not in self.functions:
                self.fail(f"function {quote(text)} not defined")
            return Identifier(position, text)
        if kind in (STRING, RAW_STRING):
            return String(position, text, self.unquoted(token))
        if kind == VARIABLE:
            if text not in self.variables:
                self.fail(f"undefined variable {quote(text)}")
            return Variable(position, (text,))
        if kind == LEFT_PAREN:
            self.nesting += 1
            if self.nesting > MAX_NESTING:
                self.fail("max expression depth exceeded")
            pipe = self.pipeline("parenthesized pipeline", RIGHT_PAREN)
            self.nesting -= 1
            return pipe
        return self.constant(token)

    def constant(self, token: Token) -> Node | None:
        kind, position, text = token
        if kind == DOT:
            return Dot(position)
        if kind == BOOL:
            return Bool(position, text == "true")
        if kind == NIL:
            return Nil(position)
        if kind in (NUMBER, COMPLEX, CHAR_CONSTANT):
            number, problem = number_of(position, text, kind)
            if problem:
                self.fail(problem)
            return number
        self.at -= 1
        return None


def number_of(position: int, text: str, kind: int) -> tuple[Number, str]:
    """The constant under every type that can hold it, and what is wrong with it, if anything."""
    node = Number(position, text)
    if kind == CHAR_CONSTANT:
        return node, _character(node)
    if kind == COMPLEX:
        cut = max(text.rfind("+"), text.rfind("-"))
        real, imaginary = _float(text[:cut]), _float(text[cut:-1])
        if real is None or imaginary is None:
            return node, "syntax error scanning complex number"
        node.as_complex = complex(real, imaginary)
        _simplify(node, node.as_complex)
        return node, ""
    if text.endswith("i"):
        imaginary = _float(text[:-1])
        if imaginary is not None:
            node.as_complex = complex(0, imaginary)
            _simplify(node, node.as_complex)
            return node, ""
    return node, _real(node)


def _character(node: Number) -> str:
    inside = node.text[1:-1]
    resolved = unescape(inside, "'") if inside.startswith("\\") else inside
    if not resolved:
        return "invalid syntax"
    if len(resolved) != 1:
        return f"malformed character constant: {node.text}"
    code = ord(resolved)
    if 0xDC80 <= code <= 0xDCFF:
        code -= 0xDC00
    node.as_int = node.as_uint = code
    node.as_float = float(code)
    return ""


def _real(node: Number) -> str:
    text = node.text
    try:
        number = parse_int(text, 0)
        node.as_int = number
        if number >= 0 and text[0] not in "+-":
            node.as_uint = number
        elif number == 0:
            node.as_uint = 0
        node.as_float = float(number)
    except NumberError:
        wide = _wide(text)
        if wide is not None:
            node.as_uint, node.as_float = wide, float(wide)
            return ""
        value = _float(text)
        if value is None:
            return f"illegal number syntax: {quote(text)}"
        if not any(c in text for c in ".eEpP"):
            return f"integer overflow: {quote(text)}"
        _from_float(node, value)
    return ""


def _wide(text: str) -> int | None:
    """An unsigned integer beyond int64."""
    try:
        number = int(text.replace("_", ""), 0)
    except ValueError:
        return None
    return number if 1 << 63 <= number < 1 << 64 and text[0] not in "+-" else None


def _float(text: str) -> float | None:
    try:
        return parse_float(text)
    except NumberError:
        return None


def _from_float(node: Number, value: float) -> None:
    node.as_float = value
    if value.is_integer():
        if -(1 << 63) <= value < 1 << 63:
            node.as_int = int(value)
        if 0 <= value < 1 << 64:
            node.as_uint = int(value)


def _simplify(node: Number, value: complex) -> None:
    if value.imag == 0:
        _from_float(node, value.real)

"""Parse a template into its syntax trees, as Go's text/template/parse does, errors included."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from whipstaff.golang.strconv import quote
from whipstaff.template.lexer import Kind, Token, describe, tokens_of, tokens_of_action
from whipstaff.template.literals import number_of, unquote
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
    from collections.abc import Container, Sequence

MAX_NESTING = 500  # parentheses, and control actions in each other; Go allows 10,000
FRAMES_PER_NODE = 8  # of Python, in the parser and the compiler

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
_KEYWORDS = frozenset(
    (BLOCK, BREAK, CONTINUE, DEFINE, ELSE, END, IF, RANGE, TEMPLATE, WITH),
)


class ParseError(Exception):
    """A template is no template; the text is Go's: `template: NAME:LINE: …`."""

    def __init__(self, text: str, line: int) -> None:
        super().__init__(text)
        self.line = line


def parse(name: str, source: str, functions: Container[str]) -> dict[str, Body]:
    """The trees that `source` defines, its own under `name`."""
    allow_frames(MAX_NESTING * FRAMES_PER_NODE)
    return _Parser(name, source, functions, tokens_of(source)).run()


def allow_frames(count: int) -> None:
    """Let Python recurse as deeply as our own limits do, so that they are what is met."""
    needed = count + 2_000
    if sys.getrecursionlimit() < needed:
        sys.setrecursionlimit(needed)


class _Parser:
    def __init__(
        self, name: str, source: str, functions: Container[str], tokens: list[Token]
    ) -> None:
        self.name = name
        self.source = source
        self.functions = functions
        self.tokens = tokens
        self.at = 0
        self.trees: dict[str, Body] = {}
        self.variables = ["$"]
        self.ranges = 0
        self.nesting = 0
        self.action_line = 0
        self.looked_behind = -1  # the variable whose next token was cut to see if it declares

    # -- errors --------------------------------------------------------------------------------

    def line_of(self, token: Token) -> int:
        return 1 + self.source.count("\n", 0, token.pos)

    def fail(self, text: str, token: Token | None = None) -> ParseError:
        # Go names the line of the token that was cut last: the one after those consumed, if peeked.
        if token is None:
            token = self.tokens[max(self.at - 1, 0)]
        line = self.line_of(token)
        return ParseError(f"template: {self.name}:{line}: {text}", line)

    def unexpected(self, token: Token, context: str) -> ParseError:
        if token.kind == ERROR:
            text = token.text
            if self.action_line and self.action_line != self.line_of(token):
                where = f" in action started at {self.name}:{self.action_line}"
                if text.endswith(" action"):
                    where = where.removeprefix(" in action")
                text += where
            return self.fail(text, token)
        return self.fail(f"unexpected {describe(token)} in {context}", token)

    def next(self) -> Token:
        token = self.tokens[self.at]
        if self.at < len(self.tokens) - 1:
            self.at += 1
        return token

    def expect(self, kind: int, context: str) -> Token:
        token = self.next()
        if token.kind != kind:
            raise self.unexpected(token, context)
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
                raise self.fail(f"unexpected {node}")
            root.nodes.append(node)
        self.add(self.name, root)
        return self.trees

    def definition(self) -> None:
        context = "define clause"
        token = self.next()
        if token.kind not in {STRING, RAW_STRING}:
            raise self.unexpected(token, context)
        name = self.unquoted(token)
        self.expect(RIGHT_DELIM, context)
        self.add(name, self.apart(context))

    def apart(self, context: str) -> Body:
        """The body of a define or block: its own variables, its own ranges."""
        outer = self.variables, self.ranges, self.action_line
        self.variables, self.ranges, self.action_line = ["$"], 0, 0
        body, end = self.body()
        if not isinstance(end, End):
            raise self.fail(f"unexpected {end} in {context}")
        self.variables, self.ranges, self.action_line = outer
        return body

    def add(self, name: str, root: Body) -> None:
        known = self.trees.get(name)
        if known is None or is_empty(known):
            self.trees[name] = root
        elif not is_empty(root):
            raise self.fail(f"template: multiple definition of template {quote(name)}")

    def body(self) -> tuple[Body, Node]:
        """Nodes up to an end or else, and that node."""
        tokens = self.tokens
        body = Body(tokens[self.at].pos)
        self.nesting += 1
        if self.nesting > MAX_NESTING:
            raise self.fail("max expression depth exceeded")
        append = body.nodes.append
        while tokens[self.at].kind != EOF:
            node = self.text_or_action()
            if isinstance(node, End | Else):
                self.nesting -= 1
                return body, node
            append(node)
        raise self.fail("unexpected EOF", tokens[self.at])

    def text_or_action(self) -> Node:
        kind, position, text = token = self.next()
        if kind == TEXT:
            return Text(position, text)
        if kind == LEFT_DELIM:
            outer, self.action_line = self.action_line, self.line_of_action(position)
            node = self.action()
            self.action_line = outer if not isinstance(node, End | Else) else 0
            return node
        raise self.unexpected(token, "input")

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
            raise self.unexpected(after, word)
        if not self.ranges:
            raise self.fail(f"{word} outside {{{{range}}}}")
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
                    raise self.fail("max expression depth exceeded")
                otherwise = Body(end.position, [self.control(kind)])
                self.nesting -= 1
            else:
                otherwise, end = self.body()
                if not isinstance(end, End):
                    raise self.fail(f"expected end; found {end}")
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
            raise self.unexpected(token, context)
        return self.unquoted(token)

    def unquoted(self, token: Token) -> str:
        text = unquote(token.text)
        if text is None:
            raise self.fail("invalid syntax", token)
        return text

    # -- pipelines -----------------------------------------------------------------------------

    def pipeline(self, context: str, end: int) -> Pipe:
        tokens = self.tokens
        pipe = Pipe(tokens[self.at].pos)
        while tokens[self.at].kind == VARIABLE:
            self.looked_behind = self.at
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
                raise self.unexpected(token, context)
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
        if context == "range" and len(pipe.variables) == 1:
            following = self.tokens[self.at]
            if following.kind in {VARIABLE, RIGHT_DELIM, RIGHT_PAREN}:
                return True
            raise self.fail("range can only initialize variables", following)
        raise self.fail(f"too many declarations in {context}", self.tokens[self.at - 1])

    def check(self, pipe: Pipe, context: str) -> None:
        if not pipe.commands:
            raise self.fail(f"missing value for {context}")
        for stage, command in enumerate(pipe.commands[1:], 2):
            if isinstance(command.operands[0], Bool | Dot | Nil | Number | String):
                raise self.fail(f"non executable command in pipeline stage {stage}")

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
                raise self.unexpected(token, "operand")
        if not command.operands:
            raise self.fail("empty command")
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
                raise self.fail(f"unexpected . after term {quote(str(node))}")
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
                raise self.fail(f"function {quote(text)} not defined")
            return Identifier(position, text)
        if kind in (STRING, RAW_STRING):
            return String(position, text, self.unquoted(token))
        if kind == VARIABLE:
            if text not in self.variables:
                self.miss(text, self.at if self.looked_behind == self.at - 1 else self.at - 1)
            return Variable(position, (text,))
        if kind == LEFT_PAREN:
            self.nesting += 1
            if self.nesting > MAX_NESTING:
                raise self.fail("max expression depth exceeded")
            pipe = self.pipeline("parenthesized pipeline", RIGHT_PAREN)
            self.nesting -= 1
            return pipe
        return self.constant(token)

    def miss(self, variable: str, cut_last: int) -> None:
        """Refuse a variable that nothing before has declared."""
        raise self.fail(f"undefined variable {quote(variable)}", self.tokens[cut_last])

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
                raise self.fail(problem)
            return number
        self.at -= 1
        return None


class ActionParser(_Parser):
    """Parses one action apart from its template; positions count from behind its left delimiter."""

    def __init__(self, inner: str, functions: Container[str]) -> None:
        super().__init__("", inner + "}}", functions, tokens_of_action(inner))
        self.variables = []
        self.needs: list[str] = []

    def miss(self, variable: str, cut_last: int) -> None:
        """Leave it to the template to know the variable."""
        self.needs.append(variable)

    def read(self) -> tuple[int, int, int, str, Pipe | None, Sequence[str], Sequence[str]]:
        """The parts of an ActionText; ParseError if it is none."""
        token = self.tokens[0]
        kind, chained, name, position = token.kind, 0, "", token.pos
        pipe: Pipe | None = None
        if kind not in _KEYWORDS:
            kind, pipe = 0, self.pipeline("command", RIGHT_DELIM)
        else:
            self.at = 1
            if kind in (DEFINE, BLOCK, TEMPLATE):
                token = self.next()
                name, position = self.template_name(token, "clause"), token.pos
            elif kind == ELSE and self.tokens[1].kind in (IF, WITH):
                chained = self.next().kind
            if chained or kind in (IF, WITH, RANGE, BLOCK):
                pipe = self.pipeline("range" if kind == RANGE else "clause", RIGHT_DELIM)
                position = position if kind == BLOCK else pipe.position
            elif kind == TEMPLATE and self.tokens[self.at].kind != RIGHT_DELIM:
                pipe = self.pipeline("clause", RIGHT_DELIM)
            else:
                self.expect(RIGHT_DELIM, "clause")
        if self.tokens[self.at].kind != EOF:
            raise self.unexpected(self.tokens[self.at], "action")
        return kind, chained, position, name, pipe, self.needs, self.variables

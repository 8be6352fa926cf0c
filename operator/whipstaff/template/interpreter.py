"""Execute a template's tree as it is: what runs once is not worth compiling.

Each node becomes a Python function of the State, made when it is first reached. It does what Go's
text/template does, in its order, and leaves in `state.node` the node that Go is at: that is where
an error that follows is reported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from whipstaff.golang.values import GoType, Int32, Int64, Uint32
from whipstaff.template.calls import OF_THE_RUN, miscount, parameter
from whipstaff.template.constants import number_value, typed_value
from whipstaff.template.errors import EvalError
from whipstaff.template.nodes import (
    Action,
    Body,
    Bool,
    Break,
    Chain,
    Command,
    Continue,
    Dot,
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
)
from whipstaff.template.runtime import (
    MISS,
    NILLABLE,
    PARTS_BEFORE_COUNTING,
    Argument,
    call_member,
    convert,
    elements,
    field,
    holds_any,
    invoke,
    named,
    pairs,
    show,
    squash,
    values_field,
)
from whipstaff.template.values_methods import METHODS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from whipstaff.template.functions.registry import Function
    from whipstaff.template.runtime import State

    Evaluate = Callable[[State], object]
    Walk = Callable[[State], int]
    IsAny = Callable[[State], bool]

BREAK, CONTINUE = 1, 2


class _NoPlainType:
    """The type of no value: where a parameter has no plain type, every value is looked at."""


# The Python type of a parameter's plain values; the others are always converted.
_PLAIN_TYPES: Mapping[GoType, type] = {
    GoType.STRING: str,
    GoType.BOOL: bool,
    GoType.INT: int,
    GoType.INT32: Int32,
    GoType.INT64: Int64,
    GoType.UINT32: Uint32,
    GoType.FLOAT64: float,
    GoType.DICT: dict,
    GoType.LIST: list,
}
_ANYTHING = frozenset({GoType.ANY, GoType.VALUE})


class Interpreter:
    """Makes functions of nodes; those of a pipeline are kept in it."""

    def __init__(self, functions: Mapping[str, Function]) -> None:
        self._functions = functions
        self._statements: Mapping[type, Callable[[Any], Walk]] = {
            Action: self._action,
            If: self._if,
            With: self._with,
            Range: self._range,
            Template: self._template,
            Break: lambda _: _break,
            Continue: lambda _: _continue,
        }
        self._operands: Mapping[type, Callable[[Any], Evaluate]] = {
            Dot: _dot,
            Bool: lambda node: _constant(node, node.value),
            String: lambda node: _constant(node, node.text),
            Nil: lambda node: _constant(node, None),
            Number: self._number,
            Pipe: self._pipe,
            Variable: self._whole_variable,
            Field: lambda node: self._member(node, (), None),
            Chain: lambda node: self._member(node, (), None),
            Identifier: lambda node: self._call(node, node, (), None),
        }

    def body(self, body: Body) -> Walk:
        """What a body does; the result says whether a range is to be left or gone on with."""
        nodes = body.nodes
        if not nodes:
            return _do_nothing
        steps: list[str | Walk] = []

        def walk(state: State) -> int:
            if not steps:
                steps.extend(map(self._statement, nodes))
            write = state.write
            for step in steps:
                if type(step) is str:
                    write(step)
                elif jump := step(state):  # type: ignore[operator]  # the line above says so
                    return jump
            return 0

        return walk

    # -- statements ----------------------------------------------------------------------------

    def _statement(self, node: Node) -> str | Walk:
        if isinstance(node, Text):
            return node.text
        return self._statements[type(node)](node)

    def _action(self, node: Action) -> Walk:
        evaluate, base = self._pipe(node.pipe), node.base

        def declare(state: State) -> int:
            state.base = base
            evaluate(state)
            return 0

        def write(state: State) -> int:
            state.base = base
            value = evaluate(state)
            if type(value) is not str:
                state.node = node
                value = show(value)
            state.write(value)
            return 0

        return declare if node.pipe.variables else write

    def _if(self, node: If) -> Walk:
        evaluate, body, base = self._pipe(node.pipe), self.body(node.body), node.base
        otherwise = self._otherwise(node)

        def walk(state: State) -> int:
            state.base = base
            mark = len(state.undo)
            jump = body(state) if evaluate(state) else otherwise(state)
            if len(state.undo) > mark:
                state.forget(mark)
            return jump

        return walk

    def _with(self, node: With) -> Walk:
        evaluate, body, base = self._pipe(node.pipe), self.body(node.body), node.base
        otherwise = self._otherwise(node)

        def walk(state: State) -> int:
            state.base = base
            mark = len(state.undo)
            value = evaluate(state)
            if value:
                outer, outer_any = state.dot, state.dot_any
                state.dot, state.dot_any = value, False
                jump = body(state)
                state.dot, state.dot_any = outer, outer_any
            else:
                jump = otherwise(state)
            if len(state.undo) > mark:
                state.forget(mark)
            return jump

        return walk

    def _otherwise(self, node: If | With | Range) -> Walk:
        return _do_nothing if node.otherwise is None else self.body(node.otherwise)

    def _range(self, node: Range) -> Walk:
        evaluate, body, base = self._pipe(node.pipe), self.body(node.body), node.base
        otherwise = self._otherwise(node)
        names = [variable.names[0] for variable in node.pipe.variables]
        go_through = pairs if len(names) > 1 else elements

        def walk(state: State) -> int:
            state.base = base
            mark = len(state.undo)
            value = evaluate(state)
            items = go_through(state.run, value)
            inner = len(state.undo)
            is_any = holds_any(value)
            outer, outer_any, out = state.dot, state.dot_any, state.out
            variables = state.vars
            jump = 0
            for item in items:
                if len(out) > PARTS_BEFORE_COUNTING:
                    squash(state.run, out)
                if len(names) > 1:
                    index, item = item  # type: ignore[misc]  # noqa: PLW2901  # from pairs
                    variables[names[0]] = index, False  # type: ignore[has-type]
                if names:
                    variables[names[-1]] = item, is_any
                state.dot, state.dot_any = item, is_any
                jump = body(state)
                if len(state.undo) > inner:
                    state.forget(inner)
                if jump == BREAK:
                    break
            state.dot, state.dot_any = outer, outer_any
            jump = 0 if items else otherwise(state)
            if len(state.undo) > mark:
                state.forget(mark)
            return jump

        return walk

    def _template(self, node: Template) -> Walk:
        evaluate = _nil if node.pipe is None else self._pipe(node.pipe)
        name, base = node.name, node.base

        def walk(state: State) -> int:
            run = state.run
            state.base, state.node = base, node
            if name in run.templates:
                data = evaluate(state)
                state.node = node
            else:
                data = None
            invoke(run, name, data, state.out)
            return 0

        return walk

    # -- pipelines -----------------------------------------------------------------------------

    def _pipe(self, pipe: Pipe) -> Evaluate:
        """What gives the value of a pipeline, and sets its variables."""
        if pipe.evaluate is None:
            evaluate: Evaluate | None = None
            for command in pipe.commands:
                evaluate = self._command(command, evaluate, pipe)
            assert evaluate is not None, "the parser refuses empty pipelines"  # noqa: S101
            pipe.evaluate = _setting(pipe, evaluate) if pipe.variables else evaluate
        return pipe.evaluate

    def _command(self, command: Command, piped: Evaluate | None, pipe: Pipe) -> Evaluate:
        first, *arguments = command.operands
        match first:
            case Field() | Chain():
                return self._member(first, arguments, piped)
            case Variable() if len(first.names) > 1:
                return self._member(first, arguments, piped)
            case Identifier():
                return self._call(first, command, arguments, piped)
            case _:
                if arguments or piped is not None:
                    # Go does not move to a pipeline in parentheses before it refuses.
                    at = (None if piped else pipe) if isinstance(first, Pipe) else first
                    return _rejecting(f"can't give argument to non-function {first}", at, piped)
                if isinstance(first, Nil):
                    return _rejecting("nil is not a command", first)
                return self._operand(first)

    def _operand(self, node: Node) -> Evaluate:
        """What gives the value of an operand where any type will do."""
        return self._operands[type(node)](node)

    def _number(self, node: Number) -> Evaluate:
        number = number_value(node)
        if number is None:
            return _rejecting(f"{node.text} overflows int", node)
        return _constant(node, number)

    def _whole_variable(self, node: Variable) -> Evaluate:
        if len(node.names) > 1:
            return self._member(node, (), None)
        return _variable(node, node.names[0])

    # -- fields --------------------------------------------------------------------------------

    def _member(
        self,
        node: Field | Variable | Chain,
        arguments: Sequence[Node],
        piped: Evaluate | None,
    ) -> Evaluate:
        if isinstance(node, Chain) and isinstance(node.term, Nil):
            return _rejecting(f"indirection through explicit nil in {node}", node, piped)
        names = node.names[1:] if isinstance(node, Variable) else node.names
        if not arguments and piped is None:
            if isinstance(node, Field):
                return _field(node, names)
            return _fields_of(node, names, *self._receiver(node))
        owner = self._receiver(node)
        if len(names) > 1:
            owner = _fields_of(node, names[:-1], *owner), self._is_any(node)
        return self._method(node, names[-1], owner, arguments, piped)

    def _receiver(self, node: Field | Variable | Chain) -> tuple[Evaluate, IsAny]:
        match node:
            case Field():
                return _dot(node), _dot_any
            case Variable():
                return _variable(node, node.names[0]), _variable_any(node.names[0])
            case Chain():
                return _term(self._operand(node.term)), self._is_any(node.term)

    def _is_any(self, node: Node) -> IsAny:
        """What says whether Go sees the operand's value as an `any`."""
        match node:
            case Dot():
                return _dot_any
            case Variable() if len(node.names) == 1:
                return _variable_any(node.names[0])
            case Field():
                return _dot_is_there
            case Variable():
                return _variable_is_there(node.names[0])
            case Chain():
                return _chain_any
            case _:
                return _never

    def _method(
        self,
        node: Node,
        name: str,
        owner: tuple[Evaluate, IsAny],
        arguments: Sequence[Node],
        piped: Evaluate | None,
    ) -> Evaluate:
        receiver, is_any = owner
        operands = [
            (
                self._operand(argument),
                self._is_any(argument),
                str(argument) if isinstance(argument, String | Number | Bool | Nil) else None,
            )
            for argument in arguments
        ]

        def call(state: State) -> object:
            last = None if piped is None else piped(state)
            state.node = node
            found, found_any = receiver(state), is_any(state)
            site = state.node
            values: list[object] = []
            facts: list[Argument] = []
            for evaluate, argument_any, spelled in operands:
                values.append(evaluate(state))
                facts.append((state.node, argument_any(state), spelled))
            if piped is not None:
                values.append(last)
                facts.append((state.node, False, None))
            try:
                return call_member(found, name, found_any, site, values, facts)
            except Exception:
                state.node, state.function = node, name
                raise

        return call

    # -- functions -----------------------------------------------------------------------------

    def _call(
        self, node: Identifier, place: Node, arguments: Sequence[Node], piped: Evaluate | None
    ) -> Evaluate:
        function = self._functions[node.name]
        problem = miscount(function, len(arguments), piped is not None)
        if problem:
            return _rejecting(problem, node, piped)
        if node.name in {"and", "or"}:
            operands = [self._operand(argument) for argument in arguments]
            return _short_circuit(node, operands, piped)
        values = [
            self._argument(argument, parameter(function, number))
            for number, argument in enumerate(arguments)
        ]
        if node.name == "call":
            callee = str(arguments[0]) if arguments else None
            values.insert(0, lambda _: callee)
        elif node.name == "len" and piped is None:
            values.append(self._is_any(arguments[0]))
        if node.name in OF_THE_RUN:
            values.insert(0, _run)
        elif function.scoped:
            values.insert(0, _scope)
        site = node, place, node.name
        if piped is None:
            return _calling(function.call, site, values)
        if node.name == "len":
            return _calling(function.call, site, [_piped_to(node, piped), _never])
        last = parameter(function, len(arguments))
        return _calling_piped(function.call, site, values, piped, last)

    def _argument(self, node: Node, param: GoType) -> Evaluate:
        """What gives an operand as an argument of this type."""
        match node:
            case Nil():
                return _nil_argument(node, param)
            case Bool() | Number() | String() if param not in _ANYTHING:
                value, problem = typed_value(node, param)
                return _rejecting(problem, node) if problem else _constant(node, value)
            case _:
                evaluate = self._operand(node)
                if param in _ANYTHING:
                    return evaluate
                is_any = self._is_any(node)
                if isinstance(node, Chain):
                    is_any = _term_is_there(self._operand(node.term))
                return _converting(evaluate, param, is_any)


# -- what nodes become ---------------------------------------------------------------------------


def _do_nothing(_: State) -> int:
    return 0


def _break(_: State) -> int:
    return BREAK


def _continue(_: State) -> int:
    return CONTINUE


def _nil(_: State) -> None:
    return None


def _never(_: State) -> bool:
    return False


def _run(state: State) -> object:
    return state.run


def _scope(state: State) -> object:
    return state.run.scope


def _piped_to(node: Identifier, piped: Evaluate) -> Evaluate:
    def arrive(state: State) -> object:
        value = piped(state)
        state.node = node
        return value

    return arrive


def _constant(node: Node, value: object) -> Evaluate:
    def constant(state: State) -> object:
        state.node = node
        return value

    return constant


def _rejecting(text: str, node: Node | None, piped: Evaluate | None = None) -> Evaluate:
    """Fail, after what is piped in; without a node where that one failed would have."""

    def reject(state: State) -> object:
        if piped is not None:
            piped(state)
        if node is not None:
            state.node = node
        raise EvalError(text)

    return reject


def _setting(pipe: Pipe, evaluate: Evaluate) -> Evaluate:
    names = [variable.names[0] for variable in pipe.variables]

    def assign(state: State) -> object:
        value = evaluate(state)
        for name in names:
            if name not in state.vars:
                raise EvalError(f"undefined variable: {name}")
            state.vars[name] = value, False
        return value

    def declare(state: State) -> object:
        value = evaluate(state)
        variables = state.vars
        for name in names:
            state.undo.append((name, variables.get(name)))
            variables[name] = value, False
        return value

    return assign if pipe.assigns else declare


def _dot(node: Node) -> Evaluate:
    def dot(state: State) -> object:
        state.node = node
        return state.dot

    return dot


def _dot_any(state: State) -> bool:
    return state.dot_any


def _term(evaluate: Evaluate) -> Evaluate:
    """The term of a chain; the chain's value is an `any` unless this is nothing."""

    def term(state: State) -> object:
        value = evaluate(state)
        state.chain_any = value is not None
        return value

    return term


def _chain_any(state: State) -> bool:
    return state.chain_any


def _dot_is_there(state: State) -> bool:
    """Whether a field of dot is an `any`: a template that was given no data has no fields."""
    return state.dot is not None


def _term_is_there(term: Evaluate) -> IsAny:
    """Whether a field of what is in parentheses is an `any`: asked when the field is nil."""

    def is_there(state: State) -> bool:
        node = state.node
        found = term(state)
        state.node = node
        return found is not None

    return is_there


def _variable(node: Node, name: str) -> Evaluate:
    def variable(state: State) -> object:
        state.node = node
        try:
            return state.vars[name][0]
        except KeyError:
            raise EvalError(f"undefined variable: {name}") from None

    return variable


def _variable_any(name: str) -> IsAny:
    return lambda state: state.vars[name][1]


def _variable_is_there(name: str) -> IsAny:
    return lambda state: state.vars[name][0] is not None


def _field(node: Field, names: tuple[str, ...]) -> Evaluate:
    """Read fields of dot, as of dictionaries; what is none goes the way that knows everything."""
    first, last = names[0], names[-1]

    def one(state: State) -> object:
        state.node = node
        try:
            return state.dot.get(first)  # type: ignore[attr-defined]  # caught below
        except MISS:
            return _looked_up(state, state.dot, names, state.dot_any)

    def two(state: State) -> object:
        state.node = node
        try:
            return state.dot[first].get(last)  # type: ignore[index]  # caught below
        except MISS:
            return _looked_up(state, state.dot, names, state.dot_any)

    if last == "Values" or not METHODS.keys().isdisjoint(names) or len(names) > 2:  # noqa: PLR2004
        return _fields_of(node, names, _dot(node), _dot_any)
    return one if len(names) == 1 else two


def _fields_of(node: Node, names: tuple[str, ...], receiver: Evaluate, is_any: IsAny) -> Evaluate:
    *path, last = names

    def walk(state: State) -> object:
        found = owner = receiver(state)
        try:
            for name in path:
                found = found[name]  # type: ignore[index]  # caught below
            return found.get(last)  # type: ignore[attr-defined]  # caught below
        except MISS:
            return _looked_up(state, owner, names, is_any(state))

    def values(state: State) -> object:
        return named(state.run, walk(state))

    def methods(state: State) -> object:
        owner, owner_any = receiver(state), is_any(state)
        state.function = last
        try:
            return values_field(state.run, owner, names, owner_any, strict=False)
        except Exception:
            state.node = node
            raise

    if not METHODS.keys().isdisjoint(names):
        return methods
    return values if last == "Values" else walk


def _looked_up(state: State, owner: object, names: tuple[str, ...], interface: bool) -> object:
    state.function = names[-1]
    return field(owner, names, interface)


def _nil_argument(node: Nil, param: GoType) -> Evaluate:
    if param in _ANYTHING:
        return _constant(node, None)
    if param not in NILLABLE:
        return _rejecting(f"cannot assign nil to {param.value}", node)

    def nil(state: State) -> object:
        state.node = node
        return convert(None, param, False, None)

    return nil


def _converting(evaluate: Evaluate, param: GoType, is_any: IsAny) -> Evaluate:
    """Check the value and, if need be, convert it for a parameter of this type."""
    plain = _PLAIN_TYPES.get(param, _NoPlainType)

    def converted(state: State) -> object:
        value = evaluate(state)
        if type(value) is plain:
            return value
        return convert(value, param, is_any(state), None)

    return converted


Site = tuple["Node", "Node", str]  # the function's name as a node, the call, the name


def _calling(  # noqa: C901 - one function for each number of arguments
    function: Callable[..., object], site: Site, values: Sequence[Evaluate]
) -> Evaluate:
    node, place, name = site

    def call_one(state: State) -> object:
        state.node = node
        argument = first(state)
        try:
            return function(argument)
        except Exception:
            state.node, state.function = place, name
            raise

    def call_two(state: State) -> object:
        state.node = node
        one, two = first(state), second(state)
        try:
            return function(one, two)
        except Exception:
            state.node, state.function = place, name
            raise

    def call_three(state: State) -> object:
        state.node = node
        one, two, three = first(state), second(state), third(state)
        try:
            return function(one, two, three)
        except Exception:
            state.node, state.function = place, name
            raise

    def call(state: State) -> object:
        state.node = node
        arguments = [value(state) for value in values]
        try:
            return function(*arguments)
        except Exception:
            state.node, state.function = place, name
            raise

    match values:
        case [first]:
            return call_one
        case [first, second]:
            return call_two
        case [first, second, third]:
            return call_three
        case _:
            return call


def _calling_piped(  # noqa: C901 - one function for each number of arguments
    function: Callable[..., object],
    site: Site,
    values: Sequence[Evaluate],
    piped: Evaluate,
    param: GoType,
) -> Evaluate:
    """Call with what is piped in as the last argument; it is there first, and checked last."""
    node, place, name = site
    plain = _PLAIN_TYPES.get(param, _NoPlainType)
    anything = param in _ANYTHING

    def call_one(state: State) -> object:
        last = piped(state)
        state.node = node
        if not anything and type(last) is not plain:
            last = convert(last, param, False, None)
        try:
            return function(last)
        except Exception:
            state.node, state.function = place, name
            raise

    def call_two(state: State) -> object:
        last = piped(state)
        state.node = node
        one = first(state)
        if not anything and type(last) is not plain:
            last = convert(last, param, False, None)
        try:
            return function(one, last)
        except Exception:
            state.node, state.function = place, name
            raise

    def call(state: State) -> object:
        last = piped(state)
        state.node = node
        arguments = [value(state) for value in values]
        if not anything and type(last) is not plain:
            last = convert(last, param, False, None)
        try:
            return function(*arguments, last)
        except Exception:
            state.node, state.function = place, name
            raise

    match values:
        case []:
            return call_one
        case [first]:
            return call_two
        case _:
            return call


def _short_circuit(
    node: Identifier, operands: Sequence[Evaluate], piped: Evaluate | None
) -> Evaluate:
    stops_at = node.name == "or"

    def evaluate(state: State) -> object:
        last = None if piped is None else piped(state)
        state.node = node
        value: object = None
        for operand in operands:
            value = operand(state)
            if bool(value) is stops_at:
                return value
        return value if piped is None else last

    return evaluate

"""What the interpreter makes of expressions: functions of the State that give a value.

Each leaves in `state.node` the node that Go would be at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from whipstaff.golang.values import GoType, Int32, Int64, Uint32
from whipstaff.template.errors import EvalError
from whipstaff.template.members import MISS, NILLABLE, convert, field, named, values_field
from whipstaff.template.nodes import (
    Field,
    Identifier,
    Nil,
    Node,
    Pipe,
)
from whipstaff.template.values_methods import METHODS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from whipstaff.template.execution import State

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
ANYTHING = frozenset({GoType.ANY, GoType.VALUE})


def do_nothing(_: State) -> int:
    """An empty body."""
    return 0


def leave(_: State) -> int:
    """Leave the range."""
    return BREAK


def go_on(_: State) -> int:
    """Go on with the range."""
    return CONTINUE


def nothing(_: State) -> None:
    """The data of a template that is given none."""
    return


def never(_: State) -> bool:
    """What is no `any`."""
    return False


def the_run(state: State) -> object:
    """The run, for functions that are its own."""
    return state.run


def the_scope(state: State) -> object:
    """The scope, for functions that want it."""
    return state.run.scope


def piped_to(node: Identifier, piped: Evaluate) -> Evaluate:
    """What is piped in, once Go is at the function."""

    def arrive(state: State) -> object:
        value = piped(state)
        state.node = node
        return value

    return arrive


def constant(node: Node, value: object) -> Evaluate:
    """A constant."""

    def constant(state: State) -> object:
        state.node = node
        return value

    return constant


def rejecting(text: str, node: Node | None, piped: Evaluate | None = None) -> Evaluate:
    """Fail, after what is piped in; without a node where that one failed would have."""

    def reject(state: State) -> object:
        if piped is not None:
            piped(state)
        if node is not None:
            state.node = node
        raise EvalError(text)

    return reject


def setting(pipe: Pipe, evaluate: Evaluate) -> Evaluate:
    """The pipeline's value, which its variables are set to."""
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


def dot(node: Node) -> Evaluate:
    """The cursor."""

    def dot(state: State) -> object:
        state.node = node
        return state.dot

    return dot


def dot_any(state: State) -> bool:
    """Whether Go sees dot as an `any`."""
    return state.dot_any


def term(evaluate: Evaluate) -> Evaluate:
    """The term of a chain; the chain's value is an `any` unless this is nothing."""

    def term(state: State) -> object:
        value = evaluate(state)
        state.chain_any = value is not None
        return value

    return term


def chain_any(state: State) -> bool:
    """Whether Go sees the value of the chain just read as an `any`."""
    return state.chain_any


def dot_is_there(state: State) -> bool:
    """Whether a field of dot is an `any`: a template that was given no data has no fields."""
    return state.dot is not None


def term_is_there(term: Evaluate) -> IsAny:
    """Whether a field of what is in parentheses is an `any`: asked when the field is nil."""

    def is_there(state: State) -> bool:
        node = state.node
        found = term(state)
        state.node = node
        return found is not None

    return is_there


def variable(node: Node, name: str) -> Evaluate:
    """A variable's value."""

    def variable(state: State) -> object:
        state.node = node
        try:
            return state.vars[name][0]
        except KeyError:
            raise EvalError(f"undefined variable: {name}") from None

    return variable


def variable_any(name: str) -> IsAny:
    """Whether Go sees the variable's value as an `any`."""
    return lambda state: state.vars[name][1]


def variable_is_there(name: str) -> IsAny:
    """Whether a field of the variable is an `any`."""
    return lambda state: state.vars[name][0] is not None


def fields_of_dot(node: Field, names: tuple[str, ...]) -> Evaluate:
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
        return fields_of(node, names, dot(node), dot_any)
    return one if len(names) == 1 else two


def fields_of(node: Node, names: tuple[str, ...], receiver: Evaluate, is_any: IsAny) -> Evaluate:
    """Read fields of a value, one after the other."""
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


def nil_argument(node: Nil, param: GoType) -> Evaluate:
    """The nil of a parameter's type."""
    if param in ANYTHING:
        return constant(node, None)
    if param not in NILLABLE:
        return rejecting(f"cannot assign nil to {param.value}", node)

    def nil(state: State) -> object:
        state.node = node
        return convert(None, param, False, None)

    return nil


def converting(evaluate: Evaluate, param: GoType, is_any: IsAny) -> Evaluate:
    """Check the value and, if need be, convert it for a parameter of this type."""
    plain = _PLAIN_TYPES.get(param, _NoPlainType)

    def converted(state: State) -> object:
        value = evaluate(state)
        if type(value) is plain:
            return value
        return convert(value, param, is_any(state), None)

    return converted


Site = tuple["Node", "Node", str]  # the function's name as a node, the call, the name


def calling(  # noqa: C901 - one function for each number of arguments
    function: Callable[..., object], site: Site, values: Sequence[Evaluate]
) -> Evaluate:
    """Call a function; an error of it is one of the whole call."""
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


def calling_piped(  # noqa: C901 - one function for each number of arguments
    function: Callable[..., object],
    site: Site,
    values: Sequence[Evaluate],
    piped: Evaluate,
    param: GoType,
) -> Evaluate:
    """Call with what is piped in as the last argument; it is there first, and checked last."""
    node, place, name = site
    plain = _PLAIN_TYPES.get(param, _NoPlainType)
    anything = param in ANYTHING

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


def short_circuit(
    node: Identifier, operands: Sequence[Evaluate], piped: Evaluate | None
) -> Evaluate:
    """`and` and `or`: the arguments up to the one that decides."""
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

"""Compile the expressions of a template: pipelines, fields, calls.

What they do is written as statements; what is left of each is a `Value`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from whipstaff.golang.values import GoType
from whipstaff.template.calls import OF_THE_RUN, miscount, parameter
from whipstaff.template.code import Slot, Value, literal
from whipstaff.template.constants import constant_of, number_value, typed_constant
from whipstaff.template.inlining import inline
from whipstaff.template.members import NILLABLE
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
from whipstaff.template.values_methods import METHODS
from whipstaff.template.writing import Writer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from whipstaff.template.functions.registry import Function
# The Python type of a parameter's plain values; the others are always converted by the runtime.
PLAIN_TYPES: Mapping[GoType, str] = {
    GoType.STRING: "str",
    GoType.BOOL: "bool",
    GoType.INT: "int",
    GoType.INT32: "Int32",
    GoType.INT64: "Int64",
    GoType.UINT32: "Uint32",
    GoType.FLOAT64: "float",
    GoType.DICT: "dict",
    GoType.LIST: "list",
}


class Expressions(Writer):
    """Compiles expressions, where dot and the variables stand as they do now."""

    def __init__(self, functions: Mapping[str, Function], *, strict: bool, outlines: bool) -> None:
        super().__init__(outlines=outlines)
        self.functions = functions
        self.strict = strict
        self.here = -1  # the site that Go is at when it starts a command
        self.dot = Slot("dot")

    def pipe(self, pipe: Pipe) -> Value:
        """The value of a pipeline; never an `any`, because Go looks into it."""
        value: Value | None = None
        self.here = self.site(pipe)
        for command in pipe.commands:
            value = self.command(command, value)
            value = Value(value.code, value.at, value.kind)
        assert value is not None, "the parser refuses empty pipelines"  # noqa: S101
        for variable in pipe.variables:
            name = variable.names[0]
            if pipe.assigns:
                slot = self.find(name)
                if slot is None:
                    self.emit(f"reject({literal(f'undefined variable: {name}')}, {value.at})")
                    continue
            else:
                slot = self.scopes[-1][name] = Slot(self.place("v"))
            self.emit(f"{slot.code} = {value.code}")
        return value

    def command(self, command: Command, final: Value | None) -> Value:
        first, *arguments = command.operands
        match first:
            case Field() | Chain():
                return self.chain(first, arguments, final)
            case Variable():
                if len(first.names) > 1:
                    return self.chain(first, arguments, final)
                if arguments or final is not None:
                    return self.no_function(first)
                return self.variable(first)
            case Identifier():
                return self.call(first, command, arguments, final)
            case _:
                if arguments or final is not None:
                    # Go does not move to a pipeline in parentheses before it refuses.
                    at = self.here if final is None else self.at(final)
                    return self.no_function(first, at if isinstance(first, Pipe) else None)
                if isinstance(first, Nil):
                    return self.reject("nil is not a command", first)
                return self.operand(first)

    def no_function(self, node: Node, site: int | None = None) -> Value:
        return self.reject(f"can't give argument to non-function {node}", node, site)

    def operand(self, node: Node) -> Value:
        """The value of an operand where any type will do."""
        match node:
            case Dot():
                at = str(self.site(node))
                return Value(self.dot.code, at, interface=self.dot.interface)
            case Bool() | String() | Nil():
                code, kind = constant_of(node)
                return Value(code, str(self.site(node)), kind)
            case Number():
                return self.number(node)
            case Pipe():
                return self.pipe(node)
            case Variable() if len(node.names) == 1:
                return self.variable(node)
            case Field() | Variable() | Chain():
                return self.chain(node, [], None)
            case Identifier():
                return self.call(node, node, [], None)
            case _:
                raise TypeError(f"{type(node).__name__} is no operand")

    def variable(self, node: Variable) -> Value:
        slot = self.find(node.names[0])
        if slot is None:
            return self.reject(f"undefined variable: {node.names[0]}", node)
        return Value(slot.code, str(self.site(node)), interface=slot.interface)

    def number(self, node: Number) -> Value:
        value = number_value(node)
        if value is None:
            return self.reject(f"{node.text} overflows int", node)
        return Value(literal(value), str(self.site(node)), type(value).__name__)

    # -- fields --------------------------------------------------------------------------------

    def chain(
        self, node: Field | Variable | Chain, arguments: Sequence[Node], final: Value | None
    ) -> Value:
        at = str(self.site(node))
        match node:
            case Field():
                receiver, names = Value(self.dot.code, "", "", self.dot.interface), node.names
            case Variable():
                receiver, names = self.variable(node), node.names[1:]
            case _:
                names = node.names
                if isinstance(node.term, Nil):
                    return self.reject(f"indirection through explicit nil in {node}", node)
                receiver = self.operand(node.term)
                # Go's place is then that of the term's last part.
                at = receiver.at or at
        receiver = replace(receiver, code=self.simple(receiver.code))
        # No field of what is not there is an `any`: of nothing in parentheses, of no data at all.
        interface = f"{receiver.code} is not None"
        if not arguments and final is None:
            code = self.lookup(node, receiver, names, at)
            return Value(code, at, interface=interface)
        if len(names) > 1:
            inner = self.lookup(node, receiver, names[:-1], at)
            receiver = Value(inner, at, interface=interface)
        return self.method(node, replace(receiver, at=at), names[-1], arguments, final)

    def lookup(self, node: Node, receiver: Value, names: Sequence[str], at: str) -> str:
        """Read fields, with two lines: as of dictionaries, and the way that knows everything."""
        result = self.name("t")
        base = receiver.code
        keys = [literal(name) for name in names]
        path = base + "".join(f"[{key}]" for key in keys[:-1])
        path += f"[{keys[-1]}]" if self.strict else f".get({keys[-1]})"
        slow = "strict_field" if self.strict else "field"
        chain = ", ".join(keys) + ","
        method = next((name for name in names if name in METHODS), None)
        if method:
            strict = f"strict={self.strict}"
            walk = f"values_field(run, {base}, ({chain}), {receiver.interface}, {strict})"
            self.emit(f"{result} = {walk}", self.site(node, method))
            return result
        self.emit(f"try: {result} = {path}")
        walk = self.placed(slow, f"{base}, ({chain}), {receiver.interface}", at)
        self.emit(f"except MISS: {result} = {walk}", self.site(node))
        if names[-1] == "Values":
            self.emit(f"{result} = named(run, {result})")
        return result

    def placed(self, function: str, arguments: str, at: str) -> str:
        """A call whose errors are reported at a site that may only be known when it is made."""
        return f"at_site({at}, {function}, {arguments})"

    def method(
        self,
        node: Node,
        receiver: Value,
        name: str,
        arguments: Sequence[Node],
        final: Value | None,
    ) -> Value:
        """A call of a method; `receiver.at` is where Go finds that there is none."""
        values: list[str] = []
        facts: list[str] = []
        at = str(self.site(node))
        if any(not isinstance(one, String | Number | Bool | Nil) for one in arguments):
            count = len(arguments) + (final is not None)
            self.emit(
                f"expect_member({receiver.code}, {literal(name)}, {receiver.interface}, "
                f"{receiver.at}, {count})",
                self.site(node, name),
            )
        for argument in arguments:
            value = self.operand(argument)
            at = value.at
            spelled = str(argument) if isinstance(argument, String | Number | Bool | Nil) else None
            values.append(value.code)
            facts.append(f"({value.at}, {value.interface}, {literal(spelled)})")
        if final is not None:
            values.append(final.code)
            facts.append(f"({at}, False, None)")
        result = self.name("t")
        self.emit(
            f"{result} = call_member({receiver.code}, {literal(name)}, {receiver.interface}, "
            f"{receiver.at}, [{', '.join(values)}], [{', '.join(facts)}])",
            self.site(node, name),
        )
        return Value(result, at)

    # -- functions -----------------------------------------------------------------------------

    def call(
        self, node: Identifier, place: Node, arguments: Sequence[Node], final: Value | None
    ) -> Value:
        name = node.name
        function = self.functions[name]
        problem = miscount(function, len(arguments), final is not None)
        if problem:
            return self.reject(problem, node)
        if name in {"and", "or"}:
            return self.short_circuit(node, arguments, final)
        at = str(self.site(node))
        values: list[Value] = []
        for number, argument in enumerate(arguments):
            value = self.argument(argument, parameter(function, number))
            values.append(value)
            at = value.at
        if final is not None:
            param = parameter(function, len(arguments))
            values.append(self.converted(Value(final.code, at, final.kind), param))
        return self.invocation(function, place, arguments, values, at)

    def invocation(
        self,
        function: Function,
        place: Node,
        arguments: Sequence[Node],
        values: Sequence[Value],
        at: str,
    ) -> Value:
        special = inline(function, arguments, values, self.simple)
        if special is not None:
            result = self.name("t")
            self.emit(f"{result} = {special.code}", self.site(place, function.name))
            return Value(result, at, special.kind)
        codes = [value.code for value in values]
        if function.name in OF_THE_RUN:
            callee = function.name
            codes.insert(0, "run")
        else:
            callee = f"f_{function.name}"
            if function.scoped:
                codes.insert(0, "scope")
        if function.name == "call":
            callee_name = str(arguments[0]) if arguments else None
            codes.insert(0, literal(callee_name))
        elif function.name == "len":
            codes.append(str(values[0].interface))
        result = self.name("t")
        self.emit(f"{result} = {callee}({', '.join(codes)})", self.site(place, function.name))
        kind = "str" if function.returns_string else "bool" if function.returns_bool else ""
        return Value(result, at, kind)

    def short_circuit(
        self, node: Identifier, arguments: Sequence[Node], final: Value | None
    ) -> Value:
        result, at = self.name("t"), self.name("p")
        word = "if" if node.name == "and" else "if not"
        first = True
        for argument in arguments:
            if first:
                value = self.operand(argument)
                self.emit(f"{result} = {value.code}; {at} = {value.at}")
                first = False
                continue
            self.emit(f"{word} {result}:")
            with self.indented():
                value = self.operand(argument)
                self.emit(f"{result} = {value.code}; {at} = {value.at}")
        if final is not None:
            if first:
                self.emit(f"{result} = {final.code}; {at} = {self.site(node)}")
            else:
                self.emit(f"{word} {result}: {result} = {final.code}")
        return Value(result, at)

    def argument(self, node: Node, param: GoType) -> Value:
        """An operand as an argument of this type."""
        match node:
            case Nil():
                if param in NILLABLE:
                    return Value(self.nil_of(param), str(self.site(node)))
                return self.reject(f"cannot assign nil to {param.value}", node)
            case Bool() | Number() | String() if param not in {GoType.ANY, GoType.VALUE}:
                return self.constant(node, param)
            case _:
                return self.converted(self.operand(node), param)

    def nil_of(self, param: GoType) -> str:
        return (
            "None"
            if param in {GoType.ANY, GoType.VALUE}
            else f"convert(None, T[{literal(param.name)}], False, 0)"
        )

    def constant(self, node: Bool | Number | String, param: GoType) -> Value:
        """A constant where the parameter has a type of its own."""
        found = typed_constant(node, param)
        if isinstance(found, str):
            return self.reject(found, node)
        return Value(found[0], str(self.site(node)), found[1])

    def converted(self, value: Value, param: GoType) -> Value:
        """The value checked, and if need be converted, for a parameter of this type."""
        if param is GoType.ANY or param is GoType.VALUE:
            return value
        plain = PLAIN_TYPES.get(param)
        if plain is not None and value.kind == plain:
            return value
        code = self.simple(value.code)
        convert = f"convert({code}, T[{literal(param.name)}], {value.interface}, {value.at})"
        result = self.name("t")
        if plain is None:
            self.emit(f"{result} = {convert}")
        else:
            self.emit(f"{result} = {code} if type({code}) is {plain} else {convert}")
        return Value(result, value.at)

    def reject(self, text: str, node: Node, site: int | None = None) -> Value:
        site = self.site(node) if site is None else site
        self.emit(f"reject({literal(text)})", site)
        return Value("None", str(site))

    def at(self, value: Value) -> int:
        """The site of the value if it is known now, else of the place where it was set."""
        return int(value.at) if value.at.isdigit() else -1

"""Execute a template's tree as it is: what runs once is not worth compiling.

Each node becomes a Python function of the State, made when it is first reached. It does what Go's
text/template does, in its order, and leaves in `state.node` the node that Go is at: that is where
an error that follows is reported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from whipstaff.golang.values import GoType
from whipstaff.template import operations
from whipstaff.template.calls import OF_THE_RUN, miscount, parameter
from whipstaff.template.constants import number_value, typed_value
from whipstaff.template.members import Argument, call_member, expect_member
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
    PARTS_BEFORE_COUNTING,
    elements,
    holds_any,
    invoke,
    pairs,
    show,
    squash,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from whipstaff.template.execution import State
    from whipstaff.template.functions.registry import Function

    Evaluate = Callable[[State], object]
    Walk = Callable[[State], int]
    IsAny = Callable[[State], bool]


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
            Break: lambda _: operations.leave,
            Continue: lambda _: operations.go_on,
        }
        self._operands: Mapping[type, Callable[[Any], Evaluate]] = {
            Dot: operations.dot,
            Bool: lambda node: operations.constant(node, node.value),
            String: lambda node: operations.constant(node, node.text),
            Nil: lambda node: operations.constant(node, None),
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
            return operations.do_nothing
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
        return operations.do_nothing if node.otherwise is None else self.body(node.otherwise)

    def _range(self, node: Range) -> Walk:
        evaluate, body, base = self._pipe(node.pipe), self.body(node.body), node.base
        otherwise = self._otherwise(node)
        names = [variable.names[0] for variable in node.pipe.variables]
        go_through = pairs if len(names) > 1 else elements
        does_nothing = body is operations.do_nothing and not names

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
            for item in () if does_nothing else items:
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
                if jump == operations.BREAK:
                    break
            state.dot, state.dot_any = outer, outer_any
            jump = 0 if items else otherwise(state)
            if len(state.undo) > mark:
                state.forget(mark)
            return jump

        return walk

    def _template(self, node: Template) -> Walk:
        evaluate = operations.nothing if node.pipe is None else self._pipe(node.pipe)
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
            pipe.evaluate = operations.setting(pipe, evaluate) if pipe.variables else evaluate
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
                    return operations.rejecting(
                        f"can't give argument to non-function {first}", at, piped
                    )
                if isinstance(first, Nil):
                    return operations.rejecting("nil is not a command", first)
                return self._operand(first)

    def _operand(self, node: Node) -> Evaluate:
        """What gives the value of an operand where any type will do."""
        return self._operands[type(node)](node)

    def _number(self, node: Number) -> Evaluate:
        number = number_value(node)
        if number is None:
            return operations.rejecting(f"{node.text} overflows int", node)
        return operations.constant(node, number)

    def _whole_variable(self, node: Variable) -> Evaluate:
        if len(node.names) > 1:
            return self._member(node, (), None)
        return operations.variable(node, node.names[0])

    # -- fields --------------------------------------------------------------------------------

    def _member(
        self,
        node: Field | Variable | Chain,
        arguments: Sequence[Node],
        piped: Evaluate | None,
    ) -> Evaluate:
        if isinstance(node, Chain) and isinstance(node.term, Nil):
            return operations.rejecting(f"indirection through explicit nil in {node}", node, piped)
        names = node.names[1:] if isinstance(node, Variable) else node.names
        if not arguments and piped is None:
            if isinstance(node, Field):
                return operations.fields_of_dot(node, names)
            return operations.fields_of(node, names, *self._receiver(node))
        owner = self._receiver(node)
        if len(names) > 1:
            owner = operations.fields_of(node, names[:-1], *owner), self._is_any(node)
        return self._method(node, names[-1], owner, arguments, piped)

    def _receiver(self, node: Field | Variable | Chain) -> tuple[Evaluate, IsAny]:
        match node:
            case Field():
                return operations.dot(node), operations.dot_any
            case Variable():
                return operations.variable(node, node.names[0]), operations.variable_any(
                    node.names[0]
                )
            case Chain():
                return operations.term(self._operand(node.term)), self._is_any(node.term)

    def _is_any(self, node: Node) -> IsAny:
        """What says whether Go sees the operand's value as an `any`."""
        match node:
            case Dot():
                return operations.dot_any
            case Variable() if len(node.names) == 1:
                return operations.variable_any(node.names[0])
            case Field():
                return operations.dot_is_there
            case Variable():
                return operations.variable_is_there(node.names[0])
            case Chain():
                return operations.chain_any
            case _:
                return operations.never

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
            if operands:
                expect_member(found, name, found_any, site, len(operands) + (piped is not None))
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
            return operations.rejecting(problem, node, piped)
        if node.name in {"and", "or"}:
            operands = [self._operand(argument) for argument in arguments]
            return operations.short_circuit(node, operands, piped)
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
            values.insert(0, operations.the_run)
        elif function.scoped:
            values.insert(0, operations.the_scope)
        site = node, place, node.name
        if piped is None:
            return operations.calling(function.call, site, values)
        if node.name == "len":
            return operations.calling(
                function.call, site, [operations.piped_to(node, piped), operations.never]
            )
        last = parameter(function, len(arguments))
        return operations.calling_piped(function.call, site, values, piped, last)

    def _argument(self, node: Node, param: GoType) -> Evaluate:
        """What gives an operand as an argument of this type."""
        match node:
            case Nil():
                return operations.nil_argument(node, param)
            case Bool() | Number() | String() if param not in operations.ANYTHING:
                value, problem = typed_value(node, param)
                return (
                    operations.rejecting(problem, node)
                    if problem
                    else operations.constant(node, value)
                )
            case _:
                evaluate = self._operand(node)
                if param in operations.ANYTHING:
                    return evaluate
                is_any = self._is_any(node)
                if isinstance(node, Chain):
                    is_any = operations.term_is_there(self._operand(node.term))
                return operations.converting(evaluate, param, is_any)

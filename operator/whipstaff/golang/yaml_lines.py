"""Read the YAML that most manifests are written in, line by line, without libyaml.

That is block maps and lists with simple keys, each value in one line or a literal block.
What a line says is remembered: most lines come again, in other documents and in the next render.
Whatever else a document holds, and whatever might be wrong with it, is `Unusual`: other readers
decide. So what is read here is read as they read it, or not at all.
"""

import re
from typing import Final, NamedTuple, cast

from whipstaff.golang.yaml_reader import MAX_DEPTH, EventReader, Resolver, Unusual
from whipstaff.golang.yaml_scalars import HINTS, WORDS

_STRANGE: Final = re.compile(r"[^\n -~]")
_SIMPLE: Final = r"[\w./-]{0,250}"
_KEY: Final = rf"[A-Za-z_/]{_SIMPLE}|\"{_SIMPLE}\"|'{_SIMPLE}'"
_DOUBLE: Final = r'"(?:[^"\\]++|\\["\\n])*+"'
_SINGLE: Final = r"'(?:[^']++|'')*+'"
_PLAIN: Final = r"(?:[\w/.$(+~^;\\]|-(?=[^ ]))(?:[^:#]++|:(?! |$)|(?<! )#)*+"
_FLOW: Final = r"[\[{][^#]*[\]}]"
_LINE: Final = re.compile(
    rf"( *)(- +)?(?:({_KEY}):(?: +|$))?"
    rf"(?:({_DOUBLE})|({_SINGLE})|(\|[-+]?)|({_FLOW})|({_PLAIN}))?"
    r" *(?:(?<= )#.*)?",
    re.ASCII,
)
_NOTHING: Final = re.compile(r" *(?:#.*)?")
_ESCAPE: Final = re.compile(r"\\(.)")
_CACHED_LINES: Final = 20_000
_CACHED_LENGTH: Final = 160
_NESTED: Final = 20  # in one line


class Line(NamedTuple):
    """What one line says.

    `item` is the column behind the dash of a list's item, -1 without one. `is_open` says that the
    value of `key` may follow; `block` is how a literal block begins that follows, if one does;
    `nested` that the value is a collection.
    """

    indent: int
    item: int
    key: str | None
    value: object
    is_open: bool
    block: str | None
    nested: bool


def read(text: str, resolver: Resolver) -> object:
    """Read a text that is one document; `Unusual` if it is not known to be an ordinary one."""
    if _STRANGE.search(text):
        raise Unusual
    lines = text.split("\n")
    known = cast("dict[str, Line | None]", resolver.lines)
    column, node, pending = -1, cast("dict[str, object] | list[object] | None", None), ""
    is_pending = False
    root: dict[str, object] | list[object] | None = None
    stack: list[tuple[int, dict[str, object] | list[object] | None]] = []
    at, count = 0, len(lines)
    while at < count:
        text_line = lines[at]
        at += 1
        line = known[text_line] if text_line in known else _line(text_line, resolver)
        if line is None:
            continue
        indent, item, key, value, is_open, block, nested = line
        if key is None and item < 0:  # the value of the key in the line before
            if not is_pending or indent <= column:
                raise Unusual
            node[pending] = _copied(value) if nested else value  # type: ignore[call-overload, index]  # as below
            is_pending = False
            continue
        if is_pending or root is None:
            is_pending = False
            if indent > column or (indent == column and item >= 0 and type(node) is dict):
                if len(stack) >= MAX_DEPTH - 1:
                    raise Unusual
                inner: dict[str, object] | list[object] = {} if item < 0 else []
                if node is None:
                    root = inner
                else:
                    node[pending] = inner  # type: ignore[call-overload]  # pending in a map
                stack.append((column, node))
                column, node = indent, inner
        while indent < column or (indent == column and item < 0 and type(node) is list):
            column, node = stack.pop()
        if indent != column or (type(node) is list) is not (item >= 0):
            raise Unusual
        if item >= 0 and key is not None:
            inner = {}
            node.append(inner)  # type: ignore[union-attr]  # it is a list, as was seen
            if len(stack) >= MAX_DEPTH - 1:
                raise Unusual
            stack.append((column, node))
            column, node = item, inner
        if block is not None:
            value, at = _block(lines, at, column, block)
        elif nested:
            value = _copied(value)
        if key is None:
            node.append(value)  # type: ignore[union-attr]  # so it is an item
        else:
            node[key] = value  # type: ignore[call-overload, index]  # so it is a map
            pending, is_pending = key, is_open
    return root


def _line(text: str, resolver: Resolver) -> Line | None:
    """Read one line; None if it says nothing."""
    found = None if _NOTHING.fullmatch(text) else _parsed(text, resolver)
    known = resolver.lines
    if len(text) <= _CACHED_LENGTH:
        if len(known) >= _CACHED_LINES:
            known.clear()
        known[text] = found
    return found


def _parsed(text: str, resolver: Resolver) -> Line:
    match = _LINE.fullmatch(text)
    if match is None:
        raise Unusual
    spaces, dash, key, double, single, block, flow, plain = match.groups()
    indent = len(spaces)
    item = -1 if dash is None else indent + len(dash)
    value: object = None
    if plain is not None:
        value = plain.rstrip(" ")
        if plain[0] in HINTS:
            value = resolver(plain.rstrip(" "))
    elif double is not None:
        value = _ESCAPE.sub(_unescaped, double[1:-1])
    elif single is not None:
        value = single[1:-1].replace("''", "'")
    elif flow is not None:
        value = _flow(flow, resolver)
    is_empty = plain is double is single is block is flow is None
    if key is None and (is_empty or (dash is None and block is not None)):
        raise Unusual
    if key is not None:
        if key in WORDS:
            raise Unusual
        key = key.strip("\"'")
    return Line(indent, item, key, value, is_empty, block, flow is not None)


def _unescaped(match: re.Match[str]) -> str:
    return "\n" if match[1] == "n" else match[1]


def _flow(text: str, resolver: Resolver) -> object:
    """Read a collection that stands in one line."""
    if text == "{}":
        return {}
    if text == "[]":
        return []
    if text.count("[") + text.count("{") > _NESTED:
        raise Unusual
    found = list(EventReader(text).values(resolver))
    if len(found) != 1 or type(found[0]) is not (list if text[0] == "[" else dict):
        raise Unusual
    return found[0]


def _copied(value: object) -> object:
    """Copy what is remembered, so that nobody changes it."""
    if type(value) is list:
        return [_copied(inner) for inner in value]
    if type(value) is dict:
        return {key: _copied(inner) for key, inner in value.items()}
    return value


def _block(lines: list[str], at: int, column: int, header: str) -> tuple[str, int]:
    """Read the literal block whose first line has the number `at`; tell the line behind it."""
    first = at
    count = len(lines)
    while first < count and not lines[first].strip(" "):
        first += 1
    if first == count:
        raise Unusual
    indent = len(lines[first]) - len(lines[first].lstrip(" "))
    if indent <= column or any(len(line) > indent for line in lines[at:first]):
        raise Unusual
    margin = " " * indent
    end = first
    while end < count and (lines[end].startswith(margin) or not lines[end].strip(" ")):
        end += 1
    content = [line[indent:] for line in lines[at:end]]
    if end == count:
        if content[-1]:  # the last line has no end
            return "\n".join(content), end
        if len(lines[-1]) > 0:
            raise Unusual
        content.pop()
    if header == "|+":
        return "".join(f"{line}\n" for line in content), end
    while not content[-1]:
        content.pop()
    return "\n".join(content) + ("" if header == "|-" else "\n"), end

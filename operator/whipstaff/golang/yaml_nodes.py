"""The second way to read YAML: a tree of nodes, decoded step by step as Go's library does."""

import base64
import binascii
import math
import re
from collections.abc import Iterator
from typing import Any, Final, Literal, NoReturn, cast

from yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from whipstaff.golang.floats import format_g
from whipstaff.golang.strconv import quote
from whipstaff.golang.yaml_dialect import go_events
from whipstaff.golang.yaml_reader import (
    MAX_DEPTH,
    Resolver,
    Unusual,
    YAMLError,
    key_text,
)
from whipstaff.golang.yaml_scalars import (
    BINARY_TAG,
    FLOAT_TAG,
    INT64_MAX,
    INT_TAG,
    MERGE_TAG,
    NULL_TAG,
    STR_TAG,
    TIMESTAMP_TAG,
    Scalar,
    is_timestamp,
    resolve,
)

_LONG_TAG: Final = "tag:yaml.org,2002:"
_RESOLVABLE: Final = frozenset([STR_TAG, "!!bool", INT_TAG, FLOAT_TAG, NULL_TAG, TIMESTAMP_TAG])

# How much of a document may come out of aliases: nearly all of a small one, a tenth of a large one.
_ALIASES_FREE: Final = 100
_DECODES_FREE: Final = 1000
_RATIO_LOW: Final = 400_000
_RATIO_HIGH: Final = 4_000_000

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")

Kind = Literal["scalar", "mapping", "sequence", "alias"]


class Node:
    """A node of the document; a mapping's children are its keys and values in turn."""

    __slots__ = ("alias", "children", "implicit", "kind", "line", "tag", "value")

    def __init__(self, kind: Kind, line: int, tag: str = "", value: str = "") -> None:
        self.kind = kind
        self.line = line
        self.tag = tag
        self.value = value
        self.implicit = False
        self.alias: Node | None = None
        self.children: list[Node] = []


class Table:
    """A Go map with keys of any scalar type; 1, 1.0 and true are three keys."""

    __slots__ = ("entries",)

    def __init__(self) -> None:
        self.entries: dict[tuple[type, Scalar], object] = {}


def documents(text: str, resolver: Resolver, *, strict: bool = False) -> Iterator[object]:
    """Decode each document of a text in turn."""
    events = go_events(text)
    for event in events:
        if isinstance(event, DocumentStartEvent):
            decoder = _Decoder(strict=strict)
            value = decoder.decode(_tree(events))
            if decoder.errors:
                raise YAMLError("yaml: unmarshal errors:\n  " + "\n  ".join(decoder.errors))
            yield _as_json(value, resolver)


def _tree(events: Iterator[Event]) -> Node:
    """Read one document's events into a tree."""
    anchors: dict[str, Node] = {}
    root = Node("sequence", 0)
    open_nodes = [root]
    for event in events:
        node = _node(event, anchors)
        if node is not None:
            open_nodes[-1].children.append(node)
            if node.kind in {"mapping", "sequence"}:
                if len(open_nodes) > MAX_DEPTH:
                    _fail_depth()
                open_nodes.append(node)
        elif isinstance(event, (MappingEndEvent, SequenceEndEvent)):
            open_nodes.pop()
        elif isinstance(event, DocumentEndEvent):
            break
    return root.children[0]


def _node(event: Event, anchors: dict[str, Node]) -> Node | None:
    line = event.start_mark.line if event.start_mark is not None else 0
    if isinstance(event, AliasEvent):
        node = Node("alias", line, value=event.anchor or "")
        node.alias = anchors.get(node.value)
        if node.alias is None:
            _fail(f"unknown anchor '{event.anchor}' referenced")
        return node
    if isinstance(event, ScalarEvent):
        node = Node("scalar", line, _short_tag(event.tag), event.value)
        node.implicit = event.implicit[0]
    elif isinstance(event, MappingStartEvent):
        node = Node("mapping", line)
    elif isinstance(event, SequenceStartEvent):
        node = Node("sequence", line)
    else:
        return None
    if event.anchor is not None:
        anchors[event.anchor] = node
    return node


def _short_tag(tag: str | None) -> str:
    if tag is None:
        return ""
    return "!!" + tag[len(_LONG_TAG) :] if tag.startswith(_LONG_TAG) else tag


class _Decoder:
    """Nodes to values, with Go's budget for aliases."""

    def __init__(self, *, strict: bool) -> None:
        self.errors: list[str] = []
        self._strict = strict
        self._decodes = 1  # the document counts as one
        self._aliased = 0
        self._alias_depth = 0
        self._depth = 0
        self._open_aliases: set[int] = set()

    def decode(self, node: Node, into: Table | None = None) -> object:
        """Give the node's value; a mapping goes into an existing table when it is merged."""
        self._count()
        if node.kind == "scalar":
            return scalar(node)
        if node.kind == "alias":
            return self._alias(node, into)
        self._depth += 1
        if self._depth > MAX_DEPTH:
            _fail_depth()
        if node.kind == "mapping":
            value: object = self._mapping(node, Table() if into is None else into)
        else:
            value = [self.decode(child) for child in node.children]
        self._depth -= 1
        return value

    def _count(self) -> None:
        self._decodes += 1
        if self._alias_depth:
            self._aliased += 1
        if (
            self._aliased > _ALIASES_FREE
            and self._decodes > _DECODES_FREE
            and self._aliased / self._decodes > _allowed_ratio(self._decodes)
        ):
            _fail("document contains excessive aliasing")

    def _alias(self, node: Node, into: Table | None) -> object:
        if id(node) in self._open_aliases:
            _fail(f"anchor '{node.value}' value contains itself")
        self._open_aliases.add(id(node))
        self._alias_depth += 1
        value = self.decode(cast("Node", node.alias), into)
        self._alias_depth -= 1
        self._open_aliases.discard(id(node))
        return value

    def _mapping(self, node: Node, table: Table) -> Table:
        for key_node, value_node in zip(node.children[::2], node.children[1::2], strict=True):
            if _is_merge(key_node):
                self._merge(value_node, table)
                continue
            key = self.decode(key_node)
            if isinstance(key, (Table, list)):
                _fail(f"invalid map key: {go_syntax(key)}")
            value = self.decode(value_node)
            slot = (type(key), cast("Scalar", key))
            if self._strict and slot in table.entries:
                self.errors.append(
                    f"line {value_node.line + 1}: key {go_syntax(key)} already set in map"
                )
            else:
                table.entries[slot] = value
        return table

    def _merge(self, node: Node, table: Table) -> None:
        # In a list of maps the first one wins, so it is written last.
        merged = node.children[::-1] if node.kind == "sequence" else [node]
        for source in merged:
            target = source.alias if source.kind == "alias" else source
            if target is None or target.kind != "mapping":
                _fail("map merge requires map or sequence of maps as the value")
            self.decode(source, table)


def _allowed_ratio(decodes: int) -> float:
    if decodes <= _RATIO_LOW:
        return 0.99
    if decodes >= _RATIO_HIGH:
        return 0.10
    return 0.99 - 0.89 * ((decodes - _RATIO_LOW) / (_RATIO_HIGH - _RATIO_LOW))


def _is_merge(node: Node) -> bool:
    return node.kind == "scalar" and node.value == "<<" and (node.implicit or node.tag == MERGE_TAG)


def scalar(node: Node) -> Scalar:
    """Give a scalar node's value by its tag, or by its looks when it has none."""
    if not node.tag and not node.implicit:
        return node.value
    if node.tag == BINARY_TAG:
        return _from_base64(node.value)
    if node.tag and node.tag not in _RESOLVABLE:
        return node.value
    if node.tag == STR_TAG:
        return node.value
    tag, value = resolve(node.value)
    if node.tag in {"", tag}:
        return value
    if node.tag == FLOAT_TAG and tag == INT_TAG and cast("int", value) <= INT64_MAX:
        return float(cast("int", value))
    if node.tag == TIMESTAMP_TAG and is_timestamp(node.value):
        return node.value
    return _fail(f"cannot decode {tag} `{node.value}` as a {node.tag}")


def _from_base64(text: str) -> str:
    try:
        data = base64.b64decode(text.replace("\n", "").replace("\r", ""), validate=True)
    except (binascii.Error, ValueError):
        _fail("!!binary value contains invalid base64 data")
    return data.decode("utf-8", "surrogateescape")


def _as_json(value: object, resolver: Resolver) -> object:
    """Turn tables into objects and numbers into the caller's form, as the way through JSON does."""
    try:
        return _plain(value, resolver)
    except YAMLError:
        # Go writes keys in their order, and so complains about the first in that order.
        _plain(value, resolver, in_order=True)
        raise


def _plain(value: object, resolver: Resolver, *, in_order: bool = False) -> object:
    if isinstance(value, Table):
        entries = {_json_key(key, held): held for (_, key), held in value.entries.items()}
        keys = sorted(entries) if in_order else entries
        return {key: _plain(entries[key], resolver, in_order=in_order) for key in keys}
    if isinstance(value, list):
        return [_plain(item, resolver, in_order=in_order) for item in value]
    plain = cast("Scalar", value)
    try:
        if isinstance(plain, str) and not plain.isascii():
            return _LONE_SURROGATE.sub("\ufffd", plain)
        return resolver.spell(plain)
    except Unusual:
        shown = {math.inf: "+Inf", -math.inf: "-Inf"}.get(cast("float", plain), "NaN")
        raise YAMLError(f"json: unsupported value: {shown}") from None


def _json_key(key: Scalar, held: object) -> str:
    try:
        return key_text(key)
    except Unusual:
        kind = "%!s(<nil>)" if key is None else "uint64"
        raise YAMLError(
            f"unsupported map key of type: {kind}, key: {go_syntax(key)}, value: {go_syntax(held)}"
        ) from None


def go_syntax(value: object, *, nested: bool = False) -> str:
    """Print a value as Go's %#v does; `nested` tells a nil inside a list or a map."""
    if isinstance(value, Table):
        entries = sorted(value.entries.items(), key=lambda entry: _go_order(entry[0][1]))
        inner = ", ".join(
            f"{go_syntax(key, nested=True)}:{go_syntax(held, nested=True)}"
            for (_, key), held in entries
        )
        return "map[interface {}]interface {}{" + inner + "}"
    if isinstance(value, list):
        return "[]interface {}{" + ", ".join(go_syntax(item, nested=True) for item in value) + "}"
    if value is None:
        return "interface {}(nil)" if nested else "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return format_g(value)
    if isinstance(value, int):
        return hex(value) if value > INT64_MAX else str(value)
    return quote(cast("str", value))


def _go_order(key: Scalar) -> tuple[int, Any]:
    """Order map keys as fmt prints them: nil first, then by type as the types' addresses fall."""
    if key is None:
        return (0, 0)
    if isinstance(key, str):
        return (3, key)
    return (1 if isinstance(key, bool) else 2, key)


def _fail_depth() -> NoReturn:
    raise YAMLError(f"yaml: exceeded max depth of {MAX_DEPTH}")


def _fail(problem: str) -> NoReturn:
    raise YAMLError(f"yaml: {problem}")

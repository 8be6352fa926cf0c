"""Values files: what people write, and what they should not."""

from dataclasses import dataclass

WORDS = ("web", "a", "app-1", "Ünï", "x y", "prod")
PLAIN = (
    *("web", "nginx:1.25", "a b", "http://x.y/z?a=b", "v1.2.3", "1.2.3", "a#b", "-x", "?x", ":x"),
    *("é", "日本", "😀", "a'b", 'a"b', "100m", "5Gi", "0755", "0o17", "1_000", "12:30", "1:02:03"),
    *("2024-01-02", "2024-01-02T03:04:05Z", "0x1F", "0b101", "1e3", "1E+5", ".5", "1.", "+1", "-0"),
    *("yes", "No", "on", "OFF", "y", "n", "TRUE", "null", "Null", "~", "="),
)
QUOTED = (
    *('"web"', "'it''s'", '"a\\nb"', '"\\u00e9\\t\\"q\\""', '""', "''", '"012"', "'true'", '" x "'),
    *(
        '"{{ .Release.Name }}"',
        "'{{ .Values.name }}-x'",
        '"a\\\n    b"',
        '"\\x41\\0"',
        "'1e3'",
        '"<<"',
    ),
    *(
        "\"<a>&'b'\"",
        '"\\ud7ff\\u2028"',
        '"tab\\there"',
        '"trailing "',
        "'# no'",
        "'a: b'",
        '"\\e\\N"',
    ),
)
STRINGS = ("web", "my-app", "nginx:1.25", "Héllo", "日本語", '"a b"', "'it''s'", '"x\\ny"', '""')
INTS = (
    *("1", "0", "3", "-7", "80", "8080", "1000000", "12345678", "9007199254740993", "017", "0o17"),
    *(
        "0x1F",
        "0b11",
        "1_000",
        "+5",
        "9223372036854775807",
        "9223372036854775808",
        "-0",
        "100000000",
    ),
    *("18446744073709551616", "20240102", "190:20:30", "08"),
)
FLOATS = (
    "1.5",
    "0.1",
    "1e3",
    "1e21",
    "-2.5e-7",
    "100.0",
    ".5",
    "1e6",
    "1e-5",
    "3.",
    "1.0",
    "6.02e+23",
)
BOOLS = ("true", "false", "yes", "off", "True")
NULLS = ("null", "~", "", "Null")
BLOCKS = (
    ("|", ("line 1", "line 2")),
    ("|-", ("one", "", "  two")),
    (">-", ("folded", "text", "", "para", "  more")),
    ("|+", ("keep", "")),
    (">", ("a", "b")),
    ("|", ("{{ .Release.Name }}", "x: {{ .Values.name }}")),
    ("|2-", ("  deep", "less")),
    ("|-", ("é: 日本", "# not a comment", "\ttab")),
)


@dataclass(frozen=True, slots=True)
class Node:
    """A piece of YAML: `text` for a scalar, or `lines` of a block scalar, or entries."""

    text: str = ""
    lines: tuple = ()
    entries: tuple = ()  # (key, Node)
    elements: tuple = ()  # Node
    kind: str = "scalar"
    anchor: str = ""

    def written(self, indent=0):
        """As it follows `key:` or `-`, up to and with the line's end."""
        start = f" &{self.anchor}" if self.anchor else ""
        blank = " " * indent
        match self.kind:
            case "block":
                body = "".join(f"{blank}{line}".rstrip(" ") + "\n" for line in self.lines)
                return f"{start} {self.text}\n{body}"
            case "map" if self.entries:
                return f"{start}\n" + "".join(
                    f"{blank}{key}:{node.written(indent + 2)}" for key, node in self.entries
                )
            case "list" if self.elements:
                return f"{start}\n" + "".join(
                    f"{blank}-{node.written(indent + 2)}" for node in self.elements
                )
            case _:
                return f" {self.flow()}\n"

    def flow(self):
        start = f"&{self.anchor} " if self.anchor else ""
        match self.kind:
            case "map":
                return (
                    start
                    + "{"
                    + ", ".join(f"{key}: {one.flow()}" for key, one in self.entries)
                    + "}"
                )
            case "list":
                return start + "[" + ", ".join(one.flow() for one in self.elements) + "]"
            case "block":
                return '"' + " ".join(self.lines).replace("\\", "").replace('"', "") + '"'
            case _:
                return self.text


class YamlTexts:
    """Makes values; `anchors` are the names that later places may refer to."""

    def __init__(self, choices):
        self.choices = choices
        self.anchors = {}

    def scalar(self):
        pool = self.choices.pick((STRINGS, PLAIN, QUOTED, INTS, FLOATS, BOOLS, NULLS))
        if self.choices.chance(1) and self.choices.chance(40):
            return Node(
                self.choices.pick((".inf", "-.Inf", ".NaN", "*nowhere", "!!str 1", "@x", "!x y"))
            )
        return Node(self.choices.pick(pool))

    def one(self, pool):
        return Node(self.choices.pick(pool))

    def text(self):
        """A text, most of the time."""
        choices = self.choices
        if choices.chance(15):
            header, lines = choices.pick(BLOCKS)
            return Node(header, lines, kind="block")
        return self.one(choices.pick((STRINGS, STRINGS, QUOTED, PLAIN)))

    def any(self, depth=2):
        choices = self.choices
        kind = choices.below(6) if depth else 0
        if kind < 3:
            return self.scalar() if kind else self.text()
        if kind == 3:
            return self.list(lambda: self.any(depth - 1))
        if kind == 4 and self.anchors and choices.chance(50):
            return Node(f"*{choices.pick(sorted(self.anchors))}")
        return self.map(lambda: self.any(depth - 1))

    def list(self, element, most=3):
        elements = tuple(element() for _ in range(self.choices.below(most + 1)))
        return self._styled(Node(kind="list", elements=elements))

    def map(self, value, keys=("a", "b", "name", "x-y", "é", '"1"', "true", "a.b/c"), most=3):
        used = dict.fromkeys(self.choices.some(keys, most))
        entries = [(key, value()) for key in used]
        if self.choices.chance(6) and (
            maps := [a for a, kind in self.anchors.items() if kind == "map"]
        ):
            entries.insert(0, ("<<", Node(f"*{self.choices.pick(maps)}")))
        return self._styled(Node(kind="map", entries=tuple(entries)))

    def table(self, **entries):
        return Node(kind="map", entries=tuple(entries.items()))

    def _styled(self, node):
        if self.choices.chance(20):
            return Node(node.flow())
        if self.choices.chance(10):
            name = f"n{len(self.anchors)}"
            self.anchors[name] = node.kind
            return Node(kind=node.kind, entries=node.entries, elements=node.elements, anchor=name)
        return node

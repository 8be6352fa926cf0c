"""Pipelines of the template language, of a wanted type most of the time.

Types: s text, i whole number, f fraction, b bool, l list, t list of texts, m map, a anything;
for arguments also c small number, k key, and the names of the pools below.
"""

from dataclasses import dataclass, replace

from tests.fuzz.pools import (
    BAD_LITERALS,
    FUNCTIONS,
    GUARDS,
    LITERALS,
    OBJECTS,
    PATHS,
    RISKY,
)

BY_RESULT = {
    kind: [one for one in FUNCTIONS if one[0] == kind or (kind == "a" and one[0][0] != "!")]
    for kind in "sifbltma"
}
WITH_RISKS = {
    kind: [one for one in FUNCTIONS if one[0].lstrip("!") == kind or kind == "a"]
    for kind in BY_RESULT
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a pipeline stands: what can be named there.

    `dot` is the type of the dot, "root" for the data of a chart; `dollar` that of `$`.
    """

    dot: str = "root"
    dollar: str = "root"
    variables: tuple = ()  # (name, type)
    partials: tuple = ()  # names of defines that take the root
    in_loop: bool = False
    in_partial: bool = False

    def with_variable(self, name, kind):
        return replace(self, variables=(*self.variables, (name, kind)))

    @property
    def root(self):
        """How the data of the chart are written here; empty if nothing gives them."""
        return "" if self.dot == "root" else ("$" if self.dollar == "root" else None)


@dataclass(slots=True)
class Expressions:
    """Makes pipelines; `wrong` of a hundred arguments are not what they should be."""

    choices: object
    wrong: int = 0
    depth: int = 3

    def pipeline(self, kind, place, depth=None):
        """A whole pipeline, without parentheses."""
        choices = self.choices
        depth = self.depth if depth is None else depth
        if self.wrong and choices.chance(self.wrong):
            kind = choices.pick("asilmfbt")
        form = choices.below(10) if depth > 0 else choices.below(3)
        if form < 5:
            return self.operand(kind, place)
        if form == 5 and kind in "sa" and place.partials:
            return self._include(place, depth)
        if form == 6 and kind in "sa":
            return self._tpl(place, depth)
        return self._call(kind, place, depth - 1)

    def argument(self, kind, place, depth):
        """An operand: a literal, a name, or a pipeline in parentheses."""
        if kind in GUARDS and (not self.wrong or self.choices.chance(80)):
            if self.choices.chance(40):
                return self._literal(kind)
            text = self._argument(kind, place, depth)
            return f"({text} | {self.choices.pick(GUARDS[kind])})"
        return self._argument(kind, place, depth)

    def _argument(self, kind, place, depth):
        if kind not in BY_RESULT:
            if kind not in ("c", "k", "when") and self.choices.chance(5):
                kind = "s"
            elif self.wrong and kind != "when" and self.choices.chance(10):
                kind = {"c": "i", "k": "s"}.get(kind, "s")
            else:
                return self._literal(kind)
        text = self.pipeline(kind, place, depth)
        if " " in text and not text.startswith(("(", '"', "`")):
            return f"({text})"
        if " | " in text or (text.startswith("(") and not text.endswith(")")):
            return f"({text})"
        return text

    def operand(self, kind, place):
        """A name or a literal; may be in parentheses and have fields."""
        choices = self.choices
        kind = kind if kind in PATHS else "a"
        form = choices.below(10)
        if form < 3:
            return self._literal(kind)
        if form < 5:
            known = [name for name, its in place.variables if kind in {its, "a"}]
            if known:
                return choices.pick(known)
        if form < 6 and (place.dot == kind or (kind == "a" and place.dot != "root")):
            return "."
        if form < 7 and place.dot == "m":
            return choices.pick((".name", ".a", ".value", ".missing", ".a.b"))
        return self.name_of(kind, place)

    def _literal(self, kind):
        if self.wrong and kind in BAD_LITERALS and self.choices.chance(self.wrong):
            return self.choices.pick(BAD_LITERALS[kind])
        return self.choices.pick(LITERALS[kind])

    def name_of(self, kind, place):
        choices = self.choices
        root = place.root
        if root is None:
            return choices.pick(LITERALS[kind])
        if choices.chance(20) and OBJECTS[kind]:
            return f"{root}.{choices.pick(OBJECTS[kind])}"
        path = choices.pick(PATHS[kind])
        if self.wrong and choices.chance(self.wrong):
            if choices.chance(30):
                return f"{root}.{choices.pick(RISKY['objects'])}"
            path = choices.pick(RISKY["paths"])
        elif path.count(".") and not choices.chance(3):
            path = path.partition(".")[0]
            if kind == "s":
                path = "name"
        if choices.chance(4):
            head, _, last = path.rpartition(".")
            table = f"{root}.Values.{head}" if head else f"{root}.Values"
            return choices.pick((f"({table}).{last}", f'(index {table} "{last}")'))
        return f"{root}.Values.{path}"

    def _call(self, kind, place, depth):
        choices = self.choices
        functions = WITH_RISKS if self.wrong or choices.chance(3) else BY_RESULT
        _, name, *kinds = choices.pick(functions[kind if kind in BY_RESULT else "a"])
        if name in {"fail", "required"} and not choices.chance(20):
            name = "default"
            kinds = ["s", "s"]
        if kinds and kinds[-1] == "*":
            kinds.pop()
            kinds += [kinds[-1]] * choices.below(3)
        kinds = self._spoilt(kinds)
        if name.startswith((".", "(")):
            if place.root is None:
                return self.operand(kind, place)
            name = name.replace("(.", f"({place.root}.")
            name = name.replace("|glob", f" {choices.pick(LITERALS['glob'])}")
            name = place.root + name if name.startswith(".") else name
        arguments = [self.argument(one, place, depth) for one in kinds]
        if name == "keys":  # in Go's own order of maps, which is none
            return f"keys {' '.join(arguments)} | sortAlpha"
        return self._ended(self._piped(name, arguments), depth)

    def _spoilt(self, kinds):
        """One argument too few or too many, at times; a date must stay one: all else is now."""
        if not self.wrong or "when" in kinds or not self.choices.chance(self.wrong):
            return kinds
        return kinds[:-1] if kinds and self.choices.chance(50) else [*kinds, "a"]

    def _piped(self, name, arguments):
        """A call, with its last argument before it at times."""
        choices = self.choices
        if not arguments or not choices.chance(35):
            return " ".join([name, *arguments])
        last = arguments.pop()
        # A pipeline may be piped as it is.
        if last.startswith("(") and last.endswith(")") and choices.chance(50) and _whole(last):
            last = last[1:-1]
        return f"{last} | {' '.join([name, *arguments])}"

    def _ended(self, text, depth):
        choices = self.choices
        if depth > 0 and choices.chance(12):
            return f"{text} | {choices.pick(('quote', 'toString', 'print', 'default 1', 'toJson'))}"
        if self.wrong and choices.chance(4):
            return f"({text}).{choices.pick(('a', 'name', 'x.y', 'Major', 'String', '_0', 'host'))}"
        return text

    def _include(self, place, depth):
        name = f'"{self.choices.pick(place.partials)}"'
        if place.root is None:
            data = self.argument("a", place, depth - 1)
        elif self.choices.chance(80):
            data = place.root or "."
        else:
            data = self.argument("m", place, depth - 1)
        end = self.choices.pick(
            ("", "", " | trim", " | nindent 2", " | quote", " | fromYaml | toJson")
        )
        return f"include {name} {data}{end}"

    def _tpl(self, place, depth):
        data = (place.root or ".") if place.root is not None else "."
        if place.root is not None and self.choices.chance(50):
            return f"tpl {self.name_of('s', place)} {data}"
        inner = self.pipeline(
            "s", Place(dot="root" if data != "." or place.dot == "root" else "a"), depth - 2
        )
        if "`" in inner or "\n" in inner:
            return f'tpl "{{{{ .Release.Name }}}}" {data}'
        return f"tpl `x{{{{ {inner} }}}}` {data}"


def _whole(text):
    """Whether the first parenthesis is closed by the last; texts in quotes may mislead it."""
    if '"' in text or "`" in text:
        return False
    level = 0
    for at, sign in enumerate(text):
        level += (sign == "(") - (sign == ")")
        if not level:
            return at == len(text) - 1
    return False

"""Read TOML documents into maps, refusing with BurntSushi's words, line and last key."""

from typing import Any, NoReturn

from whipstaff.golang.strconv import quote
from whipstaff.golang.toml_scanner import END, Refusal, Scanner, quote_character
from whipstaff.golang.toml_values import scalar
from whipstaff.golang.toml_writer import TOMLError, joined_key
from whipstaff.golang.values import TypedList

_TABLES = "map[string]interface {}"

Key = tuple[str, ...]


def load(text: str) -> dict[str, object]:
    """Read a document; integers are int64, lists of tables keep their Go type."""
    text = text.removeprefix("\ufeff")
    if "\x00" in text[:6]:
        raise TOMLError(
            "toml: line 1: files cannot contain NULL bytes; probably using UTF-16; "
            "TOML files must be UTF-8"
        )
    reader = _Reader(text)
    try:
        reader.read()
    except Refusal as refusal:
        last = f" (last key {quote(reader.last_key())})" if reader.last_key() else ""
        raise TOMLError(f"toml: line {refusal.line}{last}: {refusal.message}") from refusal
    except RecursionError:
        raise TOMLError("toml: document nests too deeply") from None
    return reader.root


class _Reader:
    """The document so far, and the table and key at hand."""

    def __init__(self, text: str) -> None:
        self.root: dict[str, object] = {}
        self._scanner = Scanner(text)
        self._context: Key = ()
        self._key = ""
        self._key_line = 1
        self._implicit: set[Key] = set()
        self._arrays: set[Key] = set()

    def last_key(self) -> str:
        """Spell the key at hand as the library does in its refusals."""
        if not self._key:
            return joined_key(self._context)
        return f"{joined_key(self._context)}.{self._key}" if self._context else self._key

    def read(self) -> None:
        """Read to the end of the text."""
        scanner = self._scanner
        while True:
            scanner.skip_lines()
            if scanner.peek() == END:
                return
            if scanner.accept("["):
                self._table_header()
            else:
                outer = self._context
                self._pair()
                self._context = outer
                self._key = ""
            self._end_of_line()

    def _end_of_line(self) -> None:
        scanner = self._scanner
        scanner.skip_blanks()
        following = scanner.peek()
        if following == "#":
            scanner.skip_comment()
        elif following not in {END, "\n", "\r"}:
            scanner.refuse_next(
                "expected a top-level item to end with a newline, comment, or EOF, "
                f"but got {quote_character(following)} instead"
            )

    def _table_header(self) -> None:
        scanner = self._scanner
        array = scanner.accept("[")
        parts: list[str] = []
        while True:
            scanner.skip_blanks()
            following = scanner.peek()
            if following in {END, "]"}:
                raise Refusal(
                    "unexpected end of table name (table names cannot be empty)", scanner.line
                )
            if following == ".":
                scanner.refuse("unexpected table separator (table names cannot be empty)")
            parts.append(scanner.bare_or_quoted_key())
            if len(parts) == 1:
                self._key_line = scanner.line
            scanner.skip_blanks()
            if scanner.accept("]"):
                break
            if not scanner.accept("."):
                shown = quote_character(scanner.peek())
                scanner.refuse_next(
                    f"expected '.' or ']' to end table name, but got {shown} instead"
                )
        if array and not scanner.accept("]"):
            shown = quote_character(scanner.peek())
            scanner.refuse_next(
                f"expected end of table array name delimiter ']', but got {shown} instead"
            )
        self._enter(tuple(parts), array=array)

    def _pair(self) -> tuple[Key, object]:
        """Read a key and its value, and set it; the key's own parents become the context."""
        key = self._dotted_key()
        self._key = key[-1]
        for part in key[:-1]:
            path = (*self._context, part)
            self._implicit.add(path)
            self._enter(path, array=False)
        value = self._value(in_array=False)
        self._set(self._key, value)
        self._note_type(value)
        return key, value

    def _note_type(self, value: object) -> None:
        path = (*self._context, self._key)
        if isinstance(value, list):
            self._arrays.add(path)
        else:
            self._arrays.discard(path)

    def _dotted_key(self) -> Key:
        scanner = self._scanner
        scanner.skip_blanks()
        following = scanner.peek()
        if following in {END, "="}:
            raise Refusal("unexpected '=': key name appears blank", scanner.line)
        if following == ".":
            scanner.refuse("unexpected '.': keys cannot start with a '.'")
        parts: list[str] = []
        while True:
            parts.append(scanner.bare_or_quoted_key())
            if len(parts) == 1:
                self._key_line = scanner.line
            scanner.skip_blanks()
            if scanner.accept("="):
                return tuple(parts)
            if not scanner.accept("."):
                self._refuse_key_end()
            scanner.skip_blanks()
            following = scanner.peek()
            if following in {END, "="}:
                raise Refusal("unexpected '='", scanner.line)
            if following == ".":
                scanner.refuse("unexpected '.'")

    def _refuse_key_end(self) -> NoReturn:
        scanner = self._scanner
        following = scanner.peek()
        if following == END:
            scanner.refuse("unexpected EOF; expected key separator '='")
        # A line break here is blamed on the line that it ends.
        words = f"expected '.' or '=', but got {quote_character(following)} instead"
        raise Refusal(words, scanner.line)

    def _value(self, *, in_array: bool) -> object:
        scanner = self._scanner
        scanner.skip_blanks()
        following = scanner.peek()
        if following == "[":
            scanner.take()
            return self._array()
        if following == "{":
            scanner.take()
            return self._inline_table(in_array=in_array)
        if following in {'"', "'"}:
            if scanner.text.startswith(following * 3, scanner.at):
                scanner.at += 3
                return scanner.long_string(following * 3)
            scanner.take()
            return scanner.string() if following == '"' else scanner.raw_string()
        return scalar(scanner)

    def _array(self) -> list[object]:
        self._arrays.add((*self._context, self._key))
        scanner = self._scanner
        items: list[object] = []
        while True:
            scanner.skip_lines()
            if scanner.accept("]"):
                return items
            if scanner.peek() == ",":
                scanner.refuse("unexpected comma")
            items.append(self._value(in_array=True))
            scanner.skip_lines()
            if scanner.accept("]"):
                return items
            if not scanner.accept(","):
                words = "expected a comma (',') or array terminator (']'), but got "
                scanner.refuse_next(words + self._shown())

    def _inline_table(self, *, in_array: bool) -> dict[str, object]:
        scanner = self._scanner
        outer, outer_key = self._context, self._key
        inner = (*outer, outer_key)
        self._context, self._key = inner, ""
        self._implicit.add(inner)
        self._enter(inner, array=in_array)
        table: dict[str, object] = {}
        while True:
            scanner.skip_lines()
            if scanner.accept("}"):
                break
            if scanner.peek() == ",":
                scanner.refuse("unexpected comma")
            key, value = self._pair()
            self._put(table, key, value)
            self._context = inner
            scanner.skip_lines()
            if scanner.accept("}"):
                break
            if not scanner.accept(","):
                words = "expected a comma or an inline table terminator '}', but got "
                scanner.refuse_next(f"{words}{self._shown()} instead")
        self._context, self._key = outer, outer_key
        return table

    def _put(self, table: dict[str, Any], key: Key, value: object) -> None:
        for part in key[:-1]:
            table = table.setdefault(part, {})
            if not isinstance(table, dict):
                self._refuse(f'"{joined_key(self._context)}" is not a table')
        table[key[-1]] = value

    def _shown(self) -> str:
        following = self._scanner.peek()
        return f"'{following}'" if following else "end of file"

    def _refuse(self, words: str) -> NoReturn:
        raise Refusal(words, self._key_line)

    def _enter(self, key: Key, *, array: bool) -> None:
        """Make a table, or one more of a list of tables, the context."""
        table: Any = self.root
        for depth, part in enumerate(key[:-1], start=1):
            if part not in table:
                self._implicit.add(key[:depth])
                table[part] = {}
            table = table[part]
            if isinstance(table, TypedList):
                table = table[-1]
            elif not isinstance(table, dict):
                self._refuse(f"Key '{joined_key(key[:depth])}' was already created as a hash.")
        self._context = key[:-1]
        name = key[-1]
        if not array:
            self._set(name, {})
        else:
            tables = table.setdefault(name, TypedList((), _TABLES))
            if not isinstance(tables, TypedList):
                words = "was already created and cannot be used as an array."
                self._refuse(f"Key '{joined_key(key)}' {words}")
            tables.append({})
        self._context = key

    def _set(self, name: str, value: object) -> None:
        """Set a key of the context; a table that is only implied may be defined once."""
        table: Any = self.root
        for depth, part in enumerate(self._context, start=1):
            table = table[part]
            if isinstance(table, TypedList):
                table = table[-1]
            elif not isinstance(table, dict):
                self._refuse(f"Key '{joined_key(self._context[:depth])}' has already been defined.")
        path = (*self._context, name)
        if name not in table:
            table[name] = value
        elif path not in self._implicit:
            self._refuse(f"Key '{joined_key(path)}' has already been defined.")
        else:
            self._implicit.discard(path)
            if path in self._arrays:
                table[name] = value

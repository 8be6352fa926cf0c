"""Print values as Go's fmt package does: `sprint`, `sprintln`, `sprintf`.

Nothing fails here: Go prints mistakes into the text (`%!d(string=x)`), and so does this.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from whipstaff.golang.float_forms import format_float, with_point
from whipstaff.golang.floats import format_g
from whipstaff.golang.nil_values import is_nil
from whipstaff.golang.quoting import is_print, quote_ascii, quote_rune
from whipstaff.golang.strconv import quote
from whipstaff.golang.values import (
    Duration,
    Float32,
    GoInt,
    GoObject,
    Uint8,
    go_bytes,
    go_text,
    kind_of,
    sorted_keys,
    type_name,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "show",
    "sprint",
    "sprintf",
    "sprintln",
]

MAX_WIDTH = 1_000_000
MAX_RUNE = 0x10FFFF
SURROGATES = range(0xD800, 0xE000)
MAX_DIGITS = 7  # of a width, a precision or an index


def sprint(*values: object) -> str:
    """Go's Sprint: a space between operands when neither is a string."""
    parts: list[str] = []
    previous_is_text = True
    for value in values:
        is_text = isinstance(value, str)
        if not is_text and not previous_is_text:
            parts.append(" ")
        parts.append(show(value))
        previous_is_text = is_text
    return "".join(parts)


def sprintln(*values: object) -> str:
    """Go's Sprintln: a space between all operands, a newline at the end."""
    return " ".join(map(show, values)) + "\n"


def show(value: object) -> str:
    """The value as %v prints it."""
    kind = type(value)
    if kind is str:
        return value  # type: ignore[return-value]  # the line above says so
    if kind is int:
        return str(value)
    if kind is bool:
        return "true" if value else "false"
    if kind is float:
        return format_g(value)  # type: ignore[arg-type]  # the line above says so
    if value is None:
        return "<nil>"
    printer = _Printer()
    printer.argument(value, "v")
    return "".join(printer.out)


def sprintf(template: str, *values: object) -> str:
    """Go's Sprintf."""
    plain = _plain_format(template)
    if plain is not None and len(values) == len(plain) - 1:
        parts = [plain[0][1]]
        for value, (verb, text) in zip(values, plain[1:], strict=True):
            kind = type(value)
            if kind is str and verb != "d":
                parts.append(value)  # type: ignore[arg-type]  # the line above says so
            elif kind is int and verb != "s":
                parts.append(str(value))
            elif verb == "v":
                parts.append(show(value))
            else:
                printer = _Printer()
                printer.argument(value, verb)
                parts.extend(printer.out)
            parts.append(text)
        return "".join(parts)
    printer = _Printer()
    printer.format(template, values)
    return "".join(printer.out)


@lru_cache(maxsize=2048)
def _plain_format(template: str) -> tuple[tuple[str, str], ...] | None:
    """A format of bare %s, %d and %v, as (verb, text after it); None for any other."""
    pieces = re.split(r"%(.)", template, flags=re.DOTALL)
    if any(verb not in "sdv" for verb in pieces[1::2]) or "%" in "".join(pieces[0::2]):
        return None
    return (("", pieces[0]), *zip(pieces[1::2], pieces[2::2], strict=True))


@dataclass(slots=True)
class _Flags:
    width: int | None = None
    precision: int | None = None
    minus: bool = False
    plus: bool = False
    sharp: bool = False
    space: bool = False
    zero: bool = False
    plus_v: bool = False
    sharp_v: bool = False


class _Printer:
    def __init__(self) -> None:
        self.out: list[str] = []
        self.flags = _Flags()
        self.erroring = False

    # -- the format string ---------------------------------------------------------------------

    def format(self, template: str, values: Sequence[object]) -> None:
        position, size = 0, len(template)
        number = 0
        reordered = after_index = False
        while position < size:
            good = True
            percent = template.find("%", position)
            if percent < 0:
                self.out.append(template[position:])
                break
            self.out.append(template[position:percent])
            position = percent + 1
            flags = self.flags = _Flags()
            while position < size and template[position] in "#0+- ":
                self.flag(template[position])
                position += 1
            if position < size and "a" <= template[position] <= "z" and number < len(values):
                self.verb(template[position], values[number])
                number += 1
                position += 1
                continue

            number, position, after_index, valid = _index(number, template, position, len(values))
            reordered, good = reordered or valid is not None, good and valid is not False
            if template[position : position + 1] == "*":
                position += 1
                flags.width, number = _int_argument(values, number)
                if flags.width is None:
                    self.out.append("%!(BADWIDTH)")
                elif flags.width < 0:
                    flags.width, flags.minus, flags.zero = -flags.width, True, False
                after_index = False
            else:
                flags.width, position = _number(template, position)
                if after_index and flags.width is not None:
                    good = False
            if position + 1 < size and template[position] == ".":
                position += 1
                if after_index:
                    good = False
                number, position, after_index, valid = _index(
                    number, template, position, len(values)
                )
                reordered, good = reordered or valid is not None, good and valid is not False
                if template[position : position + 1] == "*":
                    position += 1
                    flags.precision, number = _int_argument(values, number)
                    if flags.precision is not None and flags.precision < 0:
                        flags.precision = None
                    if flags.precision is None:
                        self.out.append("%!(BADPREC)")
                    after_index = False
                else:
                    found, position = _number(template, position)
                    flags.precision = found or 0
            if not after_index:
                number, position, after_index, valid = _index(
                    number, template, position, len(values)
                )
                reordered, good = reordered or valid is not None, good and valid is not False
            if position >= size:
                self.out.append("%!(NOVERB)")
                break
            verb = template[position]
            position += 1
            if verb == "%":
                self.out.append("%")
            elif not good:
                self.out.append(f"%!{verb}(BADINDEX)")
            elif number >= len(values):
                self.out.append(f"%!{verb}(MISSING)")
            else:
                self.verb(verb, values[number])
                number += 1
        if not reordered and number < len(values):
            self.surplus(values[number:])

    def flag(self, character: str) -> None:
        match character:
            case "#":
                self.flags.sharp = True
            case "0":
                self.flags.zero = True
            case "+":
                self.flags.plus = True
            case "-":
                self.flags.minus = True
            case _:
                self.flags.space = True

    def verb(self, verb: str, value: object) -> None:
        flags = self.flags
        if verb in "vw":
            flags.sharp_v, flags.sharp = flags.sharp, False
            flags.plus_v, flags.plus = flags.plus, False
        self.argument(value, verb)

    def surplus(self, values: Sequence[object]) -> None:
        self.flags = _Flags()
        self.out.append("%!(EXTRA ")
        for number, value in enumerate(values):
            if number:
                self.out.append(", ")
            if value is None:
                self.out.append("<nil>")
            else:
                self.out.append(type_name(value) + "=")
                self.argument(value, "v")
        self.out.append(")")

    # -- values --------------------------------------------------------------------------------

    def argument(self, value: object, verb: str) -> None:
        if value is None:
            if verb in "Tv":
                self.pad("<nil>")
            else:
                self.bad_verb(verb, None)
        elif verb == "T":
            self.text(type_name(value))
        elif verb == "p":
            self.pointer(value, verb)
        else:
            self.value(value, verb, 0)

    def value(self, value: object, verb: str, depth: int) -> None:
        if self.stringer(value, verb):
            return
        match value:
            case None:
                self.out.append("interface {}(nil)" if self.flags.sharp_v else "<nil>")
            case bool():
                if verb in "tv":
                    self.pad("true" if value else "false")
                else:
                    self.bad_verb(verb, value)
            case int():
                self.integer(value, verb)
            case float():
                self.float(value, verb)
            case complex():
                self.complex(value, verb)
            case str():
                self.string(value, verb)
            case bytes():
                self.bytes(value, verb, depth)
            case dict():
                self.mapping(value, verb, depth)
            case list():
                self.sequence(value, verb, depth)
            case GoObject():
                self.struct(value, verb, depth)
            case _:
                raise TypeError(f"{type(value).__name__} is no Go value")

    def stringer(self, value: object, verb: str) -> bool:
        """Print through the value's own String method, if it has one and the verb takes text."""
        if self.erroring:
            return False
        if verb == "w" and not isinstance(value, bytes):
            self.bad_verb(verb, value)
            return True
        if self.flags.sharp_v or verb not in "vsxXq":
            return False
        text = None
        if isinstance(value, Duration) or (
            isinstance(value, GoObject) and not value.string_of_pointer
        ):
            text = value.go_string()
        if text is None:
            return False
        self.string(text, verb)
        return True

    def bad_verb(self, verb: str, value: object) -> None:
        self.erroring = True
        self.out.append(f"%!{verb}(")
        if value is None:
            self.out.append("<nil>")
        else:
            self.out.append(type_name(value) + "=")
            self.value(value, "v", 0)
        self.out.append(")")
        self.erroring = False

    def pad(self, text: str) -> None:
        flags = self.flags
        missing = (flags.width or 0) - len(text)
        if missing <= 0:
            self.out.append(text)
        elif flags.minus:
            self.out.append(text + " " * missing)
        else:
            self.out.append(("0" if flags.zero else " ") * missing + text)

    def pad_blank(self, text: str) -> None:
        """Pad with blanks, whatever the zero flag says."""
        zero, self.flags.zero = self.flags.zero, False
        self.pad(text)
        self.flags.zero = zero

    def text(self, text: str) -> None:
        if self.flags.precision is not None:
            text = text[: self.flags.precision]
        self.pad(text)

    def string(self, text: str, verb: str) -> None:
        text = str(text)
        match verb:
            case "v" if self.flags.sharp_v:
                self.quoted(text)
            case "v" | "s":
                self.text(text)
            case "x" | "X":
                self.hexadecimal(go_bytes(text), verb)
            case "q":
                self.quoted(text)
            case _:
                self.bad_verb(verb, text)

    def quoted(self, text: str) -> None:
        if self.flags.precision is not None:
            text = text[: self.flags.precision]
        if self.flags.sharp and _can_backquote(text):
            self.pad(f"`{text}`")
        else:
            self.pad(quote_ascii(text) if self.flags.plus else quote(text))

    def hexadecimal(self, data: bytes, verb: str) -> None:
        flags = self.flags
        if flags.precision is not None:
            data = data[: flags.precision]
        prefix = ("0" + verb) if flags.sharp and data else ""
        digits = [f"{byte:02x}" if verb == "x" else f"{byte:02X}" for byte in data]
        self.pad(prefix + (" " + prefix if flags.space else "").join(digits))

    def bytes(self, data: bytes, verb: str, depth: int) -> None:
        match verb:
            case "v" | "d" if self.flags.sharp_v:
                inside = ", ".join(f"0x{byte:x}" for byte in data)
                self.out.append(("[]byte{" if depth == 0 else "[]uint8{") + inside + "}")
            case "s":
                self.text(go_text(data))
            case "x" | "X":
                self.hexadecimal(data, verb)
            case "q":
                self.quoted(go_text(data))
            case _:
                self.out.append("[")
                for number, byte in enumerate(data):
                    if number:
                        self.out.append(" ")
                    if verb == "w":
                        self.bad_verb(verb, Uint8(byte))
                    else:
                        self.integer(Uint8(byte), verb)
                self.out.append("]")

    def mapping(self, value: dict[str, object], verb: str, depth: int) -> None:
        sharp = self.flags.sharp_v
        if sharp and is_nil(value):
            self.out.append(type_name(value) + "(nil)")
            return
        self.out.append(type_name(value) + "{" if sharp else "map[")
        for number, key in enumerate(sorted_keys(value)):
            if number:
                self.out.append(", " if sharp else " ")
            self.value(key, verb, depth + 1)
            self.out.append(":")
            self.value(value[key], verb, depth + 1)
        self.out.append("}" if sharp else "]")

    def sequence(self, value: list[object], verb: str, depth: int) -> None:
        sharp = self.flags.sharp_v
        if sharp and is_nil(value):
            self.out.append(type_name(value) + "(nil)")
            return
        self.out.append(type_name(value) + "{" if sharp else "[")
        for number, item in enumerate(value):
            if number:
                self.out.append(", " if sharp else " ")
            self.value(item, verb, depth + 1)
        self.out.append("}" if sharp else "]")

    def struct(self, value: GoObject, verb: str, depth: int) -> None:
        inner = value.underlying()
        if inner is not None:
            self.value(inner, verb, depth)
            return
        if value.go_kind == "ptr":
            if depth:
                self.pointer(value, verb)
                return
            self.out.append("&")
        flags = self.flags
        self.out.append((type_name(value).removeprefix("*") if flags.sharp_v else "") + "{")
        for number, (name, getter) in enumerate(value.printed_fields().items()):
            if number:
                self.out.append(", " if flags.sharp_v else " ")
            if flags.plus_v or flags.sharp_v:
                self.out.append(name + ":")
            self.value(getter(), verb, depth + 1)
        self.out.append("}")

    def pointer(self, value: object, verb: str) -> None:
        if kind_of(value) not in {"map", "slice", "ptr"}:
            self.bad_verb(verb, value)
            return
        # Go's differs from run to run, so any will do.
        address = 0 if is_nil(value) else 0xC000000000 + id(value) % 0x10000000
        if verb in "vp":
            sharp, self.flags.sharp = self.flags.sharp, False
            self.integer(address, "x", "" if sharp else "0x")
            self.flags.sharp = sharp
        else:
            self.integer(address, verb)

    # -- numbers -------------------------------------------------------------------------------

    def integer(self, value: int, verb: str, prefix: str = "") -> None:
        match verb:
            case "v" if self.flags.sharp_v and isinstance(value, GoInt) and not value.signed:
                self.digits(f"{value:x}", negative=False, prefix="0x")
            case "v" | "d":
                self.digits(str(abs(value)), negative=value < 0)
            case "b":
                sharp = "0b" if self.flags.sharp else ""
                self.digits(f"{abs(value):b}", negative=value < 0, prefix=sharp)
            case "o" | "O":
                self.octal(value, verb)
            case "x" | "X":
                sharp = prefix or (("0" + verb) if self.flags.sharp else "")
                self.digits(format(abs(value), verb), negative=value < 0, prefix=sharp)
            case "c":
                self.pad(_rune(value))
            case "q":
                self.pad(quote_rune(_rune(value), ascii_only=self.flags.plus))
            case "U":
                self.unicode(value)
            case _:
                self.bad_verb(verb, value)

    def octal(self, value: int, verb: str) -> None:
        digits = f"{abs(value):o}"
        prefix = "0o" if verb == "O" else ""
        if self.flags.sharp:
            padded = self.padded_digits(digits, negative=value < 0)
            prefix += "" if padded.startswith("0") else "0"
        self.digits(digits, negative=value < 0, prefix=prefix)

    def padded_digits(self, digits: str, *, negative: bool) -> str:
        flags = self.flags
        wanted = 0
        if flags.precision is not None:
            wanted = flags.precision
        elif flags.zero and not flags.minus and flags.width is not None:
            wanted = flags.width - (negative or flags.plus or flags.space)
        return digits.zfill(wanted)

    def digits(self, digits: str, *, negative: bool, prefix: str = "") -> None:
        flags = self.flags
        if flags.precision == 0 and digits == "0":
            self.out.append(" " * (flags.width or 0))
            return
        sign = "-" if negative else "+" if flags.plus else " " if flags.space else ""
        self.pad_blank(sign + prefix + self.padded_digits(digits, negative=negative))

    def unicode(self, value: int) -> None:
        code = value if value >= 0 else value + (1 << 64)
        text = f"U+{code:0{max(4, self.flags.precision or 0)}X}"
        if self.flags.sharp and code <= MAX_RUNE and is_print(code):
            text += f" '{chr(code)}'"
        self.pad_blank(text)

    def complex(self, value: complex, verb: str) -> None:
        if verb not in "vbgGxXfFeE":
            self.bad_verb(verb, value)
            return
        plus = self.flags.plus
        self.out.append("(")
        self.float(value.real, verb)
        self.flags.plus = True
        self.float(value.imag, verb)
        self.out.append("i)")
        self.flags.plus = plus

    def float(self, value: float, verb: str) -> None:
        if verb not in "vbgGxXfFeE":
            self.bad_verb(verb, value)
            return
        flags = self.flags
        form = {"v": "g", "F": "f"}.get(verb, verb)
        precision = flags.precision
        if precision is None and form in "feE":
            precision = 6
        text = format_float(value, form, precision, bits=32 if isinstance(value, Float32) else 64)
        sign = text[0] if text[0] in "+-" else "+"
        text = text.removeprefix(sign)
        if flags.space and sign == "+" and not flags.plus:
            sign = " "
        if text[0] in "IN":
            if text[0] == "N" and not flags.space and not flags.plus:
                sign = ""
            self.pad_blank(sign + text)
            return
        if flags.sharp and form != "b":
            text = with_point(text, form, precision)
        if flags.plus or sign != "+":
            missing = (flags.width or 0) - len(text) - 1
            if flags.zero and not flags.minus and missing > 0:
                self.out.append(sign + "0" * missing + text)
            else:
                self.pad(sign + text)
        else:
            self.pad(text)


def _rune(value: int) -> str:
    if not 0 <= value <= MAX_RUNE or value in SURROGATES:
        return "\ufffd"
    return chr(value)


def _can_backquote(text: str) -> bool:
    return all(
        c == "\t" or (c >= " " and c not in "`\x7f\ufeff" and not "\udc80" <= c <= "\udcff")
        for c in text
    )


def _number(template: str, position: int) -> tuple[int | None, int]:
    found = re.compile(r"[0-9]+").match(template, position)
    if found is None:
        return None, position
    if len(found[0]) > MAX_DIGITS or int(found[0]) // 10 > MAX_WIDTH:
        return None, len(template)
    return int(found[0]), found.end()


def _int_argument(values: Sequence[object], number: int) -> tuple[int | None, int]:
    if number >= len(values):
        return None, number
    value = values[number]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= MAX_WIDTH:
        return int(value), number + 1
    return None, number + 1


def _index(
    number: int, template: str, position: int, count: int
) -> tuple[int, int, bool, bool | None]:
    """An explicit argument index: (argument, position, found, valid or None if there is none)."""
    if template[position : position + 1] != "[":
        return number, position, False, None
    end = template.find("]", position)
    if len(template) - position < len("[1]") or end < 0:
        return number, position + 1, False, False
    inside = template[position + 1 : end]
    if not (inside.isascii() and inside.isdigit() and len(inside) <= MAX_DIGITS):
        return number, end + 1, False, False
    wanted = int(inside) - 1
    if 0 <= wanted < count:
        return wanted, end + 1, True, True
    return number, end + 1, True, False

import math

import pytest

from whipstaff.golang.printf import show, sprint, sprintf, sprintln
from whipstaff.golang.values import Duration, GoObject, Int64, Uint8


class Pair(GoObject):
    go_type = "*x.Pair"

    def fields(self):
        return {"A": lambda: 1, "B": lambda: "b"}


class Named(GoObject):
    go_type = "x.Named"

    def go_string(self):
        return "named"


@pytest.mark.parametrize(
    ("template", "values", "expected"),
    [
        ("%d %s %v", (1, "a", None), "1 a <nil>"),
        ("%5d|%-5d|%05d|%+d|% d", (42,) * 5, "   42|42   |00042|+42| 42"),
        ("%x|%X|%#x|%o|%#o|%O|%b|%#b", (42,) * 8, "2a|2A|0x2a|52|052|0o52|101010|0b101010"),
        ("%c|%q|%U|%#U", (65,) * 4, "A|'A'|U+0041|U+0041 'A'"),
        ("%q|%q|%q|%q", (39, 34, 10, -1), "'\\''|'\"'|'\\n'|'\ufffd'"),
        ("%.0d|%5.3d|%-6.2d|", (0, 7, 7), "|  007|07    |"),
        ("%x %X % x %#x %# x", ("hi",) * 5, "6869 6869 68 69 0x6869 0x68 0x69"),
        ("%5s|%-5s|%05s|%.1s|%5.1s", ("ab",) * 5, "   ab|ab   |000ab|a|    a"),
        ("%q|%+q|%#q", ("é\n", "é", "ab"), '"é\\n"|"\\u00e9"|`ab`'),
        ("%t|%5t|%v", (True, False, True), "true|false|true"),
        ("%f|%.2f|%8.3f|%+.1f|%08.2f", (3.14159,) * 5, "3.141590|3.14|   3.142|+3.1|00003.14"),
        ("%e|%E|%g|%G", (1e10, 1e-7, 1e21, 1e21), "1.000000e+10|1.000000E-07|1e+21|1E+21"),
        ("%#g|%#.3g|%#v", (1.0, 1.0, 1.0), "1.00000|1.00|1"),
        (
            "%x|%X|%.2x|%b",
            (1.5, -2.0, 1.999, 1.0),
            "0x1.8p+00|-0X1P+01|0x1.00p+01|4503599627370496p-52",
        ),
        ("%v|%6v|%+v", (math.inf, math.nan, math.inf), "+Inf|   NaN|+Inf"),
        ("%v|%T", (1 + 2j, 1j), "(1+2i)|complex128"),
        ("%v %+v", ([1, None, "a"], {"b": 1, "a": None}), "[1 <nil> a] map[a:<nil> b:1]"),
        (
            "%#v",
            ({"a": [1.5, True, None]},),
            'map[string]interface {}{"a":[]interface {}{1.5, true, interface {}(nil)}}',
        ),
        ("%s|%d|%x", ([1], ["a"], ["a", "b"]), "[%!s(int=1)]|[%!d(string=a)]|[61 62]"),
        ("%v|%s|%x|%q|%d", (b"hi",) * 5, '[104 105]|hi|6869|"hi"|[104 105]'),
        ("%d|%s|%t", ("a", 1, "x"), "%!d(string=a)|%!s(int=1)|%!t(string=x)"),
        ("%d|%s", (None, None), "%!d(<nil>)|%!s(<nil>)"),
        ("%d", (), "%!d(MISSING)"),
        ("x", (1, None), "x%!(EXTRA int=1, <nil>)"),
        ("%", (), "%!(NOVERB)"),
        ("100%%", (), "100%"),
        ("%[2]d %[1]d", (1, 2), "2 1"),
        ("%[3]d", (1,), "%!d(BADINDEX)"),
        ("%[x]d", (1,), "%!d(BADINDEX)"),
        ("%*d|%-*d|%.*f", (5, 1, 5, 1, 2, 3.14159), "    1|1    |3.14"),
        ("%*d", ("a", 1), "%!(BADWIDTH)1"),
        ("%T %T %T", ({}, Int64(1), None), "map[string]interface {} int64 <nil>"),
        ("%#v %v", (Uint8(255), Uint8(255)), "0xff 255"),
        ("%v %d %s", (Duration(1_500_000_000),) * 3, "1.5s 1500000000 1.5s"),
        ("%v %+v", (Pair(), Pair()), "&{1 b} &{A:1 B:b}"),
        ("%v %s", (Named(), [Named()]), "named [named]"),
        ("%w", (1,), "%!w(int=1)"),
    ],
)
def test_a_format_prints_as_gos_does(template, values, expected):
    assert sprintf(template, *values) == expected


def test_a_space_stands_between_operands_that_are_no_strings():
    assert sprint(1, 2, "a", 3, 4, None) == "1 2a3 4 <nil>"
    assert sprintln(1, "a") == "1 a\n"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1000000.0, "1e+06"),
        (123456.0, "123456"),
        (123456789.0, "1.23456789e+08"),
        (0.0001, "0.0001"),
        (0.00001, "1e-05"),
        (-0.0, "-0"),
        (1.0, "1"),
    ],
)
def test_floats_print_as_short_as_they_can(value, text):
    assert show(value) == text

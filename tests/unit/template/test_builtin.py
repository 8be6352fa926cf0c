import pytest

from tests.builders.language import render
from whipstaff.golang.values import Int64, Uint8, Uint64
from whipstaff.template.errors import FunctionError
from whipstaff.template.functions import builtin


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (1, Int64(1), True),
        (1, Uint64(1), True),
        (-1, Uint64(1), False),
        ("a", "a", True),
        (None, None, True),
        (None, "a", False),
        ({}, None, False),
        (1.5, 1.5, True),
    ],
)
def test_values_of_one_kind_compare(one, other, expected):
    assert builtin.eq(one, other) is expected
    assert builtin.ne(one, other) is not expected


@pytest.mark.parametrize(
    ("one", "other", "problem"),
    [
        (1, 1.0, "incompatible types for comparison: int and float64"),
        (1, "1", "incompatible types for comparison: int and string"),
        ([], [], "non-comparable type []: []interface {}"),
        ({"a": 1}, {"a": 1}, "non-comparable type map[a:%!s(int=1)]: map[string]interface {}"),
    ],
)
def test_values_of_two_kinds_do_not(one, other, problem):
    with pytest.raises(FunctionError) as refused:
        builtin.eq(one, other)
    assert str(refused.value) == problem


def test_order_is_that_of_numbers_and_bytes():
    assert builtin.lt(1, Uint8(2))
    assert builtin.le("a", "a")
    assert builtin.gt("b", "a")
    assert builtin.ge(2.5, 2.5)
    with pytest.raises(FunctionError, match="invalid type for comparison"):
        builtin.lt(None, 1)


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ('{{ len "世a" }}', "4"),
        ('{{ index "世a" 0 }}', "228"),
        ('{{ index (dict "a" (list 1 2)) "a" 1 }}', "2"),
        ('{{ html "<a&\'\\">" }}', "&lt;a&amp;&#39;&#34;&gt;"),
        ('{{ js "it\'s <\\n=é\\u200b" }}', "it\\'s \\u003C\\u000A\\u003Dé\\u200B"),
        ('{{ urlquery "a b&c/é~" }}', "a+b%26c%2F%C3%A9~"),
        ("{{ and 1 0 2 }}{{ or 0 3 4 }}{{ not 0 }}", "03true"),
        ('{{ print 1 2 "a" }}{{ println "b" }}', "1 2ab\n"),
    ],
)
def test_text_templates_own_functions_work(template, expected):
    assert render(template) == expected


def test_the_arguments_behind_the_deciding_one_are_not_evaluated():
    assert render('{{ and false (fail "x") }}{{ or true (fail "x") }}') == "falsetrue"


@pytest.mark.parametrize(
    ("item", "indexes", "expected"),
    [
        ("abc", (1,), "bc"),
        ("abc", (1, 2), "b"),
        ([1, 2, 3], (0, 2, 2), [1, 2]),
        (b"abc", (), b"abc"),
    ],
)
def test_slices_are_gos(item, indexes, expected):
    assert builtin.slice_(item, *indexes) == expected


@pytest.mark.parametrize(
    ("item", "indexes", "problem"),
    [
        ("abc", (2, 1), "invalid slice index: 2 > 1"),
        ("abc", (4,), "index out of range: 4"),
        ("abc", (0, 1, 2), "cannot 3-index slice a string"),
        (1, (), "can't slice item of type int"),
        (None, (), "slice of untyped nil"),
        ([], ("a",), "cannot index slice/array with type string"),
    ],
)
def test_a_wrong_slice_is_refused(item, indexes, problem):
    with pytest.raises(FunctionError) as refused:
        builtin.slice_(item, *indexes)
    assert str(refused.value) == problem

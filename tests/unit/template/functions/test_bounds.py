"""No function makes a result so large that it hurts."""

import pytest

from tests.builders.language import a_scope
from whipstaff.template.errors import LimitExceeded
from whipstaff.template.functions.catalogue import REGISTRY

HUGE = 1_000_000_000


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("until", (HUGE,)),
        ("untilStep", (0, HUGE, 1)),
        ("seq", (1, HUGE)),
        ("repeat", (HUGE, "x")),
        ("indent", (HUGE, "x")),
        ("nindent", (HUGE, "x")),
        ("indent", (100_000, "\n" * 100_000)),
        ("replace", ("a", "b" * 100_000, "a" * 100_000)),
        ("join", ("-" * 100_000, ["x"] * 100_000)),
        ("wrapWith", (1, "-" * 100_000, "a" * 100_000)),
        ("regexReplaceAll", ("a", "a" * 100_000, "b" * 100_000)),
        ("regexReplaceAllLiteral", ("a", "a" * 100_000, "b" * 100_000)),
        ("randAlphaNum", (HUGE,)),
        ("randAlpha", (HUGE,)),
        ("randAscii", (HUGE,)),
        ("randNumeric", (HUGE,)),
        ("randBytes", (HUGE,)),
    ],
    ids=lambda value: value if isinstance(value, str) else "huge",
)
def test_a_huge_result_is_refused_before_it_is_made(name, arguments):
    found = REGISTRY[name]
    scope = (a_scope(),) if found.scoped else ()
    with pytest.raises(LimitExceeded, match="larger than the limit"):
        found.call(*scope, *arguments)

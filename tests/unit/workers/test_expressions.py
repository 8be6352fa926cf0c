"""Expressions in CEL say yes or no, or where they are wrong; never more."""

import pytest

from whipstaff.errors import ExpressionInvalid
from whipstaff.workers.expressions import evaluate

DEP = {
    "metadata": {"generation": 3, "annotations": {"a/b": "c"}},
    "spec": {"replicas": 2, "share": 1.5},
    "status": {"observedGeneration": 3, "conditions": [{"type": "Ready", "status": "True"}]},
    "data": {"password": "hunter2"},
}
NAMES = ("dep", "self")


def judged(expression, variables=None):
    given = {"dep": DEP, "self": DEP} if variables is None else variables
    [found] = evaluate([expression], NAMES, given)["results"]
    return found["value"], found["problem"]


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("dep.metadata.generation == dep.status.observedGeneration", True),
        ("dep.status.conditions.filter(e, e.type == 'Ready').all(e, e.status == 'True')", True),
        ("dep.spec.replicas > 1.5 && dep.spec.share < 2", True),
        ("dep.metadata.annotations['a/b'] == self.metadata.annotations['a/b']", True),
        ("has(dep.status.missing)", False),
        ("dep.?status.?missing.orValue(7) == 7", True),
        ("dep.status.conditions[0].type.lowerAscii() == 'ready'", True),
        ("timestamp('2026-01-01T00:00:00Z') < timestamp('2026-01-02T00:00:00Z')", True),
        ("false", False),
    ],
)
def test_an_expression_says_yes_or_no(expression, value):
    assert judged(expression) == (value, "")


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("dep.status.missing == 1", 'Key not found in map : "missing"'),
        ("dep.spec.replicas", "it gives INT, not true or false"),
        ("1 / 0 == 1", "divide by zero"),
        ("int(dep.data.password) == 1", "it fails on this object"),
        (
            "dep.l.all(a, dep.l.all(b, dep.l.all(c, a + b + c >= 0)))",
            "Iteration budget exceeded",
        ),
    ],
)
def test_what_cannot_be_told_is_no_and_repeats_no_value(expression, problem):
    found, text = judged(expression, {"dep": DEP | {"l": list(range(100))}, "self": DEP})
    assert found is False
    assert text == problem


@pytest.mark.parametrize(
    ("expression", "where"),
    [
        ("dep.status.x >", "column 15: Syntax error"),
        ("true &&\n  nobody == 1", "line 2, column 3: undeclared reference to 'nobody'"),
        ("'text'", "it gives STRING, not true or false"),
        ("(" * 1000, "it cannot be compiled"),
    ],
)
def test_what_is_no_expression_says_where(expression, where):
    with pytest.raises(ExpressionInvalid) as caught:
        evaluate([expression], NAMES, {"dep": DEP})
    assert where in caught.value.text
    assert "<input>" not in caught.value.text


def test_several_expressions_are_asked_of_one_object():
    found = evaluate(["false", "dep.spec.replicas == 2"], NAMES, {"dep": DEP, "self": DEP})
    assert [one["value"] for one in found["results"]] == [False, True]


def test_a_variable_that_is_absent_is_a_problem_and_no_fault():
    value, problem = judged("self.metadata.generation == 1", {"dep": DEP})
    assert value is False
    assert problem

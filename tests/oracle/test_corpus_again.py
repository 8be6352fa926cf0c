"""A real chart with one value changed: rendered again, it is what it is when rendered anew."""

import json
import random

import pytest

from tests.oracle import test_corpus as corpus
from whipstaff.chart import dependencies, loader, reads, rendering
from whipstaff.chart.incremental import Memory, Question
from whipstaff.chart.values import coalesce
from whipstaff.errors import OperatorError

pytestmark = pytest.mark.corpus

CHANGES = 2


def first_cases():
    found = {}
    for case in corpus.cases():
        if case is None:
            return [None]
        # What is generated differs from one render to the next.
        if case["result"] == "ok" and not case["nondeterministic"]:
            found.setdefault(case["id"], case)
    return list(found.values())


def leaves(table, above=()):
    for path in reads.leaves(table):
        value = at(table, path)
        if isinstance(value, str | float | bool):
            yield (*above, *path)


def at(table, path):
    for key in path:
        table = table[key]
    return table


def changed(value):
    return (
        not value if isinstance(value, bool) else value + (1 if isinstance(value, float) else "x")
    )


def with_leaf(table, path, leaf):
    key, *rest = path
    inner = table.get(key)
    inner = inner if isinstance(inner, dict) else {}
    return {**table, key: with_leaf(inner, rest, leaf) if rest else leaf}


def outcome(render):
    try:
        found = render()
    except OperatorError as error:
        return type(error), str(error)
    return found.manifest, found.hooks, found.notes, found.warnings


@pytest.mark.parametrize("case", first_cases(), ids=corpus.name_of)
def test_a_real_chart_rendered_again_equals_one_rendered_anew(case):
    corpus.corpus_or_skip(case)
    chart = corpus.chart_of(case["archive"])
    given = loader.parse_values((corpus.CORPUS / case["values"]).read_bytes(), case["values"])
    release, capabilities, options = corpus.arguments(case)
    question = Question(chart, release, capabilities, options)
    known = coalesce(dependencies.process(chart, given, print), given, print)
    paths = sorted(leaves(known))
    chosen = random.Random(case["id"]).sample(paths, min(CHANGES, len(paths)))
    memory = Memory()
    memory.render(question, given, corpus.a_scope())
    for path in chosen:
        values = json.loads(json.dumps(with_leaf(given, path, changed(at(known, path)))))
        again = outcome(lambda v=values: memory.render(question, v, corpus.a_scope()))
        anew = outcome(
            lambda v=values: rendering.render(
                chart, v, release, capabilities, corpus.a_scope(), options
            )
        )
        assert again == anew, path

"""A real chart that is packed again is the same chart, whatever its values files look like."""

import json

import pytest

from whipstaff.chart import archive
from whipstaff.chart.completing import of_archive
from whipstaff.chart.wanted import Wanted

pytestmark = pytest.mark.corpus

OWN = Wanted(values_files=("values.yaml",), ignore_missing_values_files=True)


def parts_of(chart):
    """Everything of a chart but times, in an order of its own."""
    return (
        chart.metadata,
        chart.lock,
        chart.schema,
        json.dumps(chart.values or {}, sort_keys=True),
        sorted((file.name, file.data) for file in (*chart.templates, *chart.files)),
        sorted(repr(parts_of(one)) for one in chart.subcharts),
    )


def test_every_chart_is_the_same_after_it_was_packed_with_its_own_values(corpus):
    archives = sorted(corpus.rglob("*.tgz"))
    assert archives
    for path in archives:
        data = path.read_bytes()
        done = of_archive(data, OWN)
        assert done.archive is not None, path
        again = archive.load(done.archive)
        assert parts_of(again) == parts_of(archive.load(data)), path
        assert of_archive(data, OWN).archive == done.archive, path

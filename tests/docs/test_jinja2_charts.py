"""docs/jinja2-charts.md: every example gives what the page says."""

import re
from pathlib import Path

import pytest

from tests.builders.jinja_charts import a_jinja_chart, rendered
from whipstaff.chart import engines
from whipstaff.errors import RenderFailed
from whipstaff.golang import yaml
from whipstaff.jinja import functions

TEXT = (Path(__file__).parents[2] / "docs" / "jinja2-charts.md").read_text(encoding="utf-8")
VALUES = re.search(r"^```yaml values\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)[1]
EXAMPLES = re.findall(
    r"^```jinja\n(.*?)^```\n```(result|error)\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL
)


@pytest.mark.parametrize(
    ("template", "kind", "expected"), EXAMPLES, ids=[one[0][:30] for one in EXAMPLES]
)
def test_an_example_gives_what_the_page_says(template, kind, expected):
    chart = a_jinja_chart({"templates/x.yaml": template, "values.yaml": VALUES})
    if kind == "error":
        with pytest.raises(RenderFailed) as caught:
            rendered(chart)
        assert str(caught.value) == expected.strip()
    else:
        assert rendered(chart)["demo/templates/x.yaml"] == expected


def test_every_example_was_found():
    assert len(EXAMPLES) == TEXT.count("```jinja\n") == 6


def test_the_annotation_is_the_one_that_counts():
    (block,) = re.findall(r"^```yaml\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    assert yaml.load(block) == {"annotations": {engines.ANNOTATION: engines.Language.JINJA2}}


def test_the_filters_that_are_jinjas_own_are_listed():
    own = set(functions.filters()) - set(functions.FUNCTIONS) - {"tpl"}
    sentence = TEXT[TEXT.index("own there are") : TEXT.index("and of its\nfunctions")]
    assert set(re.findall(r"`(\w+)`", sentence)) == own

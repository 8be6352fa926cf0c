"""Every template function against what Helm's own engine answered."""

import json
import os
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest
import yaml

from tests.builders.charts import a_chart
from whipstaff.chart.capabilities import Capabilities
from whipstaff.chart.files import Files
from whipstaff.chart.metadata_view import metadata_view
from whipstaff.chart.rendering import ReleaseInfo
from whipstaff.golang import yaml as go_yaml
from whipstaff.golang.values import ChartValues, RenderData
from whipstaff.template.engine import Engine
from whipstaff.template.errors import TemplateError
from whipstaff.template.functions.catalogue import REGISTRY
from whipstaff.template.scope import RenderScope

CASES = Path(__file__).parents[3] / "oracle" / "functions"
# Names and signatures, as a program on Helm itself lists them.
HELM = json.loads((CASES / "helm.json").read_text("utf-8"))
ANSWERED = sorted(path.parent.name for path in CASES.glob("*/cases.yaml"))
TEMPLATE = "oracle/templates/case.txt"
CHART = a_chart({"Chart.yaml": "apiVersion: v2\nname: oracle\nversion: 1.2.3\n"})


class SystemRandom:
    def randbytes(self, count):
        return os.urandom(count)

    def randbelow(self, limit):
        return int.from_bytes(os.urandom(8), "big") % limit


class RealEffects:
    random = SystemRandom()

    def now(self):
        return datetime.now(UTC)

    def lookup(self, *_):
        return {}


@cache
def engine():
    return Engine(REGISTRY)


def data(values):
    return RenderData(
        {
            "Values": ChartValues(go_yaml.load(values) if values else {}),
            "Chart": metadata_view(CHART.metadata, is_root=True),
            "Files": Files.of([]),
            "Capabilities": Capabilities(),
            "Release": ReleaseInfo("demo", "prod").as_values(),
            "Template": ChartValues(Name=TEMPLATE, BasePath="oracle/templates"),
            "Subcharts": {},
        }
    )


def answer(snippet, values):
    try:
        templates = engine().parse({TEMPLATE: snippet})
        return {"output": templates.render(TEMPLATE, data(values), RenderScope(RealEffects()))}
    except TemplateError as error:
        return {"error": str(error)}


def as_text(text):
    # Output that is no UTF-8 is kept as YAML's !!binary.
    return text.decode("utf-8", "surrogateescape") if isinstance(text, bytes) else text


@pytest.mark.parametrize("name", ANSWERED)
def test_a_function_answers_as_helm(name):
    asked = yaml.load((CASES / name / "cases.yaml").read_text("utf-8"), yaml.CSafeLoader)
    wrong = [
        (case["template"], expected, given)
        for case in asked["cases"]
        if (expected := {key: as_text(text) for key, text in case.items() if key != "template"})
        != (given := answer(case["template"], asked["values"]))
    ]
    assert wrong == []


def test_the_functions_are_those_of_helm():
    assert sorted(REGISTRY) == sorted(HELM["functions"])


@pytest.mark.parametrize("name", [name for name, kind in HELM["functions"].items() if kind])
def test_a_function_takes_what_it_takes_in_helm(name):
    function = REGISTRY[name]
    params = [param.value for param in function.params]
    if function.variadic:
        params.append(f"...{function.variadic.value}")
    assert HELM["functions"][name].startswith(f"func({', '.join(params)})")


@pytest.mark.parametrize("name", sorted(HELM["functions"]))
def test_a_function_has_ten_cases_at_least(name):
    asked = (CASES / name / "cases.yaml").read_text("utf-8")
    assert asked.count("\n  - template:") >= 10

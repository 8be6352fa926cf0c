import pytest

from tests.builders.charts import a_chart
from whipstaff.chart import metadata
from whipstaff.errors import ChartInvalid, OperatorError

LOADING = "cannot load Chart.yaml: error unmarshaling JSON: while decoding JSON: "
BASE = "apiVersion: v2\nname: demo\nversion: 1.0.0\n"


def read(text):
    return metadata.validate(metadata.parse(text, "Chart.yaml"))


@pytest.mark.parametrize(
    ("line", "field", "value"),
    [
        ("appVersion: 1.10", "app_version", "1.1"),
        ("appVersion: 20200101", "app_version", "20200101"),
        ("appVersion: 1e6", "app_version", "1e+06"),
        ("appVersion: true", "app_version", "true"),
        ("appVersion:", "app_version", ""),
        ("appversion: folded", "app_version", "folded"),
        ("keywords: [1, true, a]", "keywords", ("1", "true", "a")),
        ('description: "a\\tb\\u0000c"', "description", "a bc"),
        ("annotations: {b: 1, a: yes}", "annotations", {"a": "true", "b": "1"}),
        ("unknown: field", "type", ""),
    ],
)
def test_a_field_is_converted_as_helm_does(line, field, value):
    assert getattr(read(BASE + line), field) == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("apiVersion: v2\nversion: 1.0.0", "validation: chart.metadata.name is required"),
        ("apiVersion: v2\nname: a", "validation: chart.metadata.version is required"),
        ("name: a\nversion: 1.0.0", "validation: chart.metadata.apiVersion is required"),
        (BASE + "name: .", 'validation: chart.metadata.name "." is not allowed'),
        (BASE + "name: ..", 'validation: chart.metadata.name ".." is not allowed'),
        (BASE + "name: a/b", 'validation: chart.metadata.name "a/b" is invalid'),
        (BASE + "version: one", 'validation: chart.metadata.version "one" is invalid'),
        (BASE + "type: other", "validation: chart.metadata.type must be application or library"),
        (
            BASE + "dependencies: [null]",
            "validation: dependencies must not contain empty or null nodes",
        ),
        (
            BASE + "maintainers: [null]",
            "validation: maintainers must not contain empty or null nodes",
        ),
        (
            BASE + 'dependencies: [{name: a, alias: "b c"}]',
            'validation: dependency "a" has disallowed characters in the alias',
        ),
        (
            BASE + "dependencies: [{name: a}, {name: b, alias: a}]",
            'validation: more than one dependency with name or alias "a"',
        ),
        (
            BASE + "maintainers: someone",
            (
                f"{LOADING}json: cannot "
                "unmarshal string into Go struct field "
                "Metadata.maintainers of type []*v2.Maintainer"
            ),
        ),
        (
            BASE + "dependencies: [{name: {a: b}}]",
            (
                f"{LOADING}json: cannot "
                "unmarshal object into Go struct field Dependency.dependencies.name of type string"
            ),
        ),
        (
            "- a",
            (f"{LOADING}json: cannot unmarshal array into Go value of type v2.Metadata"),
        ),
        (
            BASE + "deprecated: 1",
            (
                f"{LOADING}json: cannot "
                "unmarshal number into Go struct field Metadata.deprecated of type bool"
            ),
        ),
    ],
)
def test_wrong_metadata_is_refused_in_helms_words(text, message):
    *kept, last = text.split("\n")
    field = last.partition(":")[0]
    text = "\n".join([line for line in kept if not line.startswith(f"{field}:")] + [last])
    with pytest.raises(ChartInvalid) as refused:
        read(text)
    assert str(refused.value) == message


FIELDS = list(metadata.METADATA.fields)


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize(
    "value", ["null", "1", "1.5", "text", "[]", "[1]", "[{}]", "{}", "{a: []}"]
)
def test_no_value_of_a_field_is_a_surprise(field, value):
    lines = [line for line in BASE.splitlines() if not line.startswith(f"{field}:")]
    try:
        read("\n".join([*lines, f"{field}: {value}"]))
    except OperatorError as refused:
        assert str(refused)  # noqa: PT017 - either outcome is fine, a traceback is not


def test_requirements_of_a_v1_chart_are_its_dependencies():
    chart = a_chart(
        {
            "Chart.yaml": "name: demo\nversion: 1.0.0\n",
            "requirements.yaml": "dependencies:\n- name: db\n  version: ~1\n  tags: [a]\n",
            "requirements.lock": "digest: sha256:x\ngenerated: 2020-01-02T03:04:05Z\n",
        }
    )
    assert chart.metadata.api_version == "v1"
    assert [one.name for one in chart.metadata.dependencies or ()] == ["db"]
    assert [file.name for file in chart.files] == ["requirements.yaml", "requirements.lock"]
    assert chart.lock is not None
    assert chart.lock.generated == "2020-01-02T03:04:05Z"

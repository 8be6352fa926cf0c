import json

from tests.builders.charts import a_chart, packed
from whipstaff.chart import archive, record


def test_a_chart_is_recorded_as_helm_records_it():
    chart = archive.load(
        packed(
            {
                "Chart.yaml": "apiVersion: v2\nname: demo\nversion: 1.0.0\nappVersion: 1.10\n"
                "maintainers: [{name: a}]\nannotations: {k: v}\n"
                "dependencies: [{name: db, version: 1.x, import-values: [data]}]\n",
                "Chart.lock": "digest: d\ngenerated: 2020-01-02T03:04:05Z\n",
                "values.yaml": "a: 1\nb: 1.5\n",
                "templates/x.yaml": "x",
            }
        )
    )
    assert json.loads(json.dumps(record.to_record(chart))) == {
        "metadata": {
            "name": "demo",
            "version": "1.0.0",
            "maintainers": [{"name": "a"}],
            "apiVersion": "v2",
            "appVersion": "1.1",
            "annotations": {"k": "v"},
            "dependencies": [
                {"name": "db", "version": "1.x", "repository": "", "import-values": ["data"]}
            ],
        },
        "lock": {"generated": "2020-01-02T03:04:05Z", "digest": "d", "dependencies": None},
        "templates": [
            {"name": "templates/x.yaml", "data": "eA==", "modtime": "2023-11-14T22:13:20Z"}
        ],
        "values": {"a": 1, "b": 1.5},
        "schema": None,
        "schemamodtime": "0001-01-01T00:00:00Z",
        "files": None,
        "modtime": "2023-11-14T22:13:20Z",
    }


def test_what_is_missing_is_null():
    assert record.to_record(a_chart()) == {
        "metadata": {"name": "demo", "version": "1.0.0", "apiVersion": "v2"},
        "lock": None,
        "templates": None,
        "values": None,
        "schema": None,
        "schemamodtime": "0001-01-01T00:00:00Z",
        "files": None,
    }

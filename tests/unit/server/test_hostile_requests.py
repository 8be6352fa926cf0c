"""What clients may try: names that are paths, archives that are none, forms that are odd."""

import logging

import obstore
import pytest

from tests.builders.chart_servers import a_chart, a_chart_server, a_form, a_provenance, put
from tests.builders.charts import packed, packed_raw
from tests.builders.raw_http import TWO_LENGTHS, hiding
from whipstaff.server.storage import ObjectStorage, StorageFailed

NAMES = [
    *(
        "../proj1/demo",
        "..",
        ".",
        "a/b",
        "/etc/demo",
        "-demo",
        ".demo",
        "..\\\\demo",
        "%2e%2e%2fdemo",
    ),
    *("de mo", "dé", "x" * 251, "x" * 245, "a:b", "a#1", "a?b", "a&b"),
]


@pytest.fixture
async def ask(tmp_path):
    async with a_chart_server(tmp_path / "root" / "charts", depth=1) as asking:
        put(tmp_path / "root" / "charts" / "proj1", a_chart())
        yield asking


def files(tmp_path):
    root = tmp_path / "root"
    return {str(file.relative_to(root)) for file in root.rglob("*") if file.is_file()}


@pytest.mark.parametrize("name", NAMES)
async def test_a_chart_whose_name_is_none_is_not_kept(ask, tmp_path, name):
    body = packed({"Chart.yaml": f'apiVersion: v2\nname: "{name}"\nversion: 1.0.0\n'})
    for data in (body, a_form(chart=body)):
        answer = await ask.upload(data, "/api/proj2/charts?force")
        assert answer.status == 400
        assert "Traceback" not in answer.json["error"]
    assert files(tmp_path) == {"charts/proj1/demo-1.0.0.tgz"}


async def test_what_cannot_be_printed_is_taken_out_of_a_name_as_helm_does(ask, tmp_path):
    body = packed({"Chart.yaml": 'apiVersion: v2\nname: "a\\0\\u202Eb"\nversion: 1.0.0\n'})
    assert (await ask.upload(body, "/api/proj2/charts")).status == 201
    assert "charts/proj2/ab-1.0.0.tgz" in files(tmp_path)


@pytest.mark.parametrize("version", ["../1.0.0", "1.0.0/../../x", "x", "", "1.0.0\\0", "1.0.0+a/b"])
async def test_a_chart_whose_version_is_none_is_not_kept(ask, tmp_path, version):
    body = packed({"Chart.yaml": f'apiVersion: v2\nname: demo\nversion: "{version}"\n'})
    assert (await ask.upload(body, "/api/proj2/charts?force")).status == 400
    assert files(tmp_path) == {"charts/proj1/demo-1.0.0.tgz"}


@pytest.mark.parametrize(
    ("name", "version"), [("../proj1/demo", "1.0.0"), ("demo", "../../x"), ("a/b", "1.0.0")]
)
async def test_a_provenance_of_such_a_name_is_not_kept(ask, tmp_path, name, version):
    answer = await ask.upload(a_provenance(name, version), "/api/proj2/prov?force")
    assert answer.status == 400
    assert files(tmp_path) == {"charts/proj1/demo-1.0.0.tgz"}


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"<html>", id="a page"),
        pytest.param(a_chart()[:-20], id="half a chart"),
        pytest.param(packed({"values.yaml": "a: 1"}), id="no Chart.yaml"),
        pytest.param(packed({"Chart.yaml": "[" * 100_000}), id="deep brackets"),
        pytest.param(packed({"Chart.yaml": "a: &a [*a]"}), id="an anchor in itself"),
        pytest.param(packed_raw(("demo/../../x", b"1")), id="a member that climbs"),
        pytest.param(packed({"big": bytes(30 << 20)}), id="a bomb"),
        pytest.param(
            a_chart(extra=f"annotations: {{a: {'x' * (129 << 10)}}}\n"), id="a huge Chart.yaml"
        ),
        pytest.param(a_chart(extra="dependencies: [null]\n"), id="a null where none may be"),
    ],
)
async def test_what_is_no_chart_is_refused_in_a_sentence(ask, tmp_path, body):
    answer = await ask.upload(body, "/api/proj2/charts")
    assert answer.status == 400
    assert answer.json["error"]
    assert str(tmp_path) not in answer.json["error"]
    assert files(tmp_path) == {"charts/proj1/demo-1.0.0.tgz"}


@pytest.mark.parametrize(
    "path",
    [
        "/proj2/charts/..%2fproj1%2fdemo-1.0.0.tgz",
        "/proj2/charts/../../proj1/demo-1.0.0.tgz",
        "/proj2/charts/%2e%2e/proj1/demo-1.0.0.tgz",
        "/proj2/charts/..%5cproj1%5cdemo-1.0.0.tgz",
        "/proj2/charts/%2fetc%2fpasswd",
        "/proj2/charts/demo-1.0.0.tgz%00",
        "/proj2/charts/%00.tgz",
        "/../index.yaml",
        "/%2e%2e/index.yaml",
        "/..%2fcharts%2fproj1/index.yaml",
        "/.hidden/index.yaml",
        f"/{'x' * 300}/index.yaml",
        f"/proj1/charts/{'x' * 300}.tgz",
        "/api/../proj1/charts",
        "/api/proj1%2f..%2fproj1/charts",
        "/api/api/charts",
        "/api/proj1/charts/..%2fx/1.0.0",
    ],
)
async def test_no_path_leads_out_of_its_repository(ask, tmp_path, path):
    (tmp_path / "root" / "secret.tgz").write_bytes(a_chart())
    for method in ("GET", "HEAD", "DELETE"):
        assert (await ask(method, path)).status in {400, 404, 405}


async def test_no_delete_leads_out_of_its_repository(ask, tmp_path):
    for name, version in (
        ("..%2fproj1%2fdemo", "1.0.0"),
        ("demo", "..%2f..%2fproj1%2fdemo-1.0.0"),
        ("%2e%2e", "x"),
    ):
        assert (await ask("DELETE", f"/api/proj2/charts/{name}/{version}")).status in {400, 404}
    assert files(tmp_path) == {"charts/proj1/demo-1.0.0.tgz"}


async def test_repositories_that_are_asked_for_and_are_not_there_leave_nothing(ask, tmp_path):
    for number in range(600):
        assert (await ask.get(f"/nobody-{number}/index.yaml")).status == 200
    assert files(tmp_path) == {"charts/proj1/demo-1.0.0.tgz"}
    assert (await ask.get("/proj1/charts/demo-1.0.0.tgz")).status == 200


async def test_a_storage_that_fails_is_said_without_its_paths(tmp_path, caplog, monkeypatch):
    async def failing(*_):
        raise StorageFailed(f"cannot list {tmp_path}: disk full")

    async with a_chart_server(tmp_path) as ask:
        monkeypatch.setattr(ObjectStorage, "files", failing)
        with caplog.at_level(logging.ERROR):
            answer = await ask.get("/index.yaml")
    assert answer.status == 503
    assert str(tmp_path) not in answer.text
    assert "disk full" in caplog.records[-1].problem


async def test_a_full_disk_refuses_the_upload_and_keeps_what_is_there(tmp_path, monkeypatch):
    async with a_chart_server(tmp_path) as ask:
        await ask.upload(a_chart())

        async def full(*_, **__):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(obstore, "put_async", full)
        assert (await ask.upload(a_chart("other"))).status == 503
        monkeypatch.undo()
        assert list((await ask.get("/api/charts")).json) == ["demo"]
        assert (await ask.upload(a_chart("other"))).status == 201


@pytest.mark.parametrize("heads", TWO_LENGTHS.values(), ids=TWO_LENGTHS)
async def test_no_upload_hides_another_request(ask, heads):
    (status,) = await hiding(ask.url, "POST /api/proj1/charts HTTP/1.1", heads)
    assert status in (400, 501)

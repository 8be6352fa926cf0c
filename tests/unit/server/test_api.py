"""chartmuseum's API: its answers, words and statuses."""

import base64
import hashlib

import pytest
import yaml

from tests.builders.chart_servers import a_chart, a_chart_server, a_form, a_provenance, put


@pytest.fixture
async def ask(tmp_path):
    async with a_chart_server(tmp_path / "charts") as asking:
        yield asking


async def test_health_and_version_are_told(ask):
    assert (await ask.get("/health")).json == {"healthy": True}
    assert set((await ask.get("/info")).json) == {"version"}


async def test_an_empty_repository_has_an_empty_index(ask):
    answer = await ask.get("/index.yaml")
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/x-yaml"
    assert yaml.safe_load(answer.body)["entries"] == {}
    assert (await ask.get("/api/charts")).json == {}


async def test_a_chart_that_was_uploaded_is_in_the_index_and_can_be_fetched(ask):
    archive = a_chart(extra="description: for tests\n")
    answer = await ask.upload(archive)
    assert (answer.status, answer.json) == (201, {"saved": True})
    (entry,) = yaml.safe_load((await ask.get("/index.yaml")).body)["entries"]["demo"]
    assert entry["urls"] == ["charts/demo-1.0.0.tgz"]
    assert entry["digest"] == hashlib.sha256(archive).hexdigest()
    fetched = await ask.get("/charts/demo-1.0.0.tgz")
    assert fetched.body == archive
    assert fetched.headers["content-type"] == "application/x-tar"


async def test_lists_and_descriptions_are_those_of_the_index(ask):
    for version in ("1.0.0", "1.1.0", "2.0.0-rc.1"):
        await ask.upload(a_chart(version=version))
    await ask.upload(a_chart("other"))
    everything = (await ask.get("/api/charts")).json
    assert list(everything) == ["demo", "other"]
    assert [one["version"] for one in everything["demo"]] == ["2.0.0-rc.1", "1.1.0", "1.0.0"]
    assert (await ask.get("/api/charts/demo")).json == everything["demo"]
    assert (await ask.get("/api/charts/demo/1.0.0")).json == everything["demo"][2]
    assert (await ask.get("/api/charts/demo/latest")).json["version"] == "1.1.0"
    assert (await ask.get("/api/charts/demo/%3E1.0%20%3C2.0")).json["version"] == "1.1.0"


@pytest.mark.parametrize(
    ("query", "names"),
    [
        pytest.param("?limit=1", ["a"], id="the first"),
        pytest.param("?offset=1", ["b", "c"], id="all but the first"),
        pytest.param("?offset=1&limit=1", ["b"], id="one in between"),
        pytest.param("?offset=10&limit=5", [], id="beyond the end"),
    ],
)
async def test_a_part_of_the_list_can_be_asked_for(ask, query, names):
    for name in "cab":
        await ask.upload(a_chart(name))
    assert list((await ask.get(f"/api/charts{query}")).json) == names


@pytest.mark.parametrize("query", ["offset=-1", "offset=x", "limit=0", "limit=-1", "limit=%C2%B2"])
async def test_a_part_that_cannot_be_meant_is_refused(ask, query):
    answer = await ask.get(f"/api/charts?{query}")
    assert answer.status == 400
    assert "is not a valid" in answer.json["error"]


@pytest.mark.parametrize(
    ("path", "error"),
    [
        pytest.param("/api/charts/none", "chart not found", id="no chart"),
        pytest.param("/api/charts/none/1.0.0", "no chart name found", id="no chart of a version"),
        pytest.param(
            "/api/charts/demo/9.9.9", "no chart version found for demo-9.9.9", id="no version"
        ),
        pytest.param("/charts/none-1.0.0.tgz", "object not found", id="no archive"),
        pytest.param("/charts/demo-1.0.0.tgz.prov", "object not found", id="no provenance"),
        pytest.param("/charts/demo-1.0.0.zip", "object not found", id="no archive by its name"),
        pytest.param("/api/nothing", "not found", id="no such path"),
    ],
)
async def test_what_is_not_there_is_not_found(ask, path, error):
    await ask.upload(a_chart())
    answer = await ask.get(path)
    assert (answer.status, answer.json) == (404, {"error": error})


async def test_head_says_whether_a_chart_is_there_without_a_body(ask):
    await ask.upload(a_chart())
    for path in ("/api/charts/demo", "/api/charts/demo/1.0.0", "/charts/demo-1.0.0.tgz"):
        there = await ask("HEAD", path)
        gone = await ask("HEAD", path.replace("demo", "none"))
        assert (there.status, there.body, gone.status, gone.body) == (200, b"", 404, b"")


async def test_values_come_as_they_were_written_and_templates_in_base64(ask):
    values = "# a comment\nreplicas: 1\n"
    await ask.upload(a_chart(values_yaml=values, **{"templates/a_txt": "{{ 1 }}"}))
    answer = await ask.get("/api/charts/demo/1.0.0/values")
    assert (answer.text, answer.headers["content-type"]) == (values, "application/yaml")
    found = (await ask.get("/api/charts/demo/1.0.0/templates")).json
    assert found["values"] == {"replicas": 1}
    assert found["templates"] == [
        {"name": "templates/a.txt", "data": base64.b64encode(b"{{ 1 }}").decode()}
    ]


async def test_a_chart_without_values_says_so(ask):
    await ask.upload(a_chart())
    answer = await ask.get("/api/charts/demo/1.0.0/values")
    assert (answer.status, answer.json) == (404, {"error": "values.yaml not found"})


async def test_a_version_is_not_overwritten_unless_that_is_forced(ask):
    first, second = a_chart(), a_chart(extra="description: another\n")
    await ask.upload(first)
    answer = await ask.upload(second)
    assert (answer.status, answer.json) == (409, {"error": "file already exists"})
    assert (await ask.get("/charts/demo-1.0.0.tgz")).body == first
    assert (await ask.upload(second, "/api/charts?force")).status == 201
    assert (await ask.get("/charts/demo-1.0.0.tgz")).body == second
    assert (await ask.get("/api/charts/demo/1.0.0")).json["description"] == "another"


async def test_a_server_can_forbid_to_force(tmp_path):
    async with a_chart_server(tmp_path, forbid_force=True) as ask:
        await ask.upload(a_chart())
        assert (await ask.upload(a_chart(), "/api/charts?force")).status == 409


async def test_a_server_can_let_everyone_overwrite(tmp_path):
    async with a_chart_server(tmp_path, overwrite=True) as ask:
        assert [(await ask.upload(a_chart())).status for _ in range(2)] == [201, 201]


async def test_a_chart_and_its_provenance_come_in_one_form(ask):
    form = a_form(chart=a_chart(), prov=a_provenance())
    assert (await ask.upload(form)).status == 201
    fetched = await ask.get("/charts/demo-1.0.0.tgz.prov")
    assert fetched.body == a_provenance()
    assert fetched.headers["content-type"] == "application/pgp-signature"
    again = await ask.upload(a_form(chart=a_chart(), prov=a_provenance()))
    assert (again.status, again.json) == (409, {"error": "chart already exists"})


async def test_a_provenance_can_follow_its_chart(ask):
    await ask.upload(a_chart())
    assert (await ask.upload(a_provenance(), "/api/prov")).status == 201
    assert (await ask.upload(a_provenance(), "/api/prov")).status == 409
    assert (await ask.upload(a_provenance(), "/api/prov?force")).status == 201


async def test_a_provenance_of_another_chart_is_refused_with_the_chart(ask):
    answer = await ask.upload(a_form(chart=a_chart(), prov=a_provenance("other")))
    assert answer.status == 400
    assert (await ask.get("/api/charts")).json == {}


@pytest.mark.parametrize("body", [b"", b"no archive", b"-----BEGIN PGP SIGNED MESSAGE-----\n"])
async def test_what_is_no_provenance_is_refused(ask, body):
    answer = await ask.upload(body, "/api/prov")
    assert (answer.status, answer.json) == (400, {"error": "invalid provenance file"})


async def test_a_form_without_files_is_refused(ask):
    answer = await ask.upload(a_form(other=b"x"))
    assert answer.status == 400
    assert "form fields chart and prov" in answer.json["error"]


async def test_a_form_that_is_none_is_refused(ask):
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    assert (await ask.upload(b"no form", headers=headers)).status == 400


async def test_a_version_is_deleted_with_its_provenance(ask):
    await ask.upload(a_form(chart=a_chart(), prov=a_provenance()))
    await ask.upload(a_chart(version="2.0.0"))
    answer = await ask("DELETE", "/api/charts/demo/1.0.0")
    assert (answer.status, answer.json) == (200, {"deleted": True})
    assert [one["version"] for one in (await ask.get("/api/charts/demo")).json] == ["2.0.0"]
    assert (await ask.get("/charts/demo-1.0.0.tgz.prov")).status == 404
    assert (await ask("DELETE", "/api/charts/demo/1.0.0")).status == 404


@pytest.mark.parametrize("path", ["/index.yaml", "/charts/demo-1.0.0.tgz"])
async def test_who_has_it_already_is_not_sent_it_again(ask, path):
    await ask.upload(a_chart())
    first = await ask.get(path)
    again = await ask.get(path, headers={"If-None-Match": f'"other", W/{first.headers["etag"]}'})
    assert (again.status, again.body) == (304, b"")
    await ask.upload(a_chart(extra="description: new\n"), "/api/charts?force")
    changed = await ask.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert changed.status == 200


async def test_the_tag_of_an_index_is_that_of_its_charts_wherever_they_are_served(tmp_path):
    put(tmp_path, a_chart())
    tags = []
    for _ in range(2):
        async with a_chart_server(tmp_path) as ask:
            tags.append((await ask.get("/index.yaml")).headers["etag"])
    assert tags[0] == tags[1]


async def test_a_url_of_the_server_makes_those_of_the_index_absolute(tmp_path):
    async with a_chart_server(tmp_path, url="https://charts.example.com/x/") as ask:
        await ask.upload(a_chart())
        (entry,) = (await ask.get("/api/charts/demo")).json
        assert entry["urls"] == ["https://charts.example.com/x/charts/demo-1.0.0.tgz"]


async def test_the_repository_of_helm_serve_is_under_charts(ask):
    await ask.upload(a_chart())
    assert (await ask.get("/charts/index.yaml")).body == (await ask.get("/index.yaml")).body
    assert (await ask.get("/charts/charts/demo-1.0.0.tgz")).body == a_chart()


async def test_under_a_context_path_the_index_says_so(tmp_path):
    async with a_chart_server(tmp_path, context_path="/museum") as ask:
        assert (await ask.upload(a_chart())).status == 201
        index = yaml.safe_load((await ask.get("/index.yaml")).body)
        assert index["serverInfo"] == {"contextPath": "/museum"}
        assert (await ask.get("/health")).status == 200
        assert (await ask.get("/charts/demo-1.0.0.tgz")).status == 200

"""Files of a chart that cannot be used: schemas, CRDs, encodings, ignore rules."""

import json
import os
import socket
import threading

import pytest

from tests.builders.hostile_charts import HEAD, OBJECT
from whipstaff.chart import folder
from whipstaff.errors import (
    ChartInvalid,
    ChartTooDeep,
    ChartTooLarge,
    KubeVersionIncompatible,
    ManifestInvalid,
    RenderLimit,
    RenderTimeout,
    SchemaInvalid,
    ValuesSchemaViolation,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

CANARY = "hunter2-hunter2"
FAR = 10_000
DEEP_RULES = '{"not":' * 3_000 + "{}" + "}" * 3_000


def a_chain(length, end=True):
    names = {f"a{i}": {"$ref": f"#/$defs/a{i + 1}"} for i in range(length)}
    return {"$ref": "#/$defs/a0", "$defs": names | ({f"a{length}": {}} if end else {})}


def a_tree(depth):
    twice = {f"a{i}": {"allOf": [{"$ref": f"#/$defs/a{i + 1}"}] * 3} for i in range(depth)}
    return {"$ref": "#/$defs/a0", "$defs": twice | {f"a{depth}": {}}}


@pytest.mark.parametrize("wanted", [">=99.0.0", ">1 " * 1_000, "~~~"], ids=["new", "long", "junk"])
async def test_another_kubernetes_is_named(guard, refused, wanted):
    head = f'{HEAD}kubeVersion: "{wanted}"\n'
    job = guard.render(OBJECT, **{"Chart.yaml": head})
    await refused(job, KubeVersionIncompatible, r"v1\.36\.0")


async def test_a_library_is_not_installed(guard, refused):
    head = f"{HEAD}type: library\n"
    await refused(guard.render("", **{"Chart.yaml": head}), ChartInvalid, "not installable")


async def test_a_missing_dependency_is_named(guard, refused):
    head = f"{HEAD}dependencies: [{{name: db, version: 1.0.0}}]\n"
    await refused(guard.render("", **{"Chart.yaml": head}), ChartInvalid, "missing .*: db")


@pytest.mark.parametrize(
    ("more", "values", "warned"),
    [
        pytest.param("condition: db.enabled", {"db": {"enabled": "yes"}}, "non-bool", id="a text"),
        pytest.param("condition: db.a.b.c", {"db": {"a": 1}}, "", id="a path through a number"),
        pytest.param("import-values: [nothing]", {}, "nothing", id="nothing to import"),
        pytest.param("import-values: [{child: a.b, parent: c}]", {}, "a", id="no such table"),
    ],
)
async def test_a_dependency_that_asks_for_what_is_not_there_is_taken_as_helm_does(
    guard, more, values, warned
):
    head = f"{HEAD}dependencies: [{{name: db, version: 1.0.0, {more}}}]\n"
    inner = {"charts/db/Chart.yaml": "apiVersion: v2\nname: db\nversion: 1.0.0\n"}
    found = await guard.render(OBJECT, values=values, **inner, **{"Chart.yaml": head})
    assert found.objects
    assert warned in " ".join(found.warnings)


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        pytest.param("{", "unexpected EOF", id="no JSON"),
        pytest.param('{"properties":' * 30_000, "", id="deep JSON"),
        pytest.param(
            '{"not":' * 3_000 + "{}" + "}" * 3_000,
            "exceeded max depth|go too deep",
            id="deep rules",
        ),
        pytest.param(json.dumps(a_chain(3_000)), "go too deep", id="a chain of references"),
        pytest.param('{"$ref": "#"}', "go too deep", id="a reference to itself"),
        pytest.param('{"$ref": "file:///dev/zero"}', "inside the file", id="a file"),
        pytest.param('{"$ref": "../../etc/passwd"}', "inside the file", id="a path"),
        pytest.param(
            '{"properties": {"a": {"pattern": "(?<=x)"}}}',
            "pattern",
            id="a pattern that RE2 refuses",
        ),
    ],
)
async def test_a_schema_that_cannot_be_used_is_refused(guard, refused, schema, why):
    job = guard.render(OBJECT, values={"a": "b"}, **{"values.schema.json": schema})
    await refused(job, SchemaInvalid, f"(?s)echo.*{why}")


@pytest.mark.parametrize("key", ["$ref", "$schema", "$id"])
async def test_no_schema_reaches_the_network(guard, key):
    calls = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(30)

        def listen():
            try:
                calls.append(server.accept())
            except OSError:
                return

        listener = threading.Thread(target=listen, daemon=True)
        listener.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/schema.json"
        schema = json.dumps({key: url, "properties": {"a": {"$ref": "more.json"}}})
        with pytest.raises(SchemaInvalid):
            await guard.render(OBJECT, values={"a": 1}, **{"values.schema.json": schema})
        server.shutdown(socket.SHUT_RDWR)
        listener.join()
    assert not calls


async def test_a_schema_that_branches_without_an_end_runs_out_of_time(guard, refused):
    job = guard.render(OBJECT, **{"values.schema.json": json.dumps(a_tree(40))})
    await refused(job, RenderTimeout, "CPU time")


@pytest.mark.parametrize(
    "rule",
    [{"pattern": "(a+)+$"}, {"pattern": "(x|xx)*y"}, {"enum": ["b"]}, {"type": "integer"}],
    ids=lambda rule: next(iter(rule)),
)
async def test_values_that_break_a_rule_are_not_shown(guard, refused, rule):
    schema = json.dumps({"properties": {"a": rule}})
    text = f"{CANARY}{'a' * 5_000}!"
    job = guard.render(OBJECT, values={"a": text}, **{"values.schema.json": schema})
    error = await refused(job, ValuesSchemaViolation, "'?/a'?")
    assert CANARY not in error.text


@pytest.mark.parametrize(
    ("content", "error", "why"),
    [
        pytest.param(OBJECT, ChartInvalid, "crds/a.yaml:1: only", id="another kind"),
        pytest.param("a: b: c", ManifestInvalid, "crds/a.yaml", id="no YAML"),
        pytest.param("[" * FAR, ManifestInvalid, "crds/a.yaml.*max depth", id="deep"),
    ],
)
async def test_only_definitions_may_be_in_the_crds_folder(guard, refused, content, error, why):
    await refused(guard.render(OBJECT, **{"crds/a.yaml": content}), error, why)


async def test_an_empty_file_in_the_crds_folder_is_nothing(guard):
    assert not (await guard.render(OBJECT, **{"crds/a.yaml": ""})).crds


async def test_a_byte_order_mark_and_line_ends_of_windows_are_taken(guard):
    windows = b"\xef\xbb\xbf" + OBJECT.replace("\n", "\r\n").encode()
    assert (await guard.render("", **{"templates/w.yaml": windows})).objects[0]["kind"]


async def test_a_template_that_is_no_utf_8_is_named(guard, refused):
    files = {"templates/w.yaml": OBJECT.encode() + b'x: "\xff\xfe"'}
    await refused(guard.render("", **files), ManifestInvalid, "echo/templates/w.yaml")


async def test_a_line_of_four_mebibytes_is_too_much_output(guard, refused):
    files = {"templates/w.yaml": 'a: "' + "x" * (4 << 20)}
    await refused(guard.render("", **files), RenderLimit, "w.yaml.*printed more than")


async def test_what_is_ignored_is_not_even_looked_at(tmp_path):
    for name in ("Chart.yaml", "templates/a.yaml"):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(HEAD if name == "Chart.yaml" else OBJECT)
    (tmp_path / ".helmignore").write_text("ignored/\n*.fifo\n")
    ignored = tmp_path / "ignored"
    ignored.mkdir()
    (ignored / "zeros").symlink_to("/dev/zero")
    (ignored / "loop").symlink_to(tmp_path)
    (ignored / "large").symlink_to("/proc/kcore")
    os.mkfifo(tmp_path / "a.fifo")
    chart = folder.load(tmp_path)
    assert [file.name for file in chart.templates] == ["templates/a.yaml"]
    assert [file.name for file in chart.files] == [".helmignore"]


@pytest.mark.parametrize(
    ("target", "error", "why"),
    [
        ("/dev/zero", ChartInvalid, "irregular file link"),
        (".", (ChartTooDeep, ChartInvalid, ChartTooLarge), "nested deeper|irregular|more than"),
        ("nothing", ChartInvalid, "irregular file link"),
    ],
    ids=["a device", "the folder itself", "nothing"],
)
async def test_a_link_that_leads_nowhere_is_refused(tmp_path, target, error, why):
    (tmp_path / "Chart.yaml").write_text(HEAD)
    (tmp_path / "link").symlink_to(target)
    (tmp_path / "more").symlink_to(target)
    with pytest.raises(error, match=why):
        folder.load(tmp_path)


async def test_ten_thousand_ignore_rules_are_no_burden(guard):
    files = {".helmignore": "**/*.x\n" * FAR + "*" * FAR, "a/b.txt": "x"}
    assert (await guard.render(OBJECT, **files)).objects

"""The limits of the process itself: time that nothing can interrupt, memory, depth, questions."""

import asyncio
import base64
import gzip
import os
import signal

import pytest

from tests.builders.hostile_charts import MEBIBYTE, Guard, a_stored_release, incompressible, laughs
from tests.builders.releases import a_revision
from whipstaff.errors import (
    ChartUnavailable,
    RenderFailed,
    RenderLimit,
    RenderTimeout,
    RepoIndexInvalid,
    StorageCorrupt,
    StorageTooLarge,
)
from whipstaff.settings import Settings
from whipstaff.workers import process
from whipstaff.workers.pool import WorkerPool

pytestmark = pytest.mark.asyncio(loop_scope="module")

X = "echo/templates/x.yaml"
SECRET = "sh.helm.release.v1.shop.v1"
URL = "https://charts.example.dev/index.yaml"


async def a_guard(folder, **settings):
    return Guard(WorkerPool(Settings(worker_count=1, **settings)), folder)


async def test_the_kernel_ends_what_no_signal_interrupts(tmp_path):
    guard = await a_guard(tmp_path, render_cpu_seconds=1.0)
    await guard.still_works()
    (before,) = guard.pool.pids
    # A state machine too large to keep: one call, some ten seconds long, that hears no signal.
    call = 'regexMatch "^[0-9]*[0-4][0-9]{900}x$" (randNumeric 3000000)'
    with pytest.raises(RenderTimeout, match="more than 1 s of CPU time"):
        await guard.render(f"{{{{ {call} }}}}")
    assert before not in guard.pool.pids
    assert await guard.still_works()
    await guard.pool.close()


async def test_a_child_that_does_nothing_at_all_is_ended_by_the_clock(tmp_path, monkeypatch):
    guard = await a_guard(tmp_path)
    await guard.still_works()
    (pid,) = guard.pool.pids
    os.kill(pid, signal.SIGSTOP)
    with monkeypatch.context() as impatient:
        impatient.setattr(process, "_WALL_FACTOR", 0.1)
        with pytest.raises(RenderTimeout, match="did not end in time"):
            await guard.render("")
    assert pid not in guard.pool.pids
    assert await guard.still_works()
    await guard.pool.close()


async def test_waiting_for_the_cluster_costs_no_time(tmp_path, monkeypatch):
    guard = await a_guard(tmp_path)
    loop = asyncio.get_running_loop()
    time, waited = loop.time, 0.0
    monkeypatch.setattr(loop, "time", lambda: time() + waited)

    async def slow(*_question):
        nonlocal waited
        waited += 1_000.0
        return {}

    template = '{{ range 5 }}{{ $x := lookup "v1" "Pod" "web" "a" }}{{ end }}'
    assert not (await guard.render(template, lookup=slow)).objects
    await guard.pool.close()


async def test_a_render_asks_the_cluster_256_times_and_no_more(guard, refused):
    asked = []

    async def count(*question):
        asked.append(question)
        return {}

    template = '{{ range 300 }}{{ $x := lookup "v1" "Pod" "web" "a" }}{{ end }}'
    job = guard.render(template, lookup=count)
    await refused(job, RenderLimit, rf"{X}:1:\d+: more than 256 lookups")
    assert len(asked) == 256


async def test_an_answer_of_the_cluster_may_be_too_large(tmp_path):
    guard = await a_guard(tmp_path)

    async def much(*_question):
        return {"x": "x" * (40 * MEBIBYTE)}

    with pytest.raises(RenderLimit, match=f"{X}:1.*lookup found too much"):
        await guard.render('{{ lookup "v1" "Pod" "web" "a" }}', lookup=much)
    assert await guard.still_works()
    await guard.pool.close()


async def test_a_long_chain_of_errors_loses_its_middle(guard, refused):
    template = '{{ define "a" }}{{ include "a" . }}{{ end }}{{ include "a" . }}'
    error = await refused(guard.render(template), RenderFailed, "nested reference name: a")
    assert error.text.startswith(f"template: {X}:1:47: ")


@pytest.mark.slow
async def test_the_limits_that_the_operator_sets_hold(tmp_path):
    guard = await a_guard(tmp_path)
    double = '{{ $s := "x" }}{{ range 40 }}{{ $s = printf "%s%s" $s $s }}{{ end }}'
    with pytest.raises(RenderLimit, match=f"{X}: render needs more than 512 MiB of memory"):
        await guard.render(double)
    work = "{{ $x := 0 }}{{ range 9999 }}{{ range 99999 }}{{ $x = add $x 1 }}{{ end }}{{ end }}"
    before = os.times()
    with pytest.raises(RenderTimeout, match=f"{X}: render takes more than 10 s of CPU time"):
        await guard.render(work)
    await guard.pool.close()
    after = os.times()
    spent = after.children_user + after.children_system
    assert spent - before.children_user - before.children_system < 13
    assert guard.worker_bytes <= 512 * MEBIBYTE
    assert guard.main_bytes <= 16 * MEBIBYTE


@pytest.mark.parametrize(
    "record",
    [
        pytest.param({"manifest": laughs()}, id="a billion laughs"),
        pytest.param({"manifest": "a: " + "[" * 50_000}, id="a deep manifest"),
        pytest.param({"manifest": "- a\n" * 10}, id="a list"),
        pytest.param({"manifest": "x" * (65 * MEBIBYTE)}, id="a bomb"),
        pytest.param({"manifest": "# " + "x" * (40 * MEBIBYTE)}, id="a large text"),
        pytest.param({"config": {"a": [[]] * 300_000}}, id="many tables"),
        pytest.param({"hooks": [{"name": "a", "path": "b", "manifest": laughs()}]}, id="a hook"),
        pytest.param({"info": [1]}, id="a list for a table"),
        pytest.param({"version": "9" * 5_000}, id="a text for a number"),
        pytest.param({"chart": None, "hooks": None, "config": 1}, id="numbers and nulls"),
    ],
)
async def test_a_stored_release_may_be_hostile_too(guard, refused, record):
    job = guard.measure(guard.pool.decode(a_stored_release(**record), SECRET))
    error = await refused(job, StorageCorrupt, f"stored release {SECRET} cannot be read: .")
    assert error.name == SECRET


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(base64.b64encode(gzip.compress(bytes(200 * MEBIBYTE), 1)), id="a gzip bomb"),
        pytest.param(
            base64.b64encode(gzip.compress(b'{"a":' * 12_000_000, 1)), id="deep JSON, and much"
        ),
        pytest.param(
            base64.b64encode(gzip.compress(b"[" + b"{}," * 20_000_000, 1)), id="endless JSON"
        ),
    ],
)
async def test_a_payload_that_is_no_release_is_refused(guard, refused, text):
    job = guard.measure(guard.pool.decode(text.decode("ascii"), SECRET))
    await refused(job, StorageCorrupt, f"stored release {SECRET} cannot be read: .")


TABLES = [{"a": 1}]
FILE = {"name": "files/a", "data": "x" * (1 << 20)}
OBJECTS = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a%d}\ndata: {a: '%s'}\n"
HOOK = {"name": "a", "kind": "Job", "path": "b", "events": ["pre-install"]}
HOOK_TEXT = "apiVersion: v1\nkind: Job\nmetadata: {name: a}\nspec: {a: %s}\n"


@pytest.mark.parametrize(
    "record",
    [
        pytest.param({"config": {"a": TABLES * 199_000}}, id="config"),
        pytest.param({"chart": {"values": {"a": TABLES * 199_000}}}, id="values"),
        pytest.param({"chart": {"metadata": {"keywords": TABLES * 199_000}}}, id="metadata"),
        pytest.param({"hooks": [{}] * 199_000}, id="hooks"),
        pytest.param({"hooks": [HOOK | {"manifest": HOOK_TEXT % TABLES}] * 9_000}, id="Jobs"),
        pytest.param({"manifest": HOOK_TEXT % (TABLES * 99_000)}, id="an object"),
        pytest.param(
            {"manifest": "".join(OBJECTS % (i, "") for i in range(11_000))}, id="many objects"
        ),
        pytest.param({"info": {"status": "deployed", "notes": "x" * 30 * MEBIBYTE}}, id="notes"),
        pytest.param({"config": {"a": "x" * 30 * MEBIBYTE}}, id="a long text"),
    ],
)
async def test_a_stored_release_that_is_too_much_for_the_main_process_is_refused(
    tmp_path, refused, record
):
    guard = await a_guard(tmp_path)  # whose worker has all the room that there is
    await guard.still_works()
    job = guard.measure(guard.pool.decode(a_stored_release(**record), SECRET))
    await refused(job, StorageCorrupt, f"stored release {SECRET} cannot be read: .")
    assert guard.main_bytes <= 16 * MEBIBYTE
    assert await guard.still_works()
    await guard.pool.close()


@pytest.mark.parametrize(
    "record",
    [
        pytest.param({"chart": {"files": [FILE] * 30}}, id="files"),
        pytest.param({"chart": {"templates": [FILE] * 3, "files": 1}}, id="templates"),
        pytest.param({"config": {"a": TABLES * 15_000}}, id="config"),
        pytest.param({"hooks": [HOOK | {"manifest": HOOK_TEXT % ("x" * 900)}] * 900}, id="hooks"),
        pytest.param(
            {"manifest": "".join(OBJECTS % (i, "x" * 4_000) for i in range(2_000))}, id="manifest"
        ),
        pytest.param({"manifest": HOOK_TEXT % (TABLES * 29_000)}, id="one large object"),
        pytest.param(
            {
                "config": {"a": "{" * (MEBIBYTE)},
                "chart": {"values": {"a": "[" * (2 * MEBIBYTE)}},
                "manifest": OBJECTS % (1, "x" * (2 * MEBIBYTE)),
            },
            id="some of each",
        ),
    ],
)
async def test_a_large_stored_release_costs_the_main_process_little(tmp_path, record):
    guard = await a_guard(tmp_path)
    await guard.still_works()
    stored = a_stored_release(**record)

    async def read():
        revision = await guard.pool.decode(stored, SECRET)
        return {body["kind"] for body in revision.objects}

    assert await guard.measure(read()) <= {"ConfigMap", "Job"}
    assert guard.main_bytes <= 16 * MEBIBYTE
    await guard.pool.close()


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("a: " + "[" * 50_000, id="deep"),
        pytest.param('{"apiVersion":"v1","entries":' * 50_000, id="deep JSON"),
        pytest.param("apiVersion: v1\nentries: *a\n", id="an unknown anchor"),
        pytest.param(laughs() + "apiVersion: v1\nentries: *a9\n", id="a billion laughs"),
        pytest.param("<html>", id="a web page"),
    ],
)
async def test_an_index_may_be_hostile_too(guard, refused, tmp_path, text):
    source = tmp_path / "index.yaml"
    source.write_text(text)
    job = guard.measure(guard.pool.compact_index(source, tmp_path / "compact", URL))
    error = await refused(job, RepoIndexInvalid, ".")
    assert error.reference == URL


async def test_an_index_that_fills_the_memory_is_the_repositorys_fault(guard, tmp_path):
    source = tmp_path / "index.yaml"
    listed = "".join(
        f"  c{i}: [{{name: c{i}, version: 1.0.0, urls: [a]}}]\n" for i in range(200_000)
    )
    source.write_text(f"apiVersion: v1\nentries:\n{listed}")
    job = guard.measure(guard.pool.compact_index(source, tmp_path / "compact", URL))
    with pytest.raises((ChartUnavailable, RenderTimeout), match=r"index .*more than"):
        await job


LINES = "{{ range %d }}---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a{{ . }}}\n"
MANY_OBJECTS = f"{LINES}data: {{a: b, c: d, e: f, g: h}}\n{{{{ end }}}}"
LARGE_OBJECTS = f"{LINES}data: {{a: {{{{ repeat 900 `x` }}}} }}\n{{{{ end }}}}"


@pytest.mark.parametrize(
    ("template", "count"),
    [
        pytest.param(MANY_OBJECTS % 9_900, 9_900, id="many small objects"),
        pytest.param(LARGE_OBJECTS % 9_900, 9_900, id="ten mebibytes of text"),
    ],
)
async def test_a_large_render_costs_the_main_process_little(tmp_path, template, count):
    guard = await a_guard(tmp_path)
    await guard.still_works()
    rendering = await guard.render(template)
    assert guard.main_bytes <= 16 * MEBIBYTE
    assert len(rendering.objects) == count
    assert [body["metadata"]["name"] for body in rendering.objects] == [
        f"a{number}" for number in range(count)
    ]
    assert str(rendering.manifest).count("\n# Source: ") == count
    await guard.pool.close()


async def test_a_large_release_is_stored_as_a_small_one_is(tmp_path):
    guard = await a_guard(tmp_path)
    rendering = await guard.render(LARGE_OBJECTS % 5_000)
    whole = a_revision(manifest=str(rendering.manifest), objects=rendering.objects)
    packed = a_revision(manifest=rendering.manifest, objects=rendering.objects)
    encoded = await guard.measure(guard.pool.encode(packed))
    assert guard.main_bytes <= 16 * MEBIBYTE
    assert encoded == await guard.pool.encode(whole)
    await guard.pool.close()


async def test_what_no_api_server_reads_is_refused_by_name(tmp_path):
    guard = await a_guard(tmp_path)
    await guard.still_works()
    keys = "{{ range 400000 }}  k{{ . }}: v\n{{ end }}"
    template = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\ndata:\n{keys}"
    with pytest.raises(RenderLimit, match=r"ConfigMap a takes .* that an API server reads"):
        await guard.render(template)
    assert guard.main_bytes <= 16 * MEBIBYTE
    await guard.pool.close()


async def test_a_manifest_that_fits_into_no_secret_is_refused_before_it_is_applied(tmp_path):
    guard = await a_guard(tmp_path)
    await guard.still_works()
    noise = "{{ range 9 }}---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a{{ . }}}\n"
    template = f"{noise}data: {{a: {{{{ randAlphaNum 900000 }}}} }}\n{{{{ end }}}}"
    with pytest.raises(StorageTooLarge, match="packed, more than the 1048576 that fit into a Secr"):
        await guard.render(template)
    assert guard.main_bytes <= 16 * MEBIBYTE
    await guard.pool.close()


@pytest.mark.parametrize("size", [700_000, 880_000])
async def test_files_of_a_chart_cost_the_main_process_little(tmp_path, size):
    guard = await a_guard(tmp_path)
    await guard.still_works()
    files = {f"files/{number}": incompressible(size) for number in range(3)}
    rendering = await guard.render("", **files)
    assert guard.main_bytes <= 12 * MEBIBYTE
    assert len(rendering.chart["files"]) == 3
    await guard.pool.close()


async def test_hooks_that_take_too_much_are_refused(tmp_path):
    guard = await a_guard(tmp_path)
    await guard.still_works()
    hook = LINES.replace("name: a{{ . }}", "name: a{{ . }}, annotations: {helm.sh/hook: test}")
    template = f"{hook % 900}data: {{a: {{{{ repeat 4000 `x` }}}} }}\n{{{{ end }}}}"
    with pytest.raises(RenderLimit, match="its hooks would take"):
        await guard.render(template)
    assert guard.main_bytes <= 16 * MEBIBYTE
    await guard.pool.close()


async def test_files_that_would_not_be_stored_stay_in_the_worker(tmp_path):
    guard = await a_guard(tmp_path)
    await guard.still_works()
    files = {f"files/{number}": incompressible(64 << 10) * 60 for number in range(3)}
    rendering = await guard.render("", **files)
    assert guard.main_bytes <= 16 * MEBIBYTE
    assert rendering.chart["metadata"]["name"] == "echo"
    assert rendering.chart["files"] == []
    await guard.pool.close()

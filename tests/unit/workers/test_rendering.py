import pytest

from tests.builders.echo_chart import CRD, a_config_map, a_request, echo_archive
from whipstaff.errors import (
    ChartIntegrity,
    ChartInvalid,
    ChartTooLarge,
    ChartUnavailable,
    ClusterRefused,
    KubeVersionIncompatible,
    ManifestInvalid,
    RenderFailed,
    RenderLimit,
    RenderTimeout,
    StorageCorrupt,
    ValuesSchemaViolation,
)
from whipstaff.reconcile.ports import ClusterCapabilities
from whipstaff.release.generated import generated_in
from whipstaff.release.manifests import manifest_digest
from whipstaff.settings import Settings
from whipstaff.workers.pool import WorkerPool

X = "echo/templates/x.yaml"


@pytest.fixture
async def pool():
    pool = WorkerPool(Settings(worker_count=1, render_cpu_seconds=1.5, render_output_bytes=1 << 20))
    yield pool
    await pool.close()


async def nothing(*_question):
    return {}


async def render(pool, folder, template="", lookup=nothing, files=None, **changes):
    given = {"templates/x.yaml": template, **(files or {})}
    return await pool.render(a_request(folder, echo_archive(**given), **changes), lookup)


OBJECT = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n"


async def test_the_digest_is_that_of_what_is_stored(pool, tmp_path):
    rendering = await render(pool, tmp_path, OBJECT, namespace_in_manifest=True)
    assert rendering.manifest_digest == manifest_digest(rendering.manifest, rendering.hooks)
    assert rendering.manifest == (
        f"---\n# Source: {X}\n"
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  namespace: web\n\n"
    )


async def test_cluster_scoped_objects_get_no_namespace(pool, tmp_path):
    template = "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: a}\n"
    rendering = await render(pool, tmp_path, template, namespace_in_manifest=True)
    assert rendering.objects[0]["metadata"] == {"name": "a"}
    assert rendering.manifest.endswith(f"{template}\n")


async def test_a_schema_is_asked_unless_it_is_to_be_skipped(pool, tmp_path):
    files = {"values.schema.json": '{"required": ["size"]}'}
    with pytest.raises(ValuesSchemaViolation):
        await render(pool, tmp_path, OBJECT, files=files)
    rendering = await render(pool, tmp_path, OBJECT, files=files, skip_schema_validation=True)
    assert len(rendering.objects) == 1


async def test_lists_are_opened_in_place(pool, tmp_path):
    template = f"apiVersion: v1\nkind: List\nitems:\n- {a_config_map('a')}\n- {a_config_map('b')}\n"
    rendering = await render(pool, tmp_path, template)
    assert [body["metadata"]["name"] for body in rendering.objects] == ["a", "b"]


async def test_what_comes_twice_is_a_warning(pool, tmp_path):
    rendering = await render(pool, tmp_path, f"{OBJECT}---\n{OBJECT}")
    assert rendering.warnings == ("rendered more than once: ConfigMap web/a",)


async def test_numbers_of_values_are_floats_as_in_helm(pool, tmp_path):
    template = f'{OBJECT}data: {{a: {{{{ printf "%T" .Values.n | quote }}}}}}\n'
    rendering = await render(pool, tmp_path, template, values={"n": 1})
    assert rendering.objects[0]["data"] == {"a": "float64"}


async def test_a_template_that_changes_values_changes_no_later_rendering(pool, tmp_path):
    template = (
        '{{ $_ := set .Values "size" (add1 .Values.size) }}'
        '{{ $_ := set .Values.t "size" (add1 .Values.t.size) }}\n'
        + OBJECT
        + "data: {a: {{ .Values.size | quote }}, b: {{ .Values.t.size | quote }}}\n"
    )
    for _ in range(2):
        rendering = await render(
            pool, tmp_path, template, files={"values.yaml": "size: 1\nt: {size: 1}\n"}
        )
        assert rendering.objects[0]["data"] == {"a": "2", "b": "2"}


async def test_capabilities_are_the_clusters(pool, tmp_path):
    template = (
        OBJECT + "data: {a: {{ .Capabilities.KubeVersion.Version }}, "
        'b: {{ .Capabilities.APIVersions.Has "x/v1" | quote }}}'
    )
    capabilities = ClusterCapabilities("v1.36.3", ("x/v1",))
    rendering = await render(pool, tmp_path, template, capabilities=capabilities)
    assert rendering.objects[0]["data"] == {"a": "v1.36.3", "b": "true"}


async def test_definitions_of_the_crds_folder_come_apart(pool, tmp_path):
    files = {
        "crds/a.yaml": f"# first\n---\n{CRD}\n---\n",
        "crds/kustomization.yaml": "kind: Kustomization",
    }
    rendering = await render(pool, tmp_path, OBJECT, files=files)
    assert rendering.crds == (CRD,)
    assert [file["name"] for file in rendering.chart["files"]] == list(files)


async def test_anything_else_in_the_crds_folder_is_refused(pool, tmp_path):
    with pytest.raises(
        ChartInvalid, match=r"echo/crds/a\.yaml:1: only CustomResourceDefinitions"
    ) as no:
        await render(pool, tmp_path, OBJECT, files={"crds/a.yaml": OBJECT})
    assert no.value.where == "echo/crds/a.yaml"


@pytest.mark.parametrize(
    ("template", "error", "why"),
    [
        pytest.param("{{ foo }}", RenderFailed, 'function "foo" not defined', id="no function"),
        pytest.param("{{ if }}", RenderFailed, "missing value for if", id="a syntax error"),
        pytest.param("{{ .Values.a.b }}", RenderFailed, "nil pointer", id="a nil pointer"),
        pytest.param('{{ required "set a" .Values.a }}', RenderFailed, "set a", id="required"),
        pytest.param("a: b: c", ManifestInvalid, "YAML parse error on", id="no YAML"),
        pytest.param("hello", ManifestInvalid, X, id="a word"),
        pytest.param("a: 1", ManifestInvalid, "object without kind", id="no kind"),
        pytest.param(
            '{{ define "a" }}{{ include "a" . }}{{ end }}{{ include "a" . }}',
            RenderFailed,
            "nested reference name",
            id="endless includes",
        ),
        pytest.param(
            '{{ define "a" }}{{ template "a" . }}{{ end }}{{ template "a" . }}',
            RenderFailed,
            None,
            id="endless templates",
        ),
    ],
)
async def test_a_bad_template_fails_by_its_name_and_the_next_job_works(
    pool, tmp_path, template, error, why
):
    with pytest.raises(error, match=why) as refused:
        await render(pool, tmp_path, template)
    assert "echo/templates/x.yaml" in refused.value.text + getattr(refused.value, "template", "")
    assert (await render(pool, tmp_path, OBJECT)).objects


@pytest.mark.parametrize(
    "template",
    [
        pytest.param("{{ range until 1000000000 }}x{{ end }}", id="a huge list"),
        pytest.param('{{ repeat 1000000000 "x" }}', id="a huge text"),
        pytest.param('{{ range until 999 }}{{ repeat 9999 "x" }}{{ end }}', id="much output"),
    ],
)
async def test_a_template_that_asks_for_too_much_fails_and_the_next_job_works(
    pool, tmp_path, template
):
    with pytest.raises(RenderFailed, match=r"limit|more than"):
        await render(pool, tmp_path, template)
    assert (await render(pool, tmp_path, OBJECT)).objects


async def test_a_template_without_an_end_runs_out_of_time(pool, tmp_path):
    template = "{{ range until 99999 }}{{ range until 99999 }}{{ end }}{{ end }}"
    with pytest.raises((RenderTimeout, RenderLimit)):
        await render(pool, tmp_path, template)
    assert (await render(pool, tmp_path, OBJECT)).objects


async def test_a_template_that_eats_memory_is_stopped(pool, tmp_path):
    template = '{{ $s := "xxxxxxxxxx" }}{{ range until 40 }}{{ $s = printf "%s%s" $s $s }}{{ end }}'
    with pytest.raises((RenderLimit, RenderTimeout)):
        await render(pool, tmp_path, template)
    assert (await render(pool, tmp_path, OBJECT)).objects


async def test_lookups_are_counted(pool, tmp_path):
    template = '{{ range until 257 }}{{ $_ := lookup "v1" "Secret" "web" "a" }}{{ end }}' + OBJECT
    with pytest.raises(RenderLimit, match="more than 256 lookups"):
        await render(pool, tmp_path, template)


async def test_a_lookup_that_is_forbidden_fails_in_the_template(pool, tmp_path):
    async def forbidden(*_question):
        raise ClusterRefused("secrets is forbidden", 403, "Forbidden")

    with pytest.raises(RenderFailed, match="error calling lookup: secrets is forbidden"):
        await render(pool, tmp_path, '{{ lookup "v1" "Secret" "web" "a" }}', forbidden)


async def test_values_that_the_schema_refuses_are_not_shown(pool, tmp_path):
    schema = '{"properties": {"n": {"type": "string"}}}'
    with pytest.raises(ValuesSchemaViolation, match="/n") as refused:
        await render(
            pool, tmp_path, OBJECT, files={"values.schema.json": schema}, values={"n": 424242}
        )
    assert "424242" not in refused.value.text


async def test_a_chart_for_another_kubernetes_is_refused(pool, tmp_path):
    head = "apiVersion: v2\nname: echo\nversion: 1.0.0\nkubeVersion: '>=2.0.0-0'\n"
    with pytest.raises(KubeVersionIncompatible, match=r">=2\.0\.0-0 .* v1\.36\.0"):
        await render(pool, tmp_path, OBJECT, files={"Chart.yaml": head})


async def test_an_archive_that_was_exchanged_is_refused(pool, tmp_path):
    request = a_request(tmp_path)
    (tmp_path / "echo.tgz").write_bytes(echo_archive(README="other"))
    with pytest.raises(ChartIntegrity, match=request.chart.digest):
        await pool.render(request, nothing)


async def test_an_archive_that_left_the_cache_is_worth_another_try(pool, tmp_path):
    request = a_request(tmp_path)
    (tmp_path / "echo.tgz").unlink()
    with pytest.raises(ChartUnavailable, match="left the cache"):
        await pool.render(request, nothing)


async def test_an_archive_too_large_is_refused(tmp_path):
    pool = WorkerPool(Settings(worker_count=1, chart_bytes_limit=100))
    with pytest.raises(ChartTooLarge, match="larger than 100 bytes"):
        await pool.render(a_request(tmp_path), nothing)
    await pool.close()


async def test_inspecting_tells_name_and_version(pool, tmp_path):
    path = tmp_path / "echo.tgz"
    path.write_bytes(echo_archive())
    assert await pool.inspect(path) == ("echo", "1.0.0")


async def test_hook_policies_that_helm_does_not_know_are_left_out(pool, tmp_path):
    template = (
        OBJECT
        + "  annotations: {helm.sh/hook: test, helm.sh/hook-delete-policy: 'never, hook-failed'}\n"
    )
    (hook,) = (await render(pool, tmp_path, template)).hooks
    assert hook.delete_policies == ("hook-failed",)


GENERATES = OBJECT + 'data: {a: {{ randAlphaNum 12 }}, b: {{ .Values.b | default "none" }}}\n'


async def test_what_templates_generate_is_kept_when_that_is_asked_for(pool, tmp_path):
    first = await render(pool, tmp_path, GENERATES, stable_generated=True)
    kept = generated_in(first.chart)
    then = await render(
        pool, tmp_path, GENERATES, stable_generated=True, generated=kept, values={"b": "x"}
    )
    assert then.objects[0]["data"] == {"a": first.objects[0]["data"]["a"], "b": "x"}
    assert generated_in(then.chart) == kept


async def test_what_templates_generate_is_not_kept_otherwise(pool, tmp_path):
    kept = generated_in((await render(pool, tmp_path, GENERATES, stable_generated=True)).chart)
    first = await render(pool, tmp_path, GENERATES, generated=kept)
    then = await render(pool, tmp_path, GENERATES, generated=kept)
    assert first.objects != then.objects
    assert generated_in(first.chart) == ""


async def test_with_what_is_kept_unread_values_are_no_change(pool, tmp_path):
    first = await render(pool, tmp_path, GENERATES, stable_generated=True)
    then = await render(
        pool,
        tmp_path,
        GENERATES,
        values={"unread": 1},
        stable_generated=True,
        generated=generated_in(first.chart),
        revision=2,
        current_revision=1,
        current_manifest_digest=first.manifest_digest,
    )
    assert then.same_as_current


async def test_what_was_kept_and_is_damaged_ends_the_render(pool, tmp_path):
    with pytest.raises(StorageCorrupt):
        await render(pool, tmp_path, GENERATES, stable_generated=True, generated="!")


def test_a_request_does_not_show_what_was_kept(tmp_path):
    request = a_request(tmp_path, echo_archive(), generated="c2VjcmV0")
    assert "c2VjcmV0" not in repr(request)


async def test_values_that_nothing_reads_are_named_without_what_they_hold(pool, tmp_path):
    template = OBJECT + "data: {a: {{ .Values.replicaCount | quote }}}\n"
    values = {"replicaCuont": "hunter2"}
    first = await render(
        pool, tmp_path, template, values=values, files={"values.yaml": "replicaCount: 1\n"}
    )
    assert first.unused == ("`replicaCuont` is never read; did you mean `replicaCount`?",)
    same = await render(
        pool,
        tmp_path,
        template,
        values=values,
        files={"values.yaml": "replicaCount: 1\n"},
        revision=2,
        current_revision=1,
        current_manifest_digest=first.manifest_digest,
    )
    assert same.same_as_current
    assert same.unused == first.unused

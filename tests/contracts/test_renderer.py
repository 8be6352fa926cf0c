"""What every Renderer does with the echo chart: the fake, and the pool with the real engine."""

from dataclasses import replace

import pytest

from tests.builders.echo_chart import TEMPLATE, a_config_map, a_request
from tests.fakes.renderer import FakeRenderer
from whipstaff.errors import ClusterRefused, RenderFailed
from whipstaff.release.revision import HookDeletePolicy, HookEvent
from whipstaff.settings import Settings
from whipstaff.workers.pool import WorkerPool


@pytest.fixture(params=["fake", "pool"])
async def renderer(request):
    if request.param == "fake":
        yield FakeRenderer()
        return
    pool = WorkerPool(Settings(worker_count=1))
    yield pool
    await pool.close()


async def nothing(*_question):
    return {}


DEPLOYMENT = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}}
HOOK = a_config_map(
    "migrate",
    annotations={
        "helm.sh/hook": "pre-upgrade,post-install",
        "helm.sh/hook-weight": "-5",
        "helm.sh/hook-delete-policy": "hook-succeeded",
    },
)


async def test_objects_come_in_install_order_and_as_text(renderer, tmp_path):
    request = a_request(tmp_path, values={"objects": [DEPLOYMENT, a_config_map()], "notes": "Hi"})
    rendering = await renderer.render(request, nothing)
    assert rendering.objects == (a_config_map(), DEPLOYMENT)
    assert rendering.manifest == (
        f"---\n# Source: {TEMPLATE}\n"
        '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"settings"}}\n\n'
        f"---\n# Source: {TEMPLATE}\n"
        '{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web"}}\n\n'
    )
    assert rendering.notes == "Hi"
    assert rendering.chart["metadata"]["name"] == "echo"


async def test_hooks_are_not_part_of_the_manifest(renderer, tmp_path):
    request = a_request(tmp_path, values={"objects": [HOOK]})
    rendering = await renderer.render(request, nothing)
    (hook,) = rendering.hooks
    assert (rendering.manifest, rendering.objects) == ("", ())
    assert (hook.name, hook.kind, hook.path, hook.body) == ("migrate", "ConfigMap", TEMPLATE, HOOK)
    assert hook.manifest.endswith("}}\n")
    assert hook.events == (HookEvent.PRE_UPGRADE, HookEvent.POST_INSTALL)
    assert (hook.weight, hook.delete_policies) == (-5, (HookDeletePolicy.HOOK_SUCCEEDED,))


async def test_what_already_runs_is_recognized_under_its_own_number(renderer, tmp_path):
    values = {"objects": [a_config_map(), HOOK], "showRevision": True}
    running = await renderer.render(a_request(tmp_path, values=values, revision=3), nothing)
    request = a_request(
        tmp_path,
        values=values,
        revision=4,
        is_upgrade=True,
        current_revision=3,
        current_manifest_digest=running.manifest_digest,
    )
    assert (await renderer.render(request, nothing)).same_as_current
    assert running.crds_digest == ""
    other_crds = replace(request, current_crds_digest="of a chart that had some")
    assert not (await renderer.render(other_crds, nothing)).same_as_current


async def test_what_changed_is_rendered_under_the_new_number(renderer, tmp_path):
    request = a_request(
        tmp_path,
        values={"showRevision": True},
        revision=4,
        current_revision=3,
        current_manifest_digest="v1.other",
    )
    rendering = await renderer.render(request, nothing)
    assert not rendering.same_as_current
    assert rendering.objects == (a_config_map("r4"),)


async def test_the_namespace_is_written_in_where_it_is_asked_for(renderer, tmp_path):
    objects = [a_config_map(), a_config_map("other", namespace="db"), HOOK]
    request = a_request(tmp_path, values={"objects": objects}, namespace_in_manifest=True)
    rendering = await renderer.render(request, nothing)
    places = [body["metadata"]["namespace"] for body in rendering.objects]
    assert places == ["web", "db"]
    assert rendering.hooks[0].body["metadata"]["namespace"] == "web"
    assert rendering.manifest.count("web") == 1
    assert "web" in rendering.hooks[0].manifest


async def test_a_failing_template_is_named(renderer, tmp_path):
    with pytest.raises(RenderFailed) as refused:
        await renderer.render(a_request(tmp_path, values={"fail": "set a: b"}), nothing)
    assert refused.value.text == f"execution error at ({TEMPLATE}:1:25): set a: b"
    assert (refused.value.template, refused.value.line) == (TEMPLATE, 1)


async def test_lookup_asks_the_one_who_renders(renderer, tmp_path):
    asked = []

    async def lookup(*question):
        asked.append(question)
        return {"kind": "Secret"}

    request = a_request(tmp_path, values={"lookup": ["v1", "Secret", "web", "db"]})
    (body,) = (await renderer.render(request, lookup)).objects
    assert body["data"] == {"found": '{"kind":"Secret"}'}
    assert asked == [("v1", "Secret", "web", "db")]


async def test_a_cluster_that_does_not_answer_a_lookup_is_no_fault_of_the_chart(renderer, tmp_path):
    async def lookup(*_question):
        raise ClusterRefused("timeout", 503)

    request = a_request(tmp_path, values={"lookup": ["v1", "Secret", "web", "db"]})
    with pytest.raises(ClusterRefused, match="timeout"):
        await renderer.render(request, lookup)

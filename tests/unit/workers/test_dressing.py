"""Post-rendering on the way from templates to manifest, again and again."""

import json

import pytest

from tests.builders.echo_chart import a_request, echo_archive
from tests.unit.chart.test_incremental import Begun, a_scope
from tests.unit.workers.test_releases import an_order
from whipstaff.errors import ManifestInvalid, PostRenderFailed, RenderLimit, RenderTimeout
from whipstaff.release.manifests import manifest_digest
from whipstaff.settings import Settings
from whipstaff.workers import rendering
from whipstaff.workers.pool import WorkerPool
from whipstaff.workers.rendering import Charts, Releases

SOURCE = "# a comment\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
HOOK = (
    "apiVersion: v1\nkind: ConfigMap\n"
    'metadata:\n  name: h\n  annotations: {"helm.sh/hook": pre-install}\n'
)
LIST = (
    "apiVersion: v1\nkind: List\nitems:\n"
    "- {apiVersion: v1, kind: ConfigMap, metadata: {name: one}}\n"
    "- {apiVersion: v1, kind: ConfigMap, metadata: {name: two}}\n"
)


@pytest.fixture
async def pool():
    pool = WorkerPool(Settings(worker_count=1))
    yield pool
    await pool.close()


def post_rendering(*patches, strategy="combined", labels=None):
    listed = [{"patch": patch, "target": target} for patch, target in patches]
    return {
        "strategy": strategy,
        "renderers": [{"patches": listed, "images": []}],
        "labels": labels or {},
        "annotations": {},
    }


async def render(pool, folder, template, *patches, strategy="combined", labels=None, **changes):
    async def lookup(*_question):
        return {}

    archive = echo_archive(**{"templates/x.yaml": template})
    order = post_rendering(*patches, strategy=strategy, labels=labels)
    request = a_request(folder, archive, post_rendering=order, **changes)
    return await pool.render(request, lookup)


def on(name):
    return {"name": name}


async def test_what_no_patch_is_for_keeps_its_text(pool, tmp_path):
    template = f"{SOURCE}---\n{SOURCE.replace('name: a', 'name: b')}"
    result = await render(pool, tmp_path, template, ("data: {k: v}", on("b")))

    assert str(result.manifest) == (
        f"---\n# Source: echo/templates/x.yaml\n{SOURCE}\n"
        "---\n# Source: echo/templates/x.yaml\n"
        "apiVersion: v1\ndata:\n  k: v\nkind: ConfigMap\nmetadata:\n  name: b\n\n"
    )
    assert result.objects[1]["data"] == {"k": "v"}
    assert result.manifest_digest == manifest_digest(str(result.manifest), result.hooks)


@pytest.mark.parametrize("strategy", ["combined", "separate"])
async def test_hooks_are_patched_too(pool, tmp_path, strategy):
    result = await render(
        pool, tmp_path, HOOK, ("data: {k: v}", on("h")), strategy=strategy, labels={"team": "a"}
    )

    assert result.hooks[0].body["data"] == {"k": "v"}
    assert result.hooks[0].body["metadata"]["labels"] == {"team": "a"}
    assert "k: v" in result.hooks[0].manifest


async def test_hooks_stay_as_they_are_if_that_is_asked(pool, tmp_path):
    template = f"{SOURCE}---\n{HOOK}"
    result = await render(pool, tmp_path, template, strategy="nohooks", labels={"team": "a"})

    assert "labels" not in result.hooks[0].body["metadata"]
    assert result.objects[0]["metadata"]["labels"] == {"team": "a"}


async def test_what_a_patch_makes_a_hook_is_one(pool, tmp_path):
    patch = 'metadata: {annotations: {"helm.sh/hook": post-upgrade, "helm.sh/hook-weight": "3"}}'
    result = await render(pool, tmp_path, SOURCE, (patch, on("a")))

    assert list(result.objects) == []
    assert (result.hooks[0].name, result.hooks[0].weight) == ("a", 3)


async def test_what_a_patch_makes_no_hook_is_an_object(pool, tmp_path):
    patch = 'metadata: {annotations: {"helm.sh/hook": null}}'
    result = await render(pool, tmp_path, HOOK, (patch, on("h")))

    assert result.hooks == ()
    assert result.objects[0]["metadata"]["name"] == "h"


async def test_a_deleted_object_is_not_in_the_manifest(pool, tmp_path):
    result = await render(pool, tmp_path, SOURCE, ("$patch: delete", on("a")))

    assert (str(result.manifest), list(result.objects)) == ("", [])


async def test_objects_of_a_list_are_patched_one_by_one(pool, tmp_path):
    result = await render(pool, tmp_path, LIST, ("data: {k: v}", on("two")))

    assert [body.get("data") for body in result.objects] == [None, {"k": "v"}]


async def test_a_namespace_is_written_into_what_was_patched(pool, tmp_path):
    result = await render(
        pool, tmp_path, SOURCE, ("data: {k: v}", on("a")), namespace_in_manifest=True
    )

    assert result.objects[0]["metadata"]["namespace"] == "web"


async def test_a_patch_that_takes_the_kind_away_is_refused(pool, tmp_path):
    with pytest.raises((ManifestInvalid, PostRenderFailed)):
        await render(pool, tmp_path, SOURCE, ('[{"op": "remove", "path": "/kind"}]', on("a")))


async def test_a_bad_patch_is_named_across_the_pipe(pool, tmp_path):
    with pytest.raises(PostRenderFailed) as caught:
        await render(pool, tmp_path, SOURCE, ("data: [1]", on("a")), ("spec: [", on("a")))

    assert caught.value.where == "spec.postRenderers[0].kustomize.patches[1]"


def test_the_same_press_gives_the_same_as_a_new_one(tmp_path):
    """What was patched is remembered; other patches, or none, start from what was rendered."""
    charts, releases = Charts(1 << 20), Releases()
    plain = an_order(tmp_path, current=None)
    orders = [
        {**plain, "post_rendering": post_rendering(("data: {y: one}", on("plain")))},
        {**plain, "post_rendering": post_rendering(("data: {y: two}", on("plain")))},
        plain,
        {
            **plain,
            "values": {"a": 7},
            "post_rendering": post_rendering(("data: {y: two}", on("plain"))),
        },
        {**plain, "post_rendering": post_rendering(("data: {y: one}", on("plain")))},
    ]

    again = [rendering.render(charts, releases, a_scope(Begun()), one) for one in orders]
    anew = [rendering.render(charts, Releases(), a_scope(Begun()), one) for one in orders]

    assert again == anew
    assert len({one["manifest_digest"] for one in again}) == 4


def test_what_was_patched_is_what_the_next_render_is_compared_with(tmp_path):
    charts, releases = Charts(1 << 20), Releases()
    patched = post_rendering(("data: {y: one}", on("r")))
    order = an_order(tmp_path, current=None, post_rendering=patched)
    digest = rendering.render(charts, releases, a_scope(Begun()), order)["manifest_digest"]
    current = {"revision": 2, "is_upgrade": True, "manifest_digest": digest, "crds_digest": ""}

    again = rendering.render(
        charts, releases, a_scope(Begun()), {**order, "revision": 3, "current": current}
    )

    assert again["same_as_current"]


@pytest.mark.parametrize(
    "patch",
    [
        pytest.param(
            json.dumps([{"op": "copy", "from": "/data", "path": f"/data/k{n}"} for n in range(40)]),
            id="a table that doubles",
        ),
        pytest.param(
            "a: &a [x, x]\n"
            + "\n".join(f"b{n}: &b{n} [*{'a' if not n else f'b{n - 1}'}, *a]" for n in range(9))
            + "\nc: "
            + "[" * 20_000,
            id="a list without a bottom",
        ),
        pytest.param("data: {k: v}\n" + "#" * 50_000 + "\n&a [*a]", id="a list in itself"),
    ],
)
async def test_a_patch_that_is_made_to_harm_is_ended(pool, tmp_path, patch):
    source = SOURCE + "data: {k: v}\n"
    with pytest.raises((PostRenderFailed, RenderLimit, RenderTimeout)):
        await render(pool, tmp_path, source, (patch, on("a")))

    sound = await render(pool, tmp_path, source, ("data: {k: w}", on("a")))
    assert sound.objects[0]["data"] == {"k": "w"}

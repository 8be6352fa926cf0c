"""Patches and expressions of a HelmRelease, on the control plane."""

import json

from tests.builders.live_releases import condition
from tests.builders.small_charts import app_chart, settings_chart

PATCH = {"target": {"kind": "ConfigMap"}, "patch": "data: {patched: one}"}


def kustomize(*patches, **more):
    return [{"kustomize": {"patches": list(patches), **more}}]


def test_what_is_patched_is_applied_stored_and_rolled_back(releases, repository):
    repository.add(settings_chart("1.1.0"))
    releases.create("shop", postRenderers=kustomize(PATCH))
    releases.settled("shop", revision=1)
    assert releases.data("shop")["patched"] == "one"
    assert "patched: one" in releases.helm("get", "manifest", "shop")

    releases.edit("shop", postRenderers=None, commonMetadata={"labels": {"team": "a"}})
    releases.settled("shop", revision=2)
    live = releases.find(releases.core("configmaps", "shop"))
    assert "patched" not in live["data"]
    assert live["metadata"]["labels"]["team"] == "a"

    releases.edit("shop", revision=1)
    releases.settled("shop", revision=3)
    live = releases.find(releases.core("configmaps", "shop"))
    assert live["data"]["patched"] == "one"
    assert "team" not in live["metadata"]["labels"]


def test_instructions_that_change_nothing_make_no_revision(releases, repository):
    repository.add(settings_chart("1.1.0"))
    releases.create("shop")
    releases.settled("shop", revision=1)

    releases.edit("shop", postRenderers=kustomize(images=[{"name": "ghost", "newTag": "1"}]))
    releases.settled("shop", revision=1)

    assert releases.stored("shop") == {1: "deployed"}


def test_a_bad_patch_leaves_what_runs_alone(releases, repository):
    repository.add(settings_chart("1.1.0"))
    releases.create("shop")
    releases.settled("shop", revision=1)
    ghost = {"patch": "{apiVersion: v1, kind: Secret, metadata: {name: ghost}}"}

    releases.edit("shop", postRenderers=kustomize(PATCH, ghost))
    message = releases.refused("shop", "PostRenderFailed")["message"]

    assert message.startswith("spec.postRenderers[0].kustomize.patches[1]: the chart renders no")
    assert releases.stored("shop") == {1: "deployed"}
    assert "patched" not in releases.data("shop")


def test_an_image_of_a_deployment_is_another(releases, repository):
    repository.add(app_chart())
    images = [{"name": "nginx", "newName": "mirror/nginx", "digest": "sha256:" + "0" * 64}]
    releases.create("web", "app", postRenderers=kustomize(images=images))
    releases.settled("web")

    path = f"/apis/apps/v1/namespaces/{releases.namespace}/deployments/web"
    [container] = releases.find(path)["spec"]["template"]["spec"]["containers"]
    assert container["image"] == f"mirror/nginx@sha256:{'0' * 64}"


def test_an_expression_says_when_an_object_is_ready(releases, repository):
    repository.add(settings_chart("1.1.0"))
    check = {"apiVersion": "v1", "kind": "ConfigMap", "current": "data.done == 'so'"}
    releases.create("slow", healthCheckExprs=[check])
    seen = releases.until("slow", lambda release: release["status"].get("unready"))
    assert "current expression" in seen["status"]["unready"][0]["cause"]
    assert condition(seen, "Ready")["status"] == "Unknown"

    patch = json.dumps({"data": {"done": "so"}})
    releases.control_plane.kubectl(
        *("patch", "configmap", "slow", "-n", releases.namespace, "--type", "merge", "-p", patch)
    )

    releases.settled("slow", revision=1)


def test_an_expression_that_is_none_is_refused_by_its_field(releases, repository):
    repository.add(settings_chart("1.1.0"))
    check = {"apiVersion": "v1", "kind": "ConfigMap", "current": "data.done =="}
    releases.create("wrong", healthCheckExprs=[check])

    message = releases.refused("wrong", "ExpressionInvalid")["message"]

    assert message.startswith("spec.healthCheckExprs[0]: column ")
    assert releases.stored("wrong") == {}

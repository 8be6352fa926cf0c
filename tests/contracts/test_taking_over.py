"""Objects that the helm CLI or kubectl made: fields that a new chart drops go away."""

import asyncio
import json

import pytest

from tests.builders.api_server import a_client
from whipstaff.kube.cluster import ApiServerCluster
from whipstaff.reconcile.ports import OPERATOR, ObjectReference

pytestmark = pytest.mark.cluster

TEMPLATE = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: shop
  labels: {dropped: "yes"}
spec:
  replicas: 0
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec:
      containers:
        - name: shop
          image: shop
          env: [{name: KEPT, value: "1"}, {name: DROPPED, value: "1"}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: shop}
data: {kept: "1", dropped: "1"}
"""


def a_deployment():
    container = {"name": "shop", "image": "shop", "env": [{"name": "KEPT", "value": "2"}]}
    labels = {"app": "shop"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "shop"},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }


def a_config_map():
    metadata = {"name": "shop"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"kept": "2"}}


@pytest.fixture
def chart(tmp_path):
    folder = tmp_path / "shop"
    (folder / "templates").mkdir(parents=True)
    (folder / "Chart.yaml").write_text("apiVersion: v2\nname: shop\nversion: 1.0.0\n")
    (folder / "templates" / "shop.yaml").write_text(TEMPLATE)
    return folder


@pytest.fixture(params=["helm, client-side", "helm, server-side", "kubectl apply"])
def made(request, control_plane, namespace, chart):
    place = ("-n", namespace)
    if request.param.startswith("helm"):
        flag = f"--server-side={'false' if 'client' in request.param else 'true'}"
        control_plane.run("helm", "install", "shop", str(chart), *place, flag)
    else:
        control_plane.run(*request.param.split(), *place, "-f", "-", stdin=TEMPLATE)
    return namespace


@pytest.mark.parametrize("dry_run_first", [True, False])
async def test_what_a_new_chart_drops_is_gone_whoever_made_it(control_plane, made, dry_run_first):
    async with a_client(control_plane) as client:
        cluster = ApiServerCluster(client)
        for body in (a_deployment(), a_config_map()):
            reference = await cluster.refer(body, made, OPERATOR)
            if dry_run_first:
                await cluster.apply(reference, body, OPERATOR, dry_run=True)
            await cluster.apply(reference, body, OPERATOR)
        deployment = await _live(cluster, made, "apps/v1", "Deployment")
        config_map = await _live(cluster, made, "v1", "ConfigMap")
    assert "dropped" not in deployment["metadata"].get("labels", {})
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    assert container["env"] == [{"name": "KEPT", "value": "2"}]
    assert config_map["data"] == {"kept": "2"}


async def test_an_object_of_ours_is_written_once(control_plane, namespace):
    async with a_client(control_plane) as client:
        cluster = ApiServerCluster(client)
        reference = await cluster.refer(a_config_map(), namespace, OPERATOR)
        first = await cluster.apply(reference, a_config_map(), OPERATOR)
        again = await cluster.apply(reference, a_config_map(), OPERATOR)
    assert first == again
    stored = control_plane.run(
        "kubectl", "get", "cm", "shop", "-n", namespace, "-o", "json", "--show-managed-fields"
    )
    entries = json.loads(stored.stdout)["metadata"]["managedFields"]
    assert [(entry["manager"], entry["operation"]) for entry in entries] == [("helm", "Apply")]


async def test_many_objects_in_a_namespace_with_a_quota_all_get_in(control_plane, namespace):
    control_plane.run("kubectl", "create", "quota", "few", "-n", namespace, "--hard=configmaps=100")
    async with a_client(control_plane) as client:
        cluster = ApiServerCluster(client)
        bodies = [a_config_map() | {"metadata": {"name": f"shop-{i}"}} for i in range(40)]
        references = [await cluster.refer(body, namespace, OPERATOR) for body in bodies]
        await asyncio.gather(
            *(cluster.apply(r, b, OPERATOR) for r, b in zip(references, bodies, strict=True))
        )


async def _live(cluster, namespace, api_version, kind):
    return await cluster.read(ObjectReference(api_version, kind, namespace, "shop"), OPERATOR)

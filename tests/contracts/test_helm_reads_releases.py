"""What the store writes is what the helm CLI reads, and the other way round."""

import json

import pytest

from tests.builders.api_server import a_client
from tests.builders.clocks import FixedClock
from tests.builders.releases import a_revision
from tests.fakes.release_store import InProcessCodec
from whipstaff.kube.release_store import ObjectReleaseStore
from whipstaff.reconcile.ports import OPERATOR
from whipstaff.release.revision import ReleaseKey, ReleaseStatus

pytestmark = pytest.mark.cluster


@pytest.fixture(params=["secret", "configmap"])
def driver(request, monkeypatch):
    monkeypatch.setenv("HELM_DRIVER", request.param)
    return request.param


async def test_the_cli_reads_what_the_store_wrote(control_plane, namespace, driver):
    key = ReleaseKey(namespace, "shop")
    async with a_client(control_plane) as client:
        store = ObjectReleaseStore(client, InProcessCodec(), FixedClock(), driver=driver)
        first = a_revision(1, namespace=namespace, status=ReleaseStatus.SUPERSEDED)
        second = a_revision(2, namespace=namespace, labels={"whipstaff.dev/revision": "2"})
        await store.create(key, first, OPERATOR)
        await store.create(key, second, OPERATOR)

    def helm(*arguments):
        return control_plane.run("helm", *arguments, "-n", namespace).stdout

    (listed,) = json.loads(helm("ls", "-o", "json"))
    assert (listed["name"], listed["revision"], listed["status"]) == ("shop", "2", "deployed")
    history = json.loads(helm("history", "shop", "-o", "json"))
    assert [(entry["revision"], entry["status"]) for entry in history] == [
        (1, "superseded"),
        (2, "deployed"),
    ]
    assert helm("get", "manifest", "shop").strip() == second.manifest.strip()
    assert json.loads(helm("get", "values", "shop", "-o", "json")) == second.config


async def test_the_store_reads_what_the_cli_wrote(control_plane, namespace, driver, tmp_path):
    chart = tmp_path / "shop"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: shop\nversion: 1.0.0\n")
    (chart / "templates" / "map.yaml").write_text(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: shop}\n"
    )
    place = ("-n", namespace, "--labels", "team=web", "--set", "a=b")
    control_plane.run("helm", "install", "shop", str(chart), *place)
    key = ReleaseKey(namespace, "shop")
    async with a_client(control_plane) as client:
        store = ObjectReleaseStore(client, InProcessCodec(), FixedClock(), driver=driver)
        (header,) = await store.history(key, OPERATOR)
        revision = await store.read(key, header.number, OPERATOR)
    assert (header.number, header.status) == (1, ReleaseStatus.DEPLOYED)
    assert header.labels == {"team": "web"} == revision.labels
    # The CLI's own update drops the label that its creation wrote.
    assert header.created_at == 0
    assert header.modified_at > 0
    assert revision.config == {"a": "b"}
    assert [body["kind"] for body in revision.objects] == ["ConfigMap"]

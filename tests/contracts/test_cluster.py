"""What every Cluster does: the fake always, the API server when there is one."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any

import pytest

from tests.builders.api_server import a_client
from tests.fakes.cluster import FakeCluster
from whipstaff.errors import ClusterRefused
from whipstaff.kube.cluster import ApiServerCluster
from whipstaff.reconcile.ports import OPERATOR, Identity, ObjectReference

LABELS = {"app.kubernetes.io/managed-by": "Helm"}
WIDGETS = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "widgets.example.dev"},
    "spec": {
        "group": "example.dev",
        "scope": "Namespaced",
        "names": {"kind": "Widget", "plural": "widgets", "singular": "widget"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object"}},
            }
        ],
    },
}


@dataclass
class World:
    """A cluster, a namespace in it, and a way to write as somebody else."""

    cluster: Any
    namespace: str
    patch: Any  # (reference, merge patch) -> None

    def reference(self, kind="ConfigMap", name="settings", api_version="v1"):
        return ObjectReference(api_version, kind, self.namespace, name)

    async def apply(self, body, **options):
        reference = await self.cluster.refer(body, self.namespace, OPERATOR)
        return await self.cluster.apply(reference, body, OPERATOR, **options)

    async def definition_is_going(self):
        name = WIDGETS["metadata"]["name"]
        return await self.cluster.definition_is_going(name, "example.dev/v1", "Widget")


@pytest.fixture(params=["fake", pytest.param("api-server", marks=pytest.mark.cluster)])
async def world(request):
    if request.param == "fake":
        fake = FakeCluster("web")
        fake.forbidden.add(Identity("nobody", "web"))

        def patch(reference, change):
            fake.edit(reference, lambda body: _merge(body, change))

        yield World(fake, "web", patch)
        return
    control_plane = request.getfixturevalue("control_plane")
    namespace = request.getfixturevalue("namespace")

    def kubectl(reference, change):
        place = ("-n", reference.namespace) if reference.namespace else ()
        name = f"{reference.kind}/{reference.name}"
        text = json.dumps(change)
        control_plane.run("kubectl", "patch", *place, name, "--type=merge", "-p", text)

    async with a_client(control_plane) as client:
        cluster = ApiServerCluster(client)
        yield World(cluster, namespace, kubectl)
        await cluster.close()


def _merge(body, change):
    for key, value in change.items():
        if isinstance(value, dict):
            _merge(body.setdefault(key, {}), value)
        elif value is None:
            body.pop(key, None)
        else:
            body[key] = value


def a_config_map(name="settings", labels=LABELS, **data):
    metadata = {"name": name, **({"labels": labels} if labels else {})}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def a_job(image="a"):
    container = {"name": "c", "image": image, "env": [{"name": "PASSWORD", "value": "canary"}]}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "migrate"},
        "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [container]}}},
    }


async def soon(iterator):
    return await asyncio.wait_for(anext(iterator), 10)


async def test_what_is_applied_can_be_read(world):
    applied = await world.apply(a_config_map(a="1"))
    live = await world.cluster.read(world.reference(), OPERATOR)
    assert live == applied
    assert live["data"] == {"a": "1"}
    assert live["metadata"]["namespace"] == world.namespace
    assert live["metadata"]["uid"]
    assert "managedFields" not in live["metadata"]


async def test_what_is_not_there_reads_as_none(world):
    assert await world.cluster.read(world.reference(), OPERATOR) is None
    assert await world.cluster.read(world.reference("Nothing", "x", "no.dev/v1"), OPERATOR) is None


async def test_a_dry_run_shows_the_object_and_writes_nothing(world):
    shown = await world.apply(a_config_map(a="1"), dry_run=True)
    assert shown["data"] == {"a": "1"}
    assert await world.cluster.read(world.reference(), OPERATOR) is None


async def test_applying_the_same_again_changes_nothing(world):
    first = await world.apply(a_config_map(a="1"))
    assert await world.apply(a_config_map(a="1")) == first


async def test_a_field_that_is_no_longer_applied_goes_away(world):
    await world.apply(a_config_map(a="1", b="2"))
    assert (await world.apply(a_config_map(a="3")))["data"] == {"a": "3"}


async def test_a_field_that_another_set_stays(world):
    await world.apply(a_config_map(a="1"))
    world.patch(world.reference(), {"data": {"theirs": "yes"}})
    assert (await world.apply(a_config_map(a="2")))["data"] == {"a": "2", "theirs": "yes"}


async def test_a_field_that_another_changed_is_taken_back(world):
    await world.apply(a_config_map(a="1"))
    world.patch(world.reference(), {"data": {"a": "theirs"}})
    assert (await world.apply(a_config_map(a="1")))["data"] == {"a": "1"}


async def test_annotations_are_written_over_what_is_there(world):
    body = a_config_map(a="1")
    body["metadata"]["annotations"] = {"kept": "1", "moved": "1"}
    await world.apply(body)
    await world.cluster.annotate(world.reference(), {"moved": "2"}, OPERATOR)
    live = await world.cluster.read(world.reference(), OPERATOR)
    assert live["metadata"]["annotations"] == {"kept": "1", "moved": "2"}
    assert live["data"] == {"a": "1"}
    del body["metadata"]["annotations"]["moved"]
    applied = await world.apply(body)
    assert applied["metadata"]["annotations"] == {"kept": "1"}


async def test_annotating_what_is_gone_is_no_error(world):
    await world.cluster.annotate(world.reference(), {"moved": "2"}, OPERATOR)


async def test_an_immutable_field_is_refused_by_the_dry_run_without_the_value(world):
    await world.apply(a_job())
    with pytest.raises(ClusterRefused) as refused:
        await world.apply(a_job(image="b"), dry_run=True)
    assert refused.value.code == 422
    assert refused.value.reason == "Invalid"
    assert "spec.template" in refused.value.text
    assert "field is immutable" in refused.value.text
    assert "migrate" in refused.value.text
    assert "canary" not in refused.value.text


async def test_a_namespace_that_is_missing_is_named(world):
    body = a_config_map(a="1")
    body["metadata"]["namespace"] = "nowhere"
    with pytest.raises(ClusterRefused, match='namespaces "nowhere" not found') as refused:
        await world.apply(body, dry_run=True)
    assert (refused.value.code, refused.value.reason) == (404, "NotFound")


async def test_a_namespaced_object_without_a_namespace_gets_that_of_the_release(world):
    reference = await world.cluster.refer(a_config_map(), "other", OPERATOR)
    assert reference == ObjectReference("v1", "ConfigMap", "other", "settings")


async def test_an_object_keeps_the_namespace_that_it_names(world):
    body = a_config_map()
    body["metadata"]["namespace"] = "elsewhere"
    assert (await world.cluster.refer(body, "other", OPERATOR)).namespace == "elsewhere"


async def test_a_cluster_scoped_object_has_no_namespace(world):
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x", "namespace": "y"}}
    assert (await world.cluster.refer(body, "other", OPERATOR)).namespace == ""


async def test_an_unknown_kind_is_refused_by_name(world):
    body = {"apiVersion": "no.dev/v1", "kind": "Nothing", "metadata": {"name": "x"}}
    with pytest.raises(ClusterRefused, match='no matches for kind "Nothing" in version') as refused:
        await world.cluster.refer(body, "other", OPERATOR)
    assert (refused.value.code, refused.value.reason) == (404, "NoMatchForKind")
    assert not refused.value.retryable


async def test_an_object_without_a_name_is_refused(world):
    with pytest.raises(ClusterRefused) as refused:
        await world.cluster.refer(a_config_map(name=""), "other", OPERATOR)
    assert refused.value.code == 422


async def test_deleting_twice_is_no_error(world):
    await world.apply(a_config_map(a="1"))
    await world.cluster.delete(world.reference(), OPERATOR)
    await world.cluster.delete(world.reference(), OPERATOR)
    await world.cluster.delete(world.reference("Nothing", "x", "no.dev/v1"), OPERATOR)
    assert await world.cluster.read(world.reference(), OPERATOR) is None


async def test_an_object_with_a_finalizer_stays_until_that_is_off(world):
    body = a_config_map(a="1")
    body["metadata"]["finalizers"] = ["example.dev/wait"]
    await world.apply(body)
    await world.cluster.delete(world.reference(), OPERATOR)
    live = await world.cluster.read(world.reference(), OPERATOR)
    assert live["metadata"]["deletionTimestamp"]
    world.patch(world.reference(), {"metadata": {"finalizers": None}})
    assert await world.cluster.read(world.reference(), OPERATOR) is None


@pytest.mark.parametrize(
    "labels", [pytest.param(LABELS, id="chart object"), pytest.param(None, id="hook")]
)
async def test_following_shows_what_is_there_then_each_change(world, labels):
    await world.apply(a_config_map(a="1", labels=labels))
    there, missing = world.reference(), world.reference(name="missing")
    following = world.cluster.follow([there, missing], OPERATOR)
    first = await soon(following)
    assert first[there]["data"] == {"a": "1"}
    assert first[missing] is None

    changes = asyncio.create_task(soon(following))
    await asyncio.sleep(0.3)
    await world.apply(a_config_map(a="2", labels=labels))
    assert (await changes)[there]["data"] == {"a": "2"}

    changes = asyncio.create_task(soon(following))
    await world.apply(a_config_map(name="missing", labels=labels, b="1"))
    assert (await changes)[missing]["data"] == {"b": "1"}

    changes = asyncio.create_task(soon(following))
    await world.cluster.delete(there, OPERATOR)
    gone = await changes
    assert gone[there] is None
    assert gone[missing]["data"] == {"b": "1"}
    await following.aclose()


async def test_two_waits_for_one_object_both_hear_of_its_change(world):
    await world.apply(a_config_map(a="1"))
    waits = [world.cluster.follow([world.reference()], OPERATOR) for _ in range(2)]
    for following in waits:
        await soon(following)
    changes = [asyncio.create_task(soon(following)) for following in waits]
    await asyncio.sleep(0.3)
    await world.apply(a_config_map(a="2"))
    for change in changes:
        assert (await change)[world.reference()]["data"] == {"a": "2"}
    for following in waits:
        await following.aclose()


async def test_a_namespace_is_created_with_its_name_as_label(world):
    name = f"{world.namespace}-new"
    reference = ObjectReference("v1", "Namespace", "", name)
    await world.cluster.ensure_namespace(name, OPERATOR)
    live = await world.cluster.read(reference, OPERATOR)
    assert live["metadata"]["labels"]["name"] == name
    await world.cluster.delete(reference, OPERATOR)


async def test_a_namespace_that_exists_is_left_as_it_is(world):
    reference = ObjectReference("v1", "Namespace", "", world.namespace)
    before = await world.cluster.read(reference, OPERATOR)
    await world.cluster.ensure_namespace(world.namespace, OPERATOR)
    assert await world.cluster.read(reference, OPERATOR) == before


async def test_a_lookup_finds_an_object(world):
    await world.apply(a_config_map(a="1"))
    look = world.cluster.lookup
    found = await look("v1", "ConfigMap", world.namespace, "settings", OPERATOR)
    assert found["data"] == {"a": "1"}
    assert await look("v1", "ConfigMap", world.namespace, "missing", OPERATOR) == {}


async def test_a_lookup_without_a_name_lists(world):
    await world.apply(a_config_map(a="1"))
    look = world.cluster.lookup
    found = await look("v1", "ConfigMap", world.namespace, "", OPERATOR)
    assert found["kind"] == "ConfigMapList"
    mine = [item for item in found["items"] if item["metadata"]["name"] == "settings"]
    assert [item["kind"] for item in mine] == ["ConfigMap"]
    everywhere = await look("v1", "ConfigMap", "", "", OPERATOR)
    assert len(everywhere["items"]) >= len(found["items"])


async def test_a_lookup_of_an_unknown_group_fails_with_helms_words(world):
    with pytest.raises(ClusterRefused) as refused:
        await world.cluster.lookup("no.dev/v1", "Nothing", "", "x", OPERATOR)
    assert refused.value.text == (
        "unable to get apiresource from unstructured: no.dev/v1, Kind=Nothing: "
        "the server could not find the requested resource"
    )


async def test_a_lookup_of_an_unknown_kind_of_a_known_group_finds_nothing(world):
    assert await world.cluster.lookup("v1", "Nothing", "", "x", OPERATOR) == {}


async def test_capabilities_name_versions_and_kinds(world):
    found = await world.cluster.capabilities(OPERATOR)
    assert found.kube_version.startswith("v1.")
    assert {"v1", "apps/v1", "apps/v1/Deployment", "v1/ConfigMap"} <= set(found.api_versions)


async def test_a_kind_is_known_soon_after_its_definition_was_applied(world):
    with pytest.raises(ClusterRefused):
        await world.apply(_a_widget())
    assert await world.definition_is_going()
    await world.apply(WIDGETS)
    world.cluster.forget_kinds()
    applied = None
    for _ in range(50):
        try:
            applied = await world.apply(_a_widget())
            break
        except ClusterRefused:
            await asyncio.sleep(0.2)
    assert applied is not None
    assert applied["kind"] == "Widget"
    assert not await world.definition_is_going()
    definition = await world.cluster.refer(WIDGETS, "", OPERATOR)
    await world.cluster.delete(definition, OPERATOR)


async def test_a_service_account_without_rights_is_refused(world):
    nobody = Identity("nobody", world.namespace)
    with pytest.raises(ClusterRefused) as refused:
        await world.cluster.read(world.reference(), nobody)
    assert (refused.value.code, refused.value.reason) == (403, "Forbidden")


def _a_widget():
    return {"apiVersion": "example.dev/v1", "kind": "Widget", "metadata": {"name": "w"}}


async def test_an_object_that_is_put_in_place_of_another_leaves_nothing_of_it(world):
    reference = world.reference()
    await world.apply(a_config_map(a="1"))
    world.patch(reference, {"data": {"b": "theirs"}})
    await world.cluster.replace(reference, a_config_map(a="2"), OPERATOR)
    await world.apply(a_config_map(a="2"))
    live = await world.cluster.read(reference, OPERATOR)
    assert live["data"] == {"a": "2"}
    await world.apply(a_config_map(c="3"))
    assert (await world.cluster.read(reference, OPERATOR))["data"] == {"c": "3"}


async def test_nothing_is_put_where_nothing_is(world):
    reference = world.reference()
    await world.cluster.replace(reference, a_config_map(a="1"), OPERATOR)
    assert await world.cluster.read(reference, OPERATOR) is None


def owners_of(body):
    """Give the fields of data by who owns them."""
    return {
        (entry["manager"], entry["operation"]): set(entry["fieldsV1"].get("f:data") or ()) - {"."}
        for entry in body["metadata"]["managedFields"]
    }


async def test_who_owns_a_field_is_told_to_who_asks(world):
    applied = await world.apply(a_config_map(a="1", b="2"), owners=True)
    assert owners_of(applied) == {("helm", "Apply"): {"f:a", "f:b"}}
    live = await world.cluster.read(world.reference(), OPERATOR, owners=True)
    assert owners_of(live) == owners_of(applied)


async def test_who_changes_a_field_owns_it(world):
    await world.apply(a_config_map(a="1", b="2"))
    world.patch(world.reference(), {"data": {"b": "3", "c": "4"}})
    live = await world.cluster.read(world.reference(), OPERATOR, owners=True)
    owners = owners_of(live)
    assert owners.pop(("helm", "Apply")) == {"f:a"}
    assert list(owners.values()) == [{"f:b", "f:c"}]


async def test_a_dry_run_shows_whose_the_fields_would_be(world):
    await world.apply(a_config_map(a="1", b="2"))
    world.patch(world.reference(), {"data": {"b": "3"}})
    shown = await world.apply(a_config_map(a="1", b="2"), dry_run=True, owners=True)
    assert owners_of(shown)["helm", "Apply"] == {"f:a", "f:b"}
    live = await world.cluster.read(world.reference(), OPERATOR, owners=True)
    assert owners_of(live)["helm", "Apply"] == {"f:a"}

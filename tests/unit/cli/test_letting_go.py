"""What is done to HelmReleases before their definition goes."""

import json
import stat

import click
import pytest
import yaml

from tests.builders.paper_cluster import PaperCluster
from whipstaff.cli import letting_go
from whipstaff.cli.letting_go import Saved, as_people_wrote_it
from whipstaff.golang.yaml import load_all

ROOT = "/apis/whipstaff.dev/v1/namespaces/shop"
BLOG = f"{ROOT}/helmreleases/blog"
OURS = "whipstaff.dev/uninstall"
OWNER = {"apiVersion": "whipstaff.dev/v1", "kind": "HelmRelease", "name": "blog", "uid": "1"}


def a_release(**metadata):
    return {
        "apiVersion": "whipstaff.dev/v1",
        "kind": "HelmRelease",
        "metadata": {"name": "blog", "namespace": "shop", **metadata},
        "spec": {"chart": {"name": "blog"}, "values": {"n": 1.5, "text": "yes", "nothing": None}},
        "status": {"revision": 3},
    }


def test_only_what_people_wrote_is_kept():
    body = a_release(
        uid="1",
        resourceVersion="5",
        generation=2,
        managedFields=[{}],
        ownerReferences=[{}],
        finalizers=[letting_go.FINALIZER, "example.com/theirs"],
        labels={"a": "b"},
        annotations={"c": "d", "whipstaff.dev/requestedAt": "1", "whipstaff.dev/forceAt": "1"},
    )
    kept = as_people_wrote_it(body)
    assert kept["metadata"] == {
        "name": "blog",
        "namespace": "shop",
        "labels": {"a": "b"},
        "annotations": {"c": "d"},
        "finalizers": ["example.com/theirs"],
    }
    assert "status" not in kept
    assert kept["spec"] == body["spec"]
    assert as_people_wrote_it(a_release())["metadata"] == {"name": "blog", "namespace": "shop"}


def test_the_file_is_for_its_owner_and_can_be_read_back(tmp_path):
    saved = Saved(tmp_path / "x.yaml")
    saved.write([a_release(), a_release()])
    saved.write([a_release()])
    assert list(yaml.safe_load_all((tmp_path / "x.yaml").read_text())) == [
        as_people_wrote_it(a_release())
    ]
    assert stat.S_IMODE((tmp_path / "x.yaml").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["x.yaml"]
    saved.discard()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "text",
    ["a\u2028b", "\x07", "2026-01-01", "0o17", "1e3", "~", " x", "x\n", "\t", "a: b", "🦊", "\x85"],
    ids=repr,
)
def test_no_text_comes_back_as_another(tmp_path, text):
    body = a_release()
    body["spec"]["values"] = {"text": text, text: 1}
    Saved(tmp_path / "x.yaml").write([body])
    written = (tmp_path / "x.yaml").read_bytes()
    # kubectl takes for JSON what begins so.
    read = json.loads(written)["items"] if written.startswith(b"{") else load_all(written.decode())
    assert [body["spec"]["values"] for body in read] == [body["spec"]["values"]]


def test_a_link_that_waits_for_the_file_leads_nowhere(tmp_path):
    (tmp_path / "another").write_text("mine")
    (tmp_path / "x.yaml.part").symlink_to(tmp_path / "another")
    Saved(tmp_path / "x.yaml").write([a_release()])
    assert (tmp_path / "another").read_text() == "mine"
    assert not (tmp_path / "x.yaml").is_symlink()


def test_a_file_that_is_there_is_not_written_over(tmp_path):
    (tmp_path / "x.yaml").write_text("precious")
    with pytest.raises(click.ClickException, match="file exists; nothing was changed"):
        Saved(tmp_path / "x.yaml")
    with pytest.raises(click.ClickException, match="no such file or directory"):
        Saved(tmp_path / "nowhere" / "x.yaml")
    assert (tmp_path / "x.yaml").read_text() == "precious"


def test_finalizers_of_others_stay_and_conflicts_are_outlived():
    cluster = PaperCluster((BLOG, a_release(finalizers=[letting_go.FINALIZER, "example.com/x"])))
    cluster.conflicts = 3
    found = letting_go.objects(cluster)
    assert (len(found.kept), found.going) == (1, [])
    letting_go.let_go(cluster, found.kept)
    assert cluster.objects[BLOG]["metadata"]["finalizers"] == ["example.com/x"]
    writes = len(cluster.writes)
    letting_go.let_go(cluster, letting_go.objects(cluster).kept)
    assert len(cluster.writes) == writes


def test_what_is_being_deleted_is_told_from_what_stays():
    cluster = PaperCluster((BLOG, a_release(deletionTimestamp="2026-01-01T00:00:00Z")))
    found = letting_go.objects(cluster)
    assert (found.kept, len(found.going)) == ([], 1)


def test_secrets_of_helmreleases_lose_that_owner_alone():
    theirs = {"apiVersion": "v1", "kind": "ConfigMap", "name": "a", "uid": "2"}
    place = "/api/v1/namespaces/shop/secrets"
    bodies = {
        "login": {"ownerReferences": [OWNER, theirs]},
        "theirs": {"ownerReferences": [theirs]},
        "free": {},
    }
    cluster = PaperCluster(
        *(
            (f"{place}/{name}", {"metadata": {"name": name, "namespace": "shop", **metadata}})
            for name, metadata in bodies.items()
        )
    )
    assert letting_go.keep_secrets(cluster) == 1
    assert cluster.objects[f"{place}/login"]["metadata"]["ownerReferences"] == [theirs]
    assert [path for _, path in cluster.writes] == [f"{place}/login"]


def test_a_definition_that_stays_says_what_holds_it():
    class Held(PaperCluster):
        def send(self, call):
            assert call.method == "DELETE"
            return {}

    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/helmreleases.whipstaff.dev"
    cluster = Held((BLOG, a_release(finalizers=["example.com/x"])), (path, {"metadata": {}}))
    with pytest.raises(
        click.ClickException, match=r"HelmRelease shop/blog \(finalizers: example.com/x\)"
    ):
        letting_go.remove_definitions(cluster, timeout_seconds=0.0)

"""`whipstaff reset` against a cluster on paper; tests/cluster/test_reset.py has a real one."""

import copy
from contextlib import contextmanager

import click
import pytest
import yaml
from click.testing import CliRunner

from tests.builders.paper_cluster import PaperCluster
from whipstaff.cli import reset as module
from whipstaff.cli.carried import Choice, carried, path_of
from whipstaff.cli.cluster_flags import Cluster
from whipstaff.cli.main import main
from whipstaff.errors import ClusterRefused, OperatorError
from whipstaff.helmrelease.names import FINALIZER

SYSTEM = "whipstaff-system"
OPERATOR = f"/apis/apps/v1/namespaces/{SYSTEM}/deployments/whipstaff"
PODS = f"/api/v1/namespaces/{SYSTEM}/pods"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
BLOG = "/apis/whipstaff.dev/v1/namespaces/shop/helmreleases/blog"
LABELS = {"app.kubernetes.io/name": "whipstaff", "app.kubernetes.io/instance": "whipstaff"}


def placed(body):
    metadata = body["metadata"]
    return path_of(body["kind"], metadata.get("namespace", ""), metadata["name"]), body


@pytest.fixture
def cluster(monkeypatch):
    """One in which `init` installed the operator, with values, and which has a HelmRelease."""
    values = {"admission": {"enabled": True}, "podLabels": {"a": "it's"}}
    found = carried(Choice(values=values)).marked(values)
    cluster = PaperCluster(*map(placed, found.all()))
    release = {
        "metadata": {"name": "blog", "namespace": "shop", "finalizers": [FINALIZER]},
        "spec": {"chart": {"name": "blog"}},
    }
    cluster.put(BLOG, release)

    @contextmanager
    def reached(flags):
        del flags
        try:
            yield Cluster(cluster, "")
        except OperatorError as error:
            raise click.ClickException(error.text) from error

    monkeypatch.setattr(module, "reached_directly", reached)
    return cluster


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def reset(*arguments, code=0):
    told = CliRunner().invoke(main, ["reset", *arguments])
    assert told.exit_code == code, (told.output, told.exception)
    return told


def refused(cluster, *arguments):
    """Give what a reset says that writes nothing, to the cluster or to a file."""
    told = reset(*arguments, code=1)
    assert cluster.writes == []
    return told.stderr


def test_the_operator_goes_and_all_else_stays(cluster):
    told = reset()
    kinds = {path.split("/")[-2] for path in cluster.objects}
    assert kinds == {"namespaces", "customresourcedefinitions", "helmreleases", "secrets"}
    assert cluster.objects[BLOG]["metadata"]["finalizers"] == [FINALIZER]
    assert (
        "the same again: whipstaff init -n whipstaff-system --set-json "
        """'{"admission": {"enabled": true}, "podLabels": {"a": "it'"'"'s"}}'"""
    ) in told.stdout


def test_nobody_asks_an_operator_that_is_gone_and_it_goes_last(cluster):
    reset()
    deleted = [path for method, path in cluster.writes if method == "DELETE"]
    assert deleted[0].endswith("validatingwebhookconfigurations/whipstaff")
    assert deleted[-1] == OPERATOR
    methods = [method for method, _ in cluster.writes]
    assert methods[:3] == ["DELETE", "PATCH", "DELETE"]


def test_without_an_operator_there_is_nothing_to_remove(cluster):
    reset()
    cluster.writes.clear()
    assert "no operator is installed" in refused(cluster)


@pytest.mark.parametrize("flags", [[], ["--crds"]], ids=["operator", "definitions"])
@pytest.mark.parametrize(
    ("marks", "told"),
    [
        pytest.param(
            {"app.kubernetes.io/managed-by": "Helm"}, "helm uninstall whipstaff", id="helm"
        ),
        pytest.param({"argocd.argoproj.io/instance": "x"}, "in Git, where Argo CD", id="Argo CD"),
    ],
)
def test_what_others_look_after_is_left_to_them(cluster, tmp_path, marks, told, flags):
    cluster.objects[OPERATOR]["metadata"]["labels"] = {**LABELS, **marks}
    assert told in refused(cluster, *flags)
    assert list(tmp_path.iterdir()) == []


def test_what_has_no_mark_of_an_installation_is_left_alone(cluster):
    cluster.objects[OPERATOR]["metadata"]["labels"] = {"app.kubernetes.io/name": "whipstaff"}
    assert "no label app.kubernetes.io/instance" in refused(cluster)


def test_which_of_several_has_to_be_said(cluster):
    other = {"metadata": {"name": "whipstaff", "namespace": "ops", "labels": LABELS}, "spec": {}}
    other["spec"] = {"selector": {"matchLabels": LABELS}}
    cluster.put("/apis/apps/v1/namespaces/ops/deployments/whipstaff", other)
    assert "say which with --namespace" in refused(cluster)
    assert "in the namespace ops" in refused(cluster, "--crds", "-n", SYSTEM)
    reset("-n", "ops")
    assert OPERATOR in cluster.objects


@pytest.mark.parametrize("flags", [[], ["--crds"]], ids=["operator", "definitions"])
def test_missing_rights_are_named_before_anything_is_done(cluster, tmp_path, flags):
    cluster.lacking = {"delete serviceaccounts", "delete customresourcedefinitions"}
    told = refused(cluster, *flags)
    assert "- you may not delete serviceaccounts whipstaff in the namespace" in told
    assert list(tmp_path.iterdir()) == []


def test_an_operator_that_does_not_end_keeps_its_rights(cluster, tmp_path):
    labels = cluster.objects[OPERATOR]["spec"]["selector"]["matchLabels"]
    cluster.put(f"{PODS}/one", {"metadata": {"name": "one", "labels": labels}})
    told = reset("--timeout", "0s", "--crds", code=1)
    assert f"the operator does not end: Pod {SYSTEM}/one" in told.stderr
    assert f"/api/v1/namespaces/{SYSTEM}/serviceaccounts/whipstaff" in cluster.objects
    assert cluster.objects[OPERATOR]["spec"]["replicas"] == 0
    assert list(tmp_path.iterdir()) == []
    del cluster.objects[f"{PODS}/one"]
    reset()
    assert OPERATOR not in cluster.objects


@pytest.mark.parametrize("flags", [[], ["--crds"]], ids=["operator", "definitions"])
def test_a_reset_that_was_killed_is_finished_by_the_next(cluster, tmp_path, flags):
    before = copy.deepcopy(cluster.objects)
    reset(*flags)
    after, writes = set(cluster.objects), len(cluster.writes)
    for survived in range(1, writes):
        cluster.objects = copy.deepcopy(before)
        for path in tmp_path.iterdir():
            path.unlink()
        cluster.dies_after(survived)
        reset(*flags, code=137)
        cluster.dies_after(None)
        # Whoever is deleted with a definition must have been let go of.
        if not all(path in cluster.objects for path in before if path.startswith(DEFINITIONS)):
            assert cluster.objects[BLOG]["metadata"]["finalizers"] == []
            assert len(list(tmp_path.iterdir())) == 1
        reset(*flags, *(("--file", "second.yaml") if flags else ()))
        assert set(cluster.objects) == after


def test_definitions_go_after_everything_was_let_go_of(cluster, tmp_path):
    told = reset("--crds", "--file", "kept.yaml")
    assert [path for path in cluster.objects if path.startswith(DEFINITIONS)] == []
    (kept,) = yaml.safe_load_all((tmp_path / "kept.yaml").read_text())
    assert kept["metadata"] == {"name": "blog", "namespace": "shop"}
    assert "kubectl apply --server-side -f kept.yaml" in told.stdout
    paths = [path for _, path in cluster.writes]
    assert paths.index(OPERATOR) < paths.index(BLOG)
    assert max(i for i, path in enumerate(paths) if path == BLOG) < min(
        i for i, path in enumerate(paths) if path.startswith(DEFINITIONS)
    )
    assert "finalizers" not in cluster.objects[BLOG]["metadata"] or (
        cluster.objects[BLOG]["metadata"]["finalizers"] == []
    )


def test_definitions_go_without_an_operator_too_and_no_file_is_left_of_nothing(cluster, tmp_path):
    reset()
    del cluster.objects[BLOG]
    told = reset("--crds")
    assert "there was no HelmRelease" in told.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_written_stops_everything(cluster, tmp_path):
    (tmp_path / "kept.yaml").write_text("precious")
    assert "file exists; nothing was changed" in refused(cluster, "--crds", "--file", "kept.yaml")
    assert (tmp_path / "kept.yaml").read_text() == "precious"
    assert "no such file or directory" in refused(cluster, "--crds", "--file", "nowhere/kept.yaml")
    assert "file exists" in refused(cluster, "--crds", "--file", ".")


def test_an_operator_that_runs_elsewhere_stops_it_in_time(cluster, tmp_path, monkeypatch):
    monkeypatch.setattr(
        module.LeaseWatch, "still_working", lambda self: "one, which holds the Lease ops/whipstaff"
    )
    told = reset("--crds", code=1)
    assert "one, which holds the Lease ops/whipstaff" in told.stderr
    assert cluster.objects[BLOG]["metadata"]["finalizers"] == [FINALIZER]
    assert len([path for path in cluster.objects if path.startswith(DEFINITIONS)]) == 2
    assert list(tmp_path.iterdir()) == []


def test_an_operator_that_is_installed_meanwhile_stops_it_in_time(cluster):
    body = cluster.objects[OPERATOR]

    def installs(call):
        if call.path == BLOG:
            cluster.objects[OPERATOR] = body

    cluster.before_write = installs
    assert "an operator is installed again" in reset("--crds", code=1).stderr
    assert len([path for path in cluster.objects if path.startswith(DEFINITIONS)]) == 2


def test_a_helmrelease_that_is_made_meanwhile_is_let_go_of_and_written_too(cluster, tmp_path):
    late = {"metadata": {"name": "late", "namespace": "shop", "finalizers": [FINALIZER]}}

    def creates(call):
        if call.path == BLOG:
            cluster.before_write = lambda call: None
            cluster.put(BLOG.replace("blog", "late"), late)

    cluster.before_write = creates
    reset("--crds", "--file", "kept.yaml")
    kept = yaml.safe_load_all((tmp_path / "kept.yaml").read_text())
    assert [body["metadata"]["name"] for body in kept] == ["blog", "late"]
    assert cluster.objects[BLOG.replace("blog", "late")]["metadata"]["finalizers"] == []


def test_where_helmreleases_are_is_told_whatever_stops_the_last_step(cluster, tmp_path):
    def refuses(call):
        if call.path.startswith(DEFINITIONS):
            raise ClusterRefused("no longer allowed", code=403)

    cluster.before_write = refuses
    told = reset("--crds", "--file", "kept.yaml", code=1).stderr
    assert "no longer allowed" in told
    assert "kept.yaml holds 1 HelmReleases and HelmRepositories that may be nowhere else" in told
    assert "name another file" in reset("--crds", "--file", "kept.yaml", code=1).stderr
    cluster.before_write = lambda call: None
    del cluster.objects[BLOG]
    reset("--crds", "--file", "second.yaml")
    assert [path.name for path in tmp_path.iterdir()] == ["kept.yaml"]


@pytest.mark.parametrize("flags", [[], ["--crds"]], ids=["operator", "definitions"])
def test_rights_that_are_taken_away_meanwhile_stop_it_and_it_goes_on_with_them(
    cluster, tmp_path, flags
):
    before = copy.deepcopy(cluster.objects)
    reset(*flags)
    after, writes = set(cluster.objects), len(cluster.writes)
    for allowed in range(writes):
        cluster.objects = copy.deepcopy(before)
        for path in tmp_path.iterdir():
            path.unlink()
        left = iter(range(allowed))

        def refuses(call, left=left):
            if next(left, None) is None:
                raise ClusterRefused(f"{call.subject} is forbidden", code=403)

        cluster.before_write = refuses
        assert "is forbidden" in reset(*flags, code=1).stderr
        cluster.before_write = lambda call: None
        gone = [path for path in before if path.startswith(DEFINITIONS)]
        if not all(path in cluster.objects for path in gone):
            assert cluster.objects[BLOG]["metadata"]["finalizers"] == []
        reset(*flags, *(("--file", "second.yaml") if flags else ()))
        assert set(cluster.objects) == after


def test_what_was_being_deleted_is_named_and_not_kept(cluster, tmp_path):
    cluster.objects[BLOG]["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    told = reset("--crds")
    assert "HelmRelease shop/blog was being deleted" in told.stderr
    assert list(tmp_path.iterdir()) == []

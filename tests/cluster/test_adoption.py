"""What others made is taken over: releases of the helm command and of Flux, and plain objects."""

import base64
import json

import pytest

from tests.builders.live_releases import condition, secret_name
from tests.builders.small_charts import a_packed_chart
from tools.controlplane.cluster import ROOT

pytestmark = pytest.mark.cluster

FLUX_KIND = str(ROOT / "tests" / "docs" / "peers" / "flux.yaml")
FLUX = "/apis/helm.toolkit.fluxcd.io/v2/namespaces/{}/helmreleases"
SETTINGS = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}
  {{- with .Values.flux }}
  labels:
    helm.toolkit.fluxcd.io/name: {{ . }}
    helm.toolkit.fluxcd.io/namespace: {{ $.Release.Namespace }}
  {{- end }}
data:
  text: {{ .Values.text | quote }}
"""
DROPPED = '  dropped: "by the next version"\n'
OTHER = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: '{{ .Release.Name }}-other'}\n"
HOOK = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}-hook
  annotations: {helm.sh/hook: "post-install,post-upgrade"}
"""
TAKING = {"install": {"disableTakeOwnership": False}}


@pytest.fixture(autouse=True)
def _published(repository):
    values = "text: plain\nflux: ''\n"
    for version, parts in (
        ("1.0.0", {"settings": SETTINGS + DROPPED, "other": OTHER, "hook": HOOK}),
        ("1.1.0", {"settings": SETTINGS, "hook": HOOK}),
    ):
        repository.add(a_packed_chart("blog", version, values, **parts))


@pytest.fixture(scope="module")
def flux_kind(control_plane):
    """Flux's HelmReleases, as far as they can be stored."""
    control_plane.kubectl("apply", "-f", FLUX_KIND)
    control_plane.await_definitions("-f", FLUX_KIND)
    yield
    control_plane.kubectl("delete", "-f", FLUX_KIND)


def install(releases, *more):
    chart = ("blog", "--version", "1.0.0", "--repo", releases.repository_url)
    releases.helm("install", "blog", *chart, *more)


def installed_by_flux(releases):
    """Leave what Flux leaves: marked objects whose fields are its manager's."""
    install(releases, "--set", "flux=blog")
    manifest = releases.helm("get", "manifest", "blog")
    place = ("-n", releases.namespace)
    control_plane = releases.control_plane
    control_plane.kubectl(
        *("apply", "--server-side", "--force-conflicts", "--field-manager=helm-controller"),
        *(*place, "-f", "-"),
        stdin=manifest,
    )
    flux = {
        "apiVersion": "helm.toolkit.fluxcd.io/v2",
        "kind": "HelmRelease",
        "metadata": {"name": "blog"},
        "spec": {"interval": "5m"},
    }
    if releases.find(FLUX.format(releases.namespace)) is not None:
        releases.api.request("POST", FLUX.format(releases.namespace), flux)


def stored(releases, number):
    return releases.find(releases.core("secrets", secret_name("blog", number)))


def live(releases, name="blog"):
    return releases.find(releases.core("configmaps", name))


@pytest.mark.parametrize("server_side", ["true", "false"])
def test_a_release_of_the_helm_command_that_is_what_is_wanted_is_only_marked(releases, server_side):
    install(releases, f"--server-side={server_side}")
    record, before, hook = stored(releases, 1), live(releases), live(releases, "blog-hook")
    releases.create("blog", chart="blog", version="1.0.0")
    release = releases.settled("blog", revision=1)
    assert condition(release, "Ready")["reason"] == "InstallSucceeded"
    assert release["status"]["history"][0]["trigger"] == "outside"
    assert ("Normal", "TakenOver") in releases.events("blog")
    assert releases.stored("blog") == {1: "deployed"}
    marked = stored(releases, 1)
    assert marked["data"] == record["data"]
    assert marked["metadata"]["labels"].items() >= record["metadata"]["labels"].items()
    assert live(releases) == before
    assert live(releases, "blog-hook") == hook
    releases.agree("blog")

    # From then on it is ours: what a new chart drops is gone.
    releases.choose("blog", "1.1.0")
    releases.settled("blog", revision=2)
    assert releases.data("blog") == {"text": "plain"}
    assert live(releases)["metadata"]["uid"] == before["metadata"]["uid"]
    assert releases.data("blog-other") is None
    releases.delete("blog")
    releases.gone("blog")
    assert releases.data("blog") is None
    assert releases.stored("blog") == {}


def test_what_an_approval_is_asked_for_says_what_is_taken_over(releases):
    install(releases)
    releases.create("blog", chart="blog", version="1.0.0", approval="Manual")
    asked = releases.refused("blog", "ApprovalRequired")["message"]
    assert "adoption as it is of blog 1.0.0 waits for approval (1 to take over)" in asked
    plan = releases.get("blog")["status"]["plan"]
    assert (plan["action"], plan["revision"], plan["takeOver"]) == ("adopt", 1, 1)
    text = base64.b64decode(
        releases.find(releases.core("secrets", plan["secretName"]))["data"]["plan"]
    ).decode()
    of_release = f"> take over release {releases.namespace}/blog (revision 1, made outside"
    assert "  adopt revision 1 as it is: blog 1.0.0\n" in text
    assert of_release in text
    assert "whipstaff.dev/revision" not in stored(releases, 1)["metadata"]["labels"]
    releases.edit("blog", approvedPlan=plan["digest"])
    releases.settled("blog", revision=1)
    assert stored(releases, 1)["metadata"]["labels"]["whipstaff.dev/revision"] == "1"


def test_a_release_that_is_not_what_is_wanted_is_planned_as_an_upgrade(releases):
    install(releases)
    releases.create("blog", chart="blog", version="1.1.0", approval="Manual")
    releases.refused("blog", "ApprovalRequired")
    plan = releases.get("blog")["status"]["plan"]
    assert (plan["action"], plan["revision"], plan["takeOver"]) == ("upgrade", 2, 1)
    assert (plan["change"], plan["delete"]) == (1, 1)
    releases.edit("blog", approvedPlan=plan["digest"])
    releases.settled("blog", revision=2)
    assert releases.data("blog") == {"text": "plain"}


def test_objects_of_others_are_all_named_and_taken_over_where_that_is_asked_for(releases):
    place = ("-n", releases.namespace)
    for name, data in (("blog", {"text": "theirs", "old": "1"}), ("blog-other", {})):
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}
        releases.control_plane.kubectl("apply", *place, "-f", "-", stdin=json.dumps(body))
    notes = ("meta.helm.sh/release-name=shop", f"meta.helm.sh/release-namespace={place[1]}")
    releases.control_plane.kubectl("annotate", *place, "configmap/blog-other", *notes)
    mark = "app.kubernetes.io/managed-by=Helm"
    releases.control_plane.kubectl("label", *place, "configmap/blog-other", mark)

    releases.create("blog", chart="blog", version="1.0.0")
    refused = releases.refused("blog", "ReleaseConflict")["message"]
    inside = releases.namespace
    assert f"ConfigMap {inside}/blog (of no release)" in refused
    assert f"ConfigMap {inside}/blog-other (of release {inside}/shop)" in refused
    assert "set spec.install.disableTakeOwnership to false" in refused
    assert releases.data("blog")["text"] == "theirs"
    assert releases.stored("blog") == {}

    releases.edit("blog", approval="Manual", **TAKING)
    releases.refused("blog", "ApprovalRequired")
    plan = releases.get("blog")["status"]["plan"]
    assert (plan["takeOver"], plan["change"], plan.get("create")) == (2, 2, None)
    secret = releases.find(releases.core("secrets", plan["secretName"]))
    text = base64.b64decode(secret["data"]["plan"]).decode()
    assert f"> take over ConfigMap {inside}/blog (of no release)\n" in text
    assert 'data.text: "theirs" -> "plain"' in text
    releases.edit("blog", approvedPlan=plan["digest"])
    releases.settled("blog", revision=1)
    assert releases.data("blog") == {"text": "plain", "dropped": "by the next version"}
    assert ("Normal", "TakenOver") in releases.events("blog")
    releases.delete("blog")
    releases.gone("blog")
    assert releases.data("blog") is None
    assert releases.data("blog-other") is None


def test_a_release_of_flux_is_taken_over_where_flux_is_not_installed_any_more(releases):
    installed_by_flux(releases)
    releases.create("blog", chart="blog", version="1.1.0")
    releases.settled("blog", revision=2)
    assert releases.data("blog") == {"text": "plain"}


@pytest.mark.parametrize("way", ["suspended", "deleted"])
def test_a_release_of_flux_is_taken_over_once_flux_lets_go_of_it(releases, flux_kind, way):
    installed_by_flux(releases)
    uid = live(releases)["metadata"]["uid"]
    releases.create("blog", chart="blog", version="1.1.0")
    refused = releases.refused("blog", "HeldByFlux")["message"]
    assert f"HelmRelease {releases.namespace}/blog of Flux is at work" in refused
    assert "spec.suspend" in refused
    assert "dropped" in releases.data("blog")
    assert "finalizers" not in releases.get("blog")["metadata"]
    path = f"{FLUX.format(releases.namespace)}/blog"
    if way == "suspended":
        releases.api.request("PATCH", path, {"spec": {"suspend": True}})
    else:
        releases.api.request("DELETE", path)
    releases.settled("blog", revision=2)  # it is tried again by itself
    assert releases.data("blog") == {"text": "plain"}
    assert live(releases)["metadata"]["uid"] == uid
    assert "labels" in live(releases)["metadata"]
    assert not [key for key in live(releases)["metadata"]["labels"] if "fluxcd" in key]


def test_an_object_that_flux_tends_is_not_taken_over(releases, flux_kind):
    installed_by_flux(releases)
    releases.helm("uninstall", "blog", "--keep-history")
    releases.control_plane.kubectl(
        *("apply", "-n", releases.namespace, "-f", "-"),
        stdin=releases.helm("get", "manifest", "blog"),
    )
    releases.create("other", chart="blog", version="1.0.0", releaseName="blog", **TAKING)
    assert "blog of Flux" in releases.refused("other", "HeldByFlux")["message"]

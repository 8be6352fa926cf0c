"""What the API server makes of the HelmRelease definition: accepted, explained, and enforced."""

import json
import time
from pathlib import Path

import pytest
import yaml

from tests.builders.helmreleases import a_body, a_chart_field
from tests.builders.live_releases import eventually
from tools.controlplane.client import Refused

pytestmark = pytest.mark.cluster

CRD = Path(__file__).parents[2] / "crds" / "helmreleases.yaml"
NAMESPACE = "crd-rules"
RELEASES = f"/apis/whipstaff.dev/v1/namespaces/{NAMESPACE}/helmreleases"
DURATION = "must be a duration from 1s to 24h, such as 90s, 5m or 1h30m"
SOURCE = {"kind": "GitRepository", "name": "app"}
RELEASE_NAME = "must be a release name"


@pytest.fixture(scope="module")
def api(control_plane):
    """A cluster that serves our definition, and a namespace to write into."""
    control_plane.run("kubectl", "apply", "--server-side", "-f", str(CRD))
    control_plane.await_definitions("crd/helmreleases.whipstaff.dev")
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    control_plane.run("kubectl", "apply", "-f", "-", stdin=json.dumps(namespace))
    _await_served(control_plane)
    yield control_plane.api
    control_plane.api.request("DELETE", f"/api/v1/namespaces/{NAMESPACE}")


def _await_served(control_plane):
    """Wait for discovery: it comes after Established, and kubectl keeps what it saw last."""
    asked = ("api-resources", "--api-group=whipstaff.dev", "--cached=false", "--output=name")
    for _ in range(100):
        if "helmreleases" in control_plane.run("kubectl", *asked, check=False).stdout:
            return
        time.sleep(0.1)
    raise AssertionError("the definition is not served")


def a_wish(name="shop", **spec):
    """A HelmRelease as someone writes it; suspended, so that an operator only writes its status."""
    metadata = {"uid": None, "generation": None, "creationTimestamp": None}
    return a_body(name, NAMESPACE, metadata=metadata, **{"suspend": True} | spec)


def try_out(api, body):
    return api.request("POST", f"{RELEASES}?dryRun=All&fieldValidation=Strict", body)


def refusal_of(api, body):
    """Send it for a dry run and return why it was refused."""
    with pytest.raises(Refused) as caught:
        try_out(api, body)
    assert caught.value.code in {400, 422}
    return str(caught.value)


@pytest.fixture
def stored(api, request):
    """A stored HelmRelease of its own, whose spec is the test's parameter."""
    made = api.request(
        "POST", RELEASES, a_wish(f"moving-{abs(hash(request.node.name))}", **request.param)
    )
    yield made
    api.request("DELETE", f"{RELEASES}/{made['metadata']['name']}")


def change(api, stored, spec):
    return api.request("PATCH", f"{RELEASES}/{stored['metadata']['name']}", {"spec": spec})


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({}, id="a chart alone"),
        pytest.param({"chart": a_chart_field(repository="http://127.0.0.1:8879/a?b=c")}, id="http"),
        pytest.param({"chart": a_chart_field(repository="https://[::1]:443/@scope/x")}, id="IPv6"),
        pytest.param({"chart": {"sourceRef": SOURCE, "path": "./a..b/c"}}, id="a source of Flux"),
        pytest.param(
            {
                "chart": {
                    "sourceRef": {**SOURCE, "namespace": "flux"},
                    "name": "blog",
                    "version": "^1",
                    "valuesFiles": ["./env/prod.yaml", "é/ü.yaml"],
                    "ignoreMissingValuesFiles": True,
                }
            },
            id="a source and all that goes with it",
        ),
        pytest.param(
            {"chart": {"archiveFrom": {"kind": "Secret", "name": "charts", "key": "a.tgz"}}},
            id="a chart in the cluster",
        ),
        pytest.param({"interval": "1s", "timeout": "24h"}, id="the bounds of durations"),
        pytest.param({"timeout": "1h30m0.5s"}, id="a duration of several parts"),
        pytest.param({"interval": "5m0s"}, id="a duration as Go prints it"),
        pytest.param({"revision": 2147483647, "maxHistory": 0}, id="the bounds of numbers"),
        pytest.param({"releaseName": "a.b-c"}, id="a release name with a dot"),
        pytest.param({"values": {"a": [1, {"b": None}], "ü": "\u202e😀"}}, id="any values"),
        pytest.param(
            {
                "install": {"crds": "CreateReplace", "disableWait": True},
                "upgrade": {"crds": "Skip", "timeout": "10m", "disableSchemaValidation": True},
                "uninstall": {"deletionPolicy": "Orphan", "keepHistory": True},
            },
            id="options",
        ),
    ],
)
def test_what_makes_sense_is_accepted(api, spec):
    made = try_out(api, a_wish(**spec))

    assert made["spec"] == a_wish(**spec)["spec"], "nothing is defaulted, nothing is lost"


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        pytest.param({"chart": None}, "spec.chart: Required value", id="no chart"),
        pytest.param(
            {"chart": {"name": "blog"}},
            "exactly one of repository, repositoryRef, sourceRef and archiveFrom",
            id="no source",
        ),
        pytest.param(
            {"chart": a_chart_field(repositoryRef={"name": "charts"})},
            "exactly one of repository, repositoryRef, sourceRef and archiveFrom",
            id="two sources",
        ),
        pytest.param(
            {"chart": {"repository": "https://a"}}, "name must say which chart", id="no name"
        ),
        pytest.param(
            {"chart": {"sourceRef": SOURCE, "archiveFrom": {"kind": "Secret", "name": "a"}}},
            "exactly one of repository, repositoryRef, sourceRef and archiveFrom",
            id="two other sources",
        ),
        pytest.param(
            {"chart": a_chart_field(path="a")}, "goes with sourceRef alone", id="a path elsewhere"
        ),
        pytest.param(
            {
                "chart": {
                    "sourceRef": SOURCE,
                    "verify": {"provider": "pgp", "secretRef": {"name": "a"}},
                }
            },
            "only repositories have signatures",
            id="a signature of a source",
        ),
        *(
            pytest.param(
                {"chart": {"sourceRef": SOURCE, "path": path}},
                "must be a path inside the source",
                id=f"the path {path!r}",
            )
            for path in ("/etc", "..", "a/../b", "a/..", "a\\b", "a\nb")
        ),
        pytest.param(
            {"chart": a_chart_field(valuesFiles=["../x"])},
            "must be a path inside the source",
            id="a values file above",
        ),
        pytest.param(
            {"chart": {"sourceRef": {**SOURCE, "kind": "HelmRepository"}}},
            "supported values",
            id="another kind of source",
        ),
        pytest.param(
            {"chart": {"sourceRef": {**SOURCE, "apiVersion": "v1"}}},
            "must be a version of Flux's sources",
            id="another API",
        ),
        pytest.param(
            {"chart": a_chart_field(name="stable/blog")},
            "must be the name of a chart alone",
            id="a repository in the chart's name",
        ),
        pytest.param(
            {"chart": a_chart_field(name="..")}, "must be the name of a chart", id="a path"
        ),
        pytest.param(
            {"chart": a_chart_field(repository="file:///etc")},
            "must be the http://, https:// or oci:// URL of a chart repository",
            id="a file",
        ),
        pytest.param(
            {"chart": a_chart_field(repository="https://me:secret@charts.example.com")},
            "must not hold a user name or a password",
            id="credentials",
        ),
        pytest.param(
            {"chart": a_chart_field(version="1\x1b[31m")},
            "must be a version or a range of versions",
            id="control characters",
        ),
        *(
            pytest.param({"interval": text}, DURATION, id=f"interval {text!r}")
            for text in ("-1s", "0", "0s", "1d", "5", "999ms", "24h1s", "99999999h", "1h 30m")
        ),
        pytest.param({"interval": ""}, "spec.interval", id="an empty interval"),
        pytest.param({"timeout": "25h"}, DURATION, id="timeout above a day"),
        pytest.param({"timeout": "soon"}, DURATION, id="timeout in words"),
        pytest.param({"install": {"timeout": "0s"}}, DURATION, id="an install without time"),
        pytest.param({"releaseName": "a" * 54}, "53", id="a release name of 54"),
        *(
            pytest.param({"releaseName": name}, RELEASE_NAME, id=f"release name {name!r}")
            for name in ("UPPER", "a_b", "-a", "a-", "a..b", "a b", "ä")
        ),
        pytest.param(
            {"targetNamespace": "a.b"}, "must be the name of a namespace", id="a dotted namespace"
        ),
        pytest.param({"storageNamespace": "a" * 64}, "63", id="a namespace of 64"),
        pytest.param(
            {"serviceAccountName": "system:x"}, "must be the name of a ServiceAccount", id="account"
        ),
        pytest.param({"revision": 0}, "greater than or equal to 1", id="revision 0"),
        pytest.param({"revision": -1}, "greater than or equal to 1", id="revision -1"),
        pytest.param({"revision": 2**31}, "spec.revision", id="revision 2^31"),
        pytest.param({"revision": 2**63}, "spec.revision", id="revision 2^63"),
        pytest.param({"revision": "3"}, "spec.revision", id="revision in quotes"),
        pytest.param({"maxHistory": -1}, "greater than or equal to 0", id="maxHistory -1"),
        pytest.param({"maxHistory": 10**9}, "less than or equal to 100", id="maxHistory 10^9"),
        pytest.param({"upgrade": {"crds": "Replace"}}, "supported values", id="an unknown policy"),
        pytest.param({"values": ["a"]}, "spec.values", id="values that are a list"),
        pytest.param({"tiller": {}}, "unknown field", id="a field that is not served"),
        pytest.param({"chart": a_chart_field(ref="x")}, "unknown field", id="an unknown field"),
        pytest.param(
            {"kubeConfig": {"configMapRef": {"name": "aws"}}},
            "tokens of cloud providers are not supported",
            id="a cloud's tokens",
        ),
        pytest.param({"kubeConfig": {}}, "secretRef must name the Secret", id="no kubeconfig"),
        pytest.param(
            {"postRenderStrategy": "sometimes"}, "Unsupported value", id="a strange strategy"
        ),
        pytest.param(
            {"postRenderers": [{"kustomize": {"patches": [{"target": {}}]}}]},
            "patch: Required value",
            id="a target without a patch",
        ),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_reason(api, spec, message):
    assert message in refusal_of(api, a_wish(**spec))


@pytest.mark.parametrize(
    ("stored", "changes", "message"),
    [
        pytest.param(
            {},
            {"kubeConfig": {"secretRef": {"name": "there"}}},
            "cannot move between clusters",
            id="another cluster",
        ),
    ],
    indirect=["stored"],
)
def test_the_cluster_of_a_release_cannot_be_changed(api, stored, changes, message):
    with pytest.raises(Refused, match="create another") as caught:
        change(api, stored, changes)

    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("stored", "changes"),
    [
        pytest.param(
            {"targetNamespace": "a", "storageNamespace": "a"},
            {"storageNamespace": None},
            id="storage follows the target",
        ),
        pytest.param({"releaseName": "one"}, {"releaseName": "two"}, id="another release name"),
        pytest.param({"targetNamespace": "a"}, {"targetNamespace": "b"}, id="another target"),
        pytest.param({"storageNamespace": "a"}, {"storageNamespace": None}, id="another storage"),
        pytest.param(
            {"chart": a_chart_field(version="1")},
            {"chart": {"name": "wiki", "version": "2"}, "revision": 3, "suspend": False},
            id="another chart",
        ),
    ],
    indirect=["stored"],
)
def test_what_stays_in_its_cluster_can_be_changed(api, stored, changes):
    changed = change(api, stored, changes)

    assert changed["metadata"]["generation"] == 2


@pytest.mark.parametrize("stored", [pytest.param({}, id="plain")], indirect=True)
def test_the_release_name_may_be_written_out(api, stored):
    """A rule that looked at the field alone would refuse this."""
    assert change(api, stored, {"releaseName": stored["metadata"]["name"]})


@pytest.mark.parametrize("stored", [pytest.param({}, id="plain")], indirect=True)
def test_status_is_written_apart_from_spec_and_keeps_its_fields(api, stored):
    condition = {
        "type": "Ready",
        "status": "True",
        "reason": "InstallSucceeded",
        "message": "revision 1 of blog 1.2.3 runs",
        "lastTransitionTime": "2026-01-02T03:04:05Z",
        "observedGeneration": 1,
    }
    revision = {
        "revision": 1,
        "status": "deployed",
        "action": "install",
        "chart": "blog",
        "version": "1.2.3",
        "appVersion": "6",
        "chartDigest": "sha256:1",
        "valuesDigest": "1",
        "manifestDigest": "2",
        "madeFrom": 1,
        "description": "Install complete",
        "started": "2026-01-02T03:04:05.123456789Z",
        "finished": "2026-01-02T03:04:05Z",
        "trigger": "spec",
    }
    status = {
        "observedGeneration": 1,
        "settledGeneration": 1,
        "conditions": [condition],
        "revision": 1,
        "chartVersion": "1.2.3",
        "release": {"name": "blog", "namespace": "shop", "storageNamespace": "shop"},
        "pinnedRevision": 1,
        "history": [revision],
        "unusedValues": ["`txet` is never read; did you mean `text`?"],
        "unready": [
            {"apiVersion": "v1", "kind": "Pod", "namespace": "a", "name": "b", "cause": "c"}
        ],
        "drift": [
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "namespace": "a",
                "name": "b",
                "standing": "Refused",
                "missing": True,
                "fields": ["data.c"],
                "managers": ["kubectl-edit"],
                "corrections": 1,
                "since": "2026-01-02T03:04:05Z",
                "why": "you may not",
            }
        ],
        "failures": 0,
        "installFailures": 1,
        "upgradeFailures": 2,
        "rejected": {
            "inputs": "v1-1",
            "revision": 2,
            "attempts": 1,
            "chart": "blog",
            "version": "1.2.3",
            "reason": "it failed",
        },
        "tests": [
            {
                "name": "check",
                "kind": "Pod",
                "phase": "Succeeded",
                "started": "2026-01-02T03:04:05Z",
                "completed": "2026-01-02T03:04:05Z",
                "log": "fine",
            }
        ],
        "testedRevision": 1,
        "lastHandledForceAt": "a",
        "lastHandledResetAt": "b",
        "lastHandledTestAt": "c",
        "testRequest": "c",
        "lastAttemptedInputs": "v1-1",
        "observedInputs": "v1-2",
        "observedPostRenderersDigest": "sha256:" + "d" * 64,
        "plan": {
            "digest": "sha256:" + "e" * 64,
            "inputs": "v1-3",
            "action": "upgrade",
            "revision": 2,
            "chart": "blog",
            "version": "1.3.0",
            "summary": "1 to create, 1 to change, 1 to recreate, 1 to delete, 1 hook to run",
            "create": 1,
            "change": 1,
            "recreate": 1,
            "delete": 1,
            "hooks": 1,
            "secretName": "whipstaff.plan.blog",
        },
        "lastAttemptedRevision": 1,
        "lastHandledReconcileAt": "now",
    }
    path = f"{RELEASES}/{stored['metadata']['name']}/status?fieldValidation=Strict"

    written = api.request("PATCH", path, {"status": status, "spec": {"revision": 7}})

    assert written["status"] == status
    assert "revision" not in written["spec"]


def test_the_status_above_has_every_field_of_the_definition():
    """So that the test above sees a field that the definition gains."""
    properties = _schema()["properties"]["status"]["properties"]

    assert set(properties) == {
        "chartVersion",
        "conditions",
        "drift",
        "failures",
        "history",
        "installFailures",
        "lastAttemptedInputs",
        "lastAttemptedRevision",
        "lastHandledForceAt",
        "lastHandledReconcileAt",
        "lastHandledResetAt",
        "lastHandledTestAt",
        "observedGeneration",
        "observedInputs",
        "observedPostRenderersDigest",
        "pinnedRevision",
        "plan",
        "rejected",
        "release",
        "revision",
        "settledGeneration",
        "testRequest",
        "testedRevision",
        "tests",
        "unready",
        "unusedValues",
        "upgradeFailures",
    }


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("helmrelease", "one chart, installed with one set of values"),
        ("helmrelease.spec.revision", "Run this stored revision and stay there"),
        ("helmrelease.spec.upgrade.crds", "Default `Skip`"),
        ("whr.status.history.madeFrom", "a rollback copied"),
    ],
)
def test_explain_prints_the_descriptions(api, control_plane, path, text):
    printed = control_plane.run("kubectl", "explain", path).stdout

    assert text in " ".join(printed.split())


@pytest.mark.parametrize(
    "stored", [pytest.param({"chart": a_chart_field(name="columned")}, id="x")], indirect=True
)
def test_kubectl_prints_the_columns_that_people_look_for(api, control_plane, stored):
    status = {
        "revision": 4,
        "chartVersion": "1.2.3",
        "conditions": [
            {
                "type": "Ready",
                "status": "False",
                "reason": "RenderFailed",
                "message": "no title",
                "lastTransitionTime": "2026-01-02T03:04:05Z",
            }
        ],
    }
    name = stored["metadata"]["name"]

    def printed():
        # An operator that other tests run here writes once what it thinks of the object.
        api.request("PATCH", f"{RELEASES}/{name}/status", {"status": status})
        lines = control_plane.run("kubectl", "get", "whr", name, "-n", NAMESPACE).stdout
        header, row = lines.splitlines()
        assert header.split() == ["NAME", "CHART", "VERSION", "REVISION", "READY", "STATUS", "AGE"]
        return row.split()[:-1] == [name, "columned", "1.2.3", "4", "False", "no", "title"]

    eventually(printed, "the columns do not show the status")


def test_the_category_lists_releases(api, control_plane):
    assert control_plane.run("kubectl", "get", "whipstaff", "-n", NAMESPACE).returncode == 0


def _schema():
    definition = yaml.safe_load(CRD.read_text(encoding="utf-8"))
    return definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]

"""deploy/examples/canary: two releases behind one route, and one that Argo Rollouts judges."""

import json
from dataclasses import dataclass

import pytest
import yaml

from tests.builders import foreign_definitions, pages
from tests.builders.live_releases import LiveReleases, condition, eventually, is_true
from tests.builders.own_chart import ROOT
from tests.builders.small_charts import a_packed_chart

EXAMPLES = ROOT / "deploy" / "examples" / "canary"
GATEWAY_API = "sigs.k8s.io/gateway-api@v1.6.3"
HTTP_ROUTES = "config/crd/standard/gateway.networking.k8s.io_httproutes.yaml"
ISTIO = "istio.io/api@v1.31.1"
ISTIOS_KINDS = "kubernetes/customresourcedefinitions.gen.yaml"
ARGO_ROLLOUTS = "github.com/argoproj/argo-rollouts@v1.10.0"
ROLLOUTS = "manifests/crds/rollout-crd.yaml"

# Of podinfo, what a route sees: a Service of the release's name and port.
PODINFO = """\
apiVersion: v1
kind: Service
metadata:
  name: {{ .Release.Name }}
  labels: {version: {{ .Chart.Version | quote }}, replicas: {{ .Values.replicaCount | quote }}}
spec:
  selector: {app: {{ .Release.Name }}}
  ports: [{name: http, port: 9898}]
"""


def bodies(path, releases, **served):
    """The objects of an example, in the namespace and from the repository of the test."""
    found = list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
    for body in found:
        body["metadata"]["namespace"] = releases.namespace
        if body["kind"] == "HelmRelease":
            body["spec"]["chart"]["repository"] = releases.repository_url
            body["spec"] |= served
    return found


def apply(releases, body):
    releases.control_plane.kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(body))


# Two releases and a route.


class HTTPRoute:
    """Of the Gateway API."""

    example = "mesh.yaml"

    @staticmethod
    def define(cluster, tmp_path):
        foreign_definitions.define(cluster, GATEWAY_API, [HTTP_ROUTES], tmp_path)

    @staticmethod
    def ways(body):
        """Give what holds the weights, and (Service, port) of each."""
        (rule,) = body["spec"]["rules"]
        return [(each, each["name"], each["port"]) for each in rule["backendRefs"]]


class VirtualService:
    """Of Istio, with a DestinationRule."""

    example = "istio.yaml"

    @staticmethod
    def define(cluster, tmp_path):
        names = ("virtualservices.networking.istio.io", "destinationrules.networking.istio.io")
        foreign_definitions.define(cluster, ISTIO, [ISTIOS_KINDS], tmp_path, only=names)

    @staticmethod
    def ways(body):
        """Give what holds the weights, and (Service, port) of each."""
        (rule,) = body["spec"]["http"]
        found = [(each, each["destination"]) for each in rule["route"]]
        return [(each, place["host"], place["port"]["number"]) for each, place in found]


@dataclass
class Canary:
    """Both releases of the example, and a route that divides requests between their Services."""

    releases: LiveReleases
    route: HTTPRoute | VirtualService
    body: dict  # of the route

    def services(self):
        """Give weight -> version of the Service that gets so many of a hundred requests."""
        found = {}
        for holder, name, port in self.route.ways(self.body):
            service = self.releases.find(self.releases.core("services", name))
            assert port in {each["port"] for each in service["spec"]["ports"]}
            found[holder["weight"]] = service["metadata"]["labels"]["version"]
        return found

    def all_to_the_stable_one(self):
        for holder, name, _ in self.route.ways(self.body):
            holder["weight"] = 100 if name == "podinfo" else 0
        apply(self.releases, self.body)

    def ends(self):
        self.releases.delete("podinfo-canary")
        self.releases.gone("podinfo-canary")
        assert self.releases.find(self.releases.core("services", "podinfo-canary")) is None


@pytest.fixture(
    scope="module", params=[HTTPRoute, VirtualService], ids=lambda route: route.__name__
)
def route(request, control_plane, tmp_path_factory):
    request.param.define(control_plane, tmp_path_factory.mktemp("definitions"))
    return request.param


@pytest.fixture
def canary(route, releases, repository):
    stable, newer, *_ = found = bodies(EXAMPLES / "mesh.yaml", releases)
    for body in (stable, newer):
        version = body["spec"]["chart"]["version"]
        repository.add(a_packed_chart("podinfo", version, "replicaCount: 1\n", service=PODINFO))
    if route.example != "mesh.yaml":
        found = [stable, newer, *bodies(EXAMPLES / route.example, releases)]
    for body in reversed(found):  # in whatever order
        apply(releases, body)
    releases.settled("podinfo", revision=1)
    releases.settled("podinfo-canary", revision=1)
    return Canary(releases, route, found[2])


def test_a_route_divides_requests_between_two_releases(canary, releases):
    assert canary.services() == {90: "6.9.1", 10: "6.9.2"}
    before = releases.get("podinfo")["metadata"]["generation"]

    # Back: a weight is no release, and the stable one was never touched.
    canary.all_to_the_stable_one()
    assert canary.services() == {100: "6.9.1", 0: "6.9.2"}
    canary.ends()
    assert releases.answered("podinfo")["metadata"]["generation"] == before
    assert releases.history("podinfo") == [(1, "deployed")]


def test_the_stable_release_gets_the_version_and_the_canary_goes(canary, releases):
    releases.choose("podinfo", "6.9.2")
    releases.settled("podinfo", revision=2)
    assert canary.services() == {90: "6.9.2", 10: "6.9.2"}
    canary.all_to_the_stable_one()
    canary.ends()
    assert releases.answered("podinfo")["status"]["revision"] == 2


# One release with a Rollout.


@pytest.fixture
def rollout(releases, repository, control_plane, tmp_path):
    """The example's release, and its Rollout, of which the test says what became of it."""
    foreign_definitions.define(control_plane, ARGO_ROLLOUTS, [ROLLOUTS], tmp_path)
    page = ROOT / "docs" / "canary.md"
    (template,) = [
        block.text for block in pages.blocks(page) if "kind: Rollout\nmeta" in block.text
    ]
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        repository.add(a_packed_chart("blog", version, rollout=template))
    (release,) = bodies(EXAMPLES / "argo-rollouts.yaml", releases, timeout="60s")
    return Rollout(releases, release)


class Rollout:
    """A Rollout without its controller."""

    def __init__(self, releases, release):
        self.releases = releases
        self.release = release
        place = f"/apis/argoproj.io/v1alpha1/namespaces/{releases.namespace}/rollouts"
        self.path = f"{place}/blog"

    def get(self):
        return self.releases.find(self.path)

    def ask_for(self, version):
        self.release["spec"]["chart"]["version"] = version
        apply(self.releases, self.release)

    def runs(self, version):
        """Wait until the Rollout has the image of a version."""

        def there():
            found = self.get()
            return found if found and f":v{version}" in json.dumps(found["spec"]) else None

        return eventually(there, f"no Rollout of {version}")

    def says(self, phase, *, of=None):
        """Have the status say something of a generation, the newest if none is given."""
        generation = of or self.get()["metadata"]["generation"]
        status = {"phase": phase, "observedGeneration": str(generation)}
        self.releases.api.request("PATCH", f"{self.path}/status", {"status": status})
        return generation

    def waited_for(self):
        """Wait until the release says that it waits for the Rollout."""

        def waits(release):
            unready = release["status"].get("unready", [])
            return condition(release, "Ready")["status"] == "Unknown" and any(
                each["kind"] == "Rollout" for each in unready
            )

        return self.releases.until("blog", waits)


def test_a_release_is_ready_or_failed_as_its_rollout_is(rollout, releases):
    rollout.ask_for("1.0.0")
    rollout.runs("1.0.0")
    rollout.waited_for()
    first = rollout.says("Healthy")
    releases.settled("blog", revision=1)

    # A canary: the status is that of the version before, then it is at work, then it pauses.
    rollout.ask_for("1.1.0")
    rollout.runs("1.1.0")
    assert rollout.get()["status"] == {"phase": "Healthy", "observedGeneration": str(first)}
    rollout.waited_for()
    for phase in ("Progressing", "Paused"):
        rollout.says(phase)
        rollout.waited_for()
        assert releases.stored("blog")[2] == "pending-upgrade"
    rollout.says("Healthy")
    releases.settled("blog", revision=2)

    # An analysis fails: the release goes back.
    rollout.ask_for("1.2.0")
    rollout.runs("1.2.0")
    rollout.says("Degraded")
    rollout.runs("1.1.0")
    rollout.says("Healthy")
    release = releases.until("blog", lambda release: is_true(release, "Remediated"))
    assert condition(release, "Ready")["reason"] == "UpgradeFailed"
    assert "Rollout" in condition(release, "Ready")["message"]
    assert releases.history("blog")[:2] == [(4, "deployed"), (3, "failed")]

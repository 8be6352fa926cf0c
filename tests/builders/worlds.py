"""A world in memory: what a pass acts on, and the intent that it serves."""

import asyncio
from contextlib import asynccontextmanager

from tests.builders.observations import a_release
from tests.builders.releases import a_revision
from tests.fakes.chart_source import FakeChartSource
from tests.fakes.cluster import FakeCluster
from tests.fakes.evidence import FakeEvidence
from tests.fakes.plan_store import FakePlanStore
from tests.fakes.release_store import FakeReleaseStore
from tests.fakes.renderer import FakeRenderer
from tests.fakes.reporter import FakeReporter
from whipstaff.errors import ClusterRefused
from whipstaff.reconcile.ports import OPERATOR
from whipstaff.reconcile.world import Interrupted, Work, World
from whipstaff.release.revision import Hook, HookDeletePolicy, HookEvent, ReleaseKey, ReleaseStatus

NAMESPACE = "shop"
KEY = ReleaseKey(NAMESPACE, "blog")
NOW = "2026-11-21T00:00:00Z"
AWAY = ClusterRefused("the API server is away", 0)
REFUSED = ClusterRefused("you may not", 403, "Forbidden")


class StillClock:
    """Time stands still, or is where a test puts it."""

    def __init__(self, seconds=2000):
        self.now_seconds = seconds

    def now(self):
        return NOW

    def seconds(self):
        return self.now_seconds

    def monotonic(self):
        return float(self.now_seconds)


class FakeIntent:
    """What is wanted: the release, until a test calls `change`."""

    def __init__(self, release=None):
        self.release = release or a_release()
        self.paused = False
        self.waits = 0  # how often the worker was given back
        self.began_to_wait = asyncio.Event()
        self._changed = asyncio.Event()

    def change(self):
        self._changed.set()

    def check(self):
        if self._changed.is_set():
            raise Interrupted

    async def changed(self):
        await self._changed.wait()

    @asynccontextmanager
    async def waiting(self):
        self.waits += 1
        self.began_to_wait.set()
        yield


def a_world(*, settle=None, namespaces=(NAMESPACE,)):
    """Everything outside the loop; Jobs are complete at once unless `settle` says otherwise."""
    return World(
        cluster=FakeCluster(*namespaces, settle=settle or complete_jobs),
        store=FakeReleaseStore(),
        charts=FakeChartSource(),
        renderer=FakeRenderer(),
        reporter=FakeReporter(),
        clock=StillClock(),
        evidence=FakeEvidence(),
        plans=FakePlanStore(),
    )


def complete_jobs(body):
    if body["kind"] == "Job":
        body["status"] = {"conditions": [{"type": "Complete", "status": "True"}]}


def fail_jobs(*names):
    """Make Jobs of these names fail, and others complete."""

    def settle(body):
        complete_jobs(body)
        if body["kind"] == "Job" and body["metadata"]["name"] in names:
            failure = {"type": "Failed", "status": "True", "message": "it broke"}
            body["status"] = {"conditions": [failure]}

    return settle


def an_object(kind="ConfigMap", name="settings", api_version="v1", **fields):
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}} | fields


def annotated(body, **annotations):
    """Copy an object with annotations under `helm.sh/`."""
    notes = {f"helm.sh/{key.replace('_', '-')}": value for key, value in annotations.items()}
    return body | {"metadata": body["metadata"] | {"annotations": notes}}


def owned(body, name="blog", namespace=NAMESPACE):
    """Copy an object as one that a release owns."""
    metadata = body["metadata"] | {
        "labels": {"app.kubernetes.io/managed-by": "Helm"},
        "annotations": {
            **body["metadata"].get("annotations", {}),
            "meta.helm.sh/release-name": name,
            "meta.helm.sh/release-namespace": namespace,
        },
    }
    return body | {"metadata": metadata}


def hook(name, *events, kind="Job", weight=0, policies=(), **changes):
    """A hook at these events, pre-install unless others are given."""
    api_version = {"Job": "batch/v1"}.get(kind, "v1")
    facts = {
        "name": name,
        "kind": kind,
        "path": f"blog/templates/{name}.yaml",
        "manifest": "",
        "body": an_object(kind, name, api_version),
        "events": tuple(map(HookEvent, events or ("pre-install",))),
        "weight": weight,
        "delete_policies": tuple(map(HookDeletePolicy, policies)),
    }
    return Hook(**facts | changes)


def stored_work(
    world, *hooks, objects=(), number=1, status="pending-install", intent=None, **facts
):
    """Work on a stored revision with these hooks and objects."""
    revision = a_revision(
        number,
        name="blog",
        namespace=NAMESPACE,
        status=ReleaseStatus(status),
        hooks=tuple(hooks),
        objects=tuple(objects),
        **facts,
    )
    world.store.put(KEY, revision)
    return Work(FakeIntent(), KEY, OPERATOR, revision, "upgrade", stored=True)

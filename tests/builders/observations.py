"""Observations with defaults: a release that is in sync, unless the test says otherwise."""

from whipstaff.helmrelease.types import ChartSpec, HelmRelease, Spec
from whipstaff.planning.observation import Inputs, Observation, Remembered
from whipstaff.release.marks import Marks
from whipstaff.release.revision import ReleaseStatus, RevisionHeader, RevisionNumber

INPUTS = "v1.aaaa"
OTHER_INPUTS = "v1.bbbb"


def a_release(*, generation=1, status=None, annotations=None, **spec):
    places = {"target_namespace": "shop", "storage_namespace": "shop"}
    return HelmRelease(
        namespace="shop",
        name="blog",
        uid="uid-1",
        generation=generation,
        created_at="2026-11-21T00:00:00Z",
        deletion_requested=False,
        finalizers=(),
        annotations=annotations or {},
        status=status or {},
        spec=Spec(
            chart=ChartSpec("blog", "http://charts.test"),
            **{"release_name": "blog", **places, **spec},
        ),
    )


def a_header(number, status="deployed", *, ours=True, created_at=1000, modified_at=1000, **marks):
    noted = Marks(**({"inputs": INPUTS, "manifest": "v1.cccc", "action": "upgrade"} | marks))
    labels = noted.labels(RevisionNumber(number if ours else number - 1))
    return RevisionHeader(
        RevisionNumber(number), ReleaseStatus(status), labels, created_at, modified_at
    )


def some_inputs(digest=INPUTS):
    return Inputs("blog", "1.0.0", "sha256:00", "sha256:11", digest)


def an_observation(*headers, release=None, inputs=None, remembered=None, now_seconds=2000):
    return Observation(
        release=release or a_release(),
        headers=tuple(sorted(headers, key=lambda header: -header.number)),
        inputs=inputs or some_inputs(),
        remembered=remembered or Remembered(),
        now_seconds=now_seconds,
    )

"""Read everything that a decision depends on."""

import asyncio
import hashlib
import json
import math
from dataclasses import replace

from whipstaff.errors import OperatorError
from whipstaff.helmrelease.types import HelmRelease
from whipstaff.planning.observation import Inputs, Observation
from whipstaff.planning.status import remembered
from whipstaff.reconcile.ports import ChartReference, ComposedValues, ResolvedChart
from whipstaff.reconcile.values import final_values
from whipstaff.reconcile.world import Intent, World, identity_of
from whipstaff.release.manifests import inputs_digest
from whipstaff.release.revision import JsonObject


async def observe(
    world: World, intent: Intent, release: HelmRelease, began: float
) -> tuple[Observation, ResolvedChart | OperatorError]:
    """Read stored revisions and inputs; the chart comes back beside them.

    `began`: the clock's monotonic seconds at which the pass did.
    """
    headers, chart, values = await asyncio.gather(
        world.store.history(release.release_key, identity_of(release)),
        _resolve(world, intent, release, began),
        _values(world, release),
    )
    inputs: Inputs | OperatorError
    if isinstance(values, OperatorError):
        inputs = values
    else:
        release = replace(release, spec=replace(release.spec, values=values.values))
        inputs = chart if isinstance(chart, OperatorError) else _inputs(release, chart, values)
    seen = Observation(
        release=release,
        headers=headers,
        inputs=inputs,
        remembered=remembered(release.status),
        now_seconds=world.clock.seconds(),
    )
    return seen, chart


async def _resolve(
    world: World, intent: Intent, release: HelmRelease, began: float
) -> ResolvedChart | OperatorError:
    spec, known = release.spec, remembered(release.status)
    if spec.suspend:
        return OperatorError("suspended")
    reference = chart_reference(release)
    asked = bool(release.requested_at) and release.requested_at != known.handled_request
    # Who asks for a pass, or for a version that is not known, may have published it just now.
    since_began = world.clock.monotonic() - began
    max_age = since_began if asked else index_age_seconds(release)
    try:
        async with intent.waiting():  # a repository that hangs must not hold a worker
            return await world.charts.resolve(reference, max_age_seconds=max_age)
    except OperatorError as error:
        return error


def chart_reference(release: HelmRelease) -> ChartReference:
    """Return which chart a HelmRelease asks for."""
    chart = release.spec.chart
    return ChartReference(
        chart.name,
        chart.version,
        chart.repository,
        chart.repository_ref,
        release.namespace,
        chart.digest,
        chart.verify,
        chart.source_ref,
        chart.path,
        chart.archive_from,
        identity_of(release),
        chart.values_files,
        chart.ignore_missing_values_files,
    )


def index_age_seconds(release: HelmRelease) -> float:
    """Return how old the index of a repository may be for a HelmRelease that is at rest."""
    # A HelmRepository has an interval of its own, and wakes who takes charts from it.
    return math.inf if release.spec.chart.repository_ref else release.spec.interval_seconds


async def _values(world: World, release: HelmRelease) -> ComposedValues | OperatorError:
    if release.spec.suspend:
        return OperatorError("suspended")
    try:
        return await final_values(world, release)
    except OperatorError as error:
        return error


def _inputs(release: HelmRelease, chart: ResolvedChart, values: ComposedValues) -> Inputs:
    spec = release.spec
    split = spec.storage_namespace != spec.target_namespace
    return Inputs(
        chart_name=chart.name,
        chart_version=chart.version,
        chart_digest=chart.digest,
        values_digest=_values_digest(spec.values),
        whole_numbers=values.whole_numbers,
        secrets=values.secrets,
        digest=inputs_digest(
            chart_digest=chart.digest,
            values=spec.values,
            release_name=spec.release_name,
            namespace=spec.target_namespace,
            namespace_in_manifest=True if split else None,
            whole_numbers=[list(path) for path in values.whole_numbers] or None,
            preserve_values=spec.upgrade.preserve_values or None,
            post_rendering=spec.post_rendering.order() if spec.post_rendering else None,
        ),
    )


def _values_digest(values: JsonObject) -> str:
    canonical = json.dumps(values, sort_keys=True, separators=(",", ":"))
    return "sha256:" + hashlib.sha256(canonical.encode()).hexdigest()

"""Judge a HelmRelease before it is stored: what the API server's admission asks.

Refused is what the HelmRelease itself and a published chart prove to be wrong. What may come right
without an edit of it is a warning: a repository that does not answer, a version to come, a source
that moves on, an object that a template would look up. So is what an edit leaves as wrong as it
was.

Nothing is written, and nothing is read from the cluster but its version and its kinds: who asks
could be anyone, and a message about a rendering can be made to tell what went into it.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from whipstaff.errors import (
    ChartInvalid,
    InvalidSpec,
    ManifestInvalid,
    OperatorError,
    PostRenderFailed,
    RenderFailed,
    RenderTimeout,
    ValuesInvalid,
)
from whipstaff.helmrelease.types import HelmRelease, Spec
from whipstaff.planning.foretelling import foretold
from whipstaff.reconcile.dependencies import DEPENDENCY, OWN
from whipstaff.reconcile.health import check_expressions
from whipstaff.reconcile.observe import chart_reference, index_age_seconds
from whipstaff.reconcile.ports import OPERATOR, Rendering, RenderRequest, ResolvedChart
from whipstaff.reconcile.world import World
from whipstaff.release.revision import JsonObject, RevisionNumber

_PROOFS = (
    InvalidSpec,
    ChartInvalid,
    ValuesInvalid,
    RenderFailed,
    PostRenderFailed,
    ManifestInvalid,
)
_MEMBER = re.compile(r"spec\.(\w+)")
# Fields that decide nothing about what is rendered.
_BESIDE = frozenset(
    {
        *("suspend", "revision", "approval", "approvedPlan", "interval", "timeout", "maxHistory"),
        *("rollback", "uninstall", "test", "driftDetection"),
    }
)

Read = Callable[[JsonObject], HelmRelease]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is answered: admitted unless there is a refusal."""

    refusal: OperatorError | None = None
    warnings: tuple[str, ...] = ()


ADMITTED = Verdict()


class Judge:
    """Judges HelmReleases as they would be stored."""

    def __init__(self, world: World, read: Read) -> None:
        """`read` parses a HelmRelease; InvalidSpec names the field that is wrong."""
        self._world = world
        self._read = read

    async def judge(self, body: JsonObject, before: JsonObject | None = None) -> Verdict:
        """Judge a HelmRelease; `before` is what it replaces, None if it is new."""
        if body["metadata"].get("deletionTimestamp"):
            return ADMITTED
        if before is not None and before.get("spec") == body.get("spec"):
            return ADMITTED
        try:
            release = self._read(body)
        except InvalidSpec as wrong:
            known = self._was_so(wrong, body, before)
            return Verdict(warnings=(_told(wrong),)) if known else Verdict(wrong)
        foreseen = tuple(foretold(release, self._spec_of(before)))
        if release.spec.suspend or release.spec.revision is not None:
            return Verdict(warnings=foreseen)  # who stops or pins must not be in anyone's way
        examination = _Examination(self._world, release)
        try:
            await examination.make()
        except OperatorError as error:
            proven = isinstance(error, _PROOFS) and not isinstance(error, RenderTimeout)
            if proven and examination.conclusive and _rendered_otherwise(body, before):
                return Verdict(error, (*foreseen, *examination.warnings))
            examination.warnings.append(_told(error))
        return Verdict(warnings=(*foreseen, *examination.warnings))

    def _was_so(self, wrong: InvalidSpec, body: JsonObject, before: JsonObject | None) -> bool:
        """Whether an edit leaves what is wrong as it was."""
        member = _MEMBER.match(wrong.field)
        if before is None or member is None:
            return False
        if (before.get("spec") or {}).get(member[1]) != (body.get("spec") or {}).get(member[1]):
            return False
        try:
            self._read(before)
        except InvalidSpec as old:
            return (old.field, old.text) == (wrong.field, wrong.text)
        return False

    def _spec_of(self, before: JsonObject | None) -> Spec | None:
        try:
            return None if before is None else self._read(before).spec
        except InvalidSpec:
            return None


class _Examination:
    """One HelmRelease, its expressions, its chart and what that renders to."""

    def __init__(self, world: World, release: HelmRelease) -> None:
        self._world = world
        self._release = release
        self.warnings: list[str] = []
        self.conclusive = True  # what is wrong now stays wrong until the HelmRelease is edited

    async def make(self) -> None:
        """Look at all of it; raises what is wrong."""
        release, spec = self._release, self._release.spec
        await check_expressions(self._world, release)
        await self._check_dependencies()
        if spec.chart.archive_from is not None:
            self.warnings.append(
                "spec.chart.archiveFrom: not read at admission; chart and values were not checked"
            )
            return
        self.conclusive = spec.chart.source_ref is None
        chart = await self._world.charts.resolve(
            chart_reference(release), max_age_seconds=index_age_seconds(release)
        )
        if spec.values_from:
            self.warnings.append(
                "spec.valuesFrom: not read at admission; the values were not checked"
            )
            return
        kept = spec.upgrade.preserve_values and self._runs
        self.conclusive &= spec.kube_config is None and not kept
        self.warnings += _noted(await self._render(chart))

    @property
    def _runs(self) -> RevisionNumber | None:
        number = self._release.status.get("revision")
        return RevisionNumber(number) if isinstance(number, int) else None

    async def _check_dependencies(self) -> None:
        for each in self._release.spec.depends_on:
            if each.expression:
                field = f"{each.field}.readyExpr"
                try:
                    await self._world.renderer.evaluate([each.expression], (DEPENDENCY, OWN), {})
                except InvalidSpec as error:
                    raise type(error)(f"{field}: {error.text}", field) from error

    async def _render(self, chart: ResolvedChart) -> Rendering:
        spec, runs = self._release.spec, self._runs
        options = spec.upgrade if runs else spec.install
        request = RenderRequest(
            chart=chart,
            values=spec.values,
            release_name=spec.release_name,
            namespace=spec.target_namespace,
            capabilities=await self._world.cluster.capabilities(OPERATOR),
            revision=RevisionNumber((runs or 0) + 1),
            is_upgrade=runs is not None,
            stable_generated=spec.stable_generated,
            skip_schema_validation=options.disable_schema_validation,
            post_rendering=spec.post_rendering.order() if spec.post_rendering else None,
        )
        return await self._world.renderer.render(request, self._lookup)

    async def _lookup(self, *_question: str) -> JsonObject:
        """Answer as `helm template` does: with nothing."""
        self.conclusive = False
        return {}


def _told(error: OperatorError) -> str:
    return f"{error.reason}: {error.text}"


def _noted(rendering: Rendering) -> Iterator[str]:
    metadata = rendering.chart.get("metadata") or {}
    if metadata.get("deprecated"):
        yield f"chart {metadata.get('name')} {metadata.get('version')} is deprecated"
    yield from rendering.unused
    yield from rendering.warnings


def _rendered_otherwise(body: JsonObject, before: JsonObject | None) -> bool:
    """Whether an edit changes what is rendered: what was wrong before is no reason to refuse it."""
    return before is None or _rendered(body) != _rendered(before)


def _rendered(body: JsonObject) -> JsonObject:
    spec = body.get("spec") or {}
    return {name: value for name, value in spec.items() if name not in _BESIDE}

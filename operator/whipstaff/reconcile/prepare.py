"""Make the revision that an action will store, and find out beforehand what would refuse it.

Nothing is written here: what is refused makes no revision and leaves what runs untouched.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from whipstaff.errors import ClusterRefused, OperatorError
from whipstaff.helmrelease.types import ActionOptions, Approval, CRDPolicy
from whipstaff.planning.changes import ADOPT, ReleasePlan
from whipstaff.planning.decision import Action, Decision, needs_plan
from whipstaff.planning.observation import Inputs, Observation
from whipstaff.planning.options import options_digest
from whipstaff.planning.steps import Change, history_to_forget
from whipstaff.reconcile.adopting import as_rendered, refuse_what_flux_tends
from whipstaff.reconcile.checking import Check, namespace_exists
from whipstaff.reconcile.health import check_expressions
from whipstaff.reconcile.masking import masking
from whipstaff.reconcile.ports import (
    Identity,
    Rendering,
    RenderRequest,
    ResolvedChart,
)
from whipstaff.reconcile.preview import Preview
from whipstaff.reconcile.pruning import Pruning
from whipstaff.reconcile.world import World, home_identity_of, identity_of, timed
from whipstaff.release.generated import generated_in
from whipstaff.release.history import living
from whipstaff.release.manifests import manifest_digest
from whipstaff.release.marks import MANIFEST, TESTS_NONE, Marks, is_ours
from whipstaff.release.revision import (
    HookEvent,
    HookPhase,
    JsonObject,
    ReleaseStatus,
    Revision,
    RevisionHeader,
    RevisionNumber,
)

_NOT_FOUND = 404
_PENDING = {
    Action.INSTALL: (ReleaseStatus.PENDING_INSTALL, "Initial install underway"),
    Action.UPGRADE: (ReleaseStatus.PENDING_UPGRADE, "Preparing upgrade"),
    Action.ROLLBACK: (ReleaseStatus.PENDING_ROLLBACK, "Rollback to {source}"),
    Action.REMEDIATE: (ReleaseStatus.PENDING_ROLLBACK, "Rollback to {source}"),
}


_PLANNED = frozenset({Action.INSTALL, Action.UPGRADE})


@dataclass(frozen=True, slots=True)
class Unchanged:
    """The inputs are others, but they render to what runs: there is nothing to release.

    What was made outside then becomes ours as it is.
    """

    adopted: Revision | None = None  # with our marks
    taken: tuple[str, ...] = ()  # what becomes the release's, and whose it is so far
    plan: ReleasePlan | None = None  # made where somebody has to approve of it


class Preparation:
    """One release's next revision in the making."""

    def __init__(
        self, world: World, seen: Observation, decision: Decision, *, planned: bool = False
    ) -> None:
        """`planned`: make a plan even where nobody has to approve of it."""
        self._world = world
        self._seen = seen
        self._decision = decision
        self._release = seen.release
        self._identity: Identity = identity_of(seen.release)
        self.unused: tuple[str, ...] | None = None  # what a rendering said of unread values
        asked = decision.action in _PLANNED and needs_plan(seen, decision.trigger)
        self._planned = planned or asked

    async def release(self, chart: ResolvedChart) -> Change | Unchanged:
        """Render the chart for an install or upgrade and check it against the cluster."""
        await check_expressions(self._world, self._release)
        await self._check_maker()
        namespaces = await self._missing_namespaces()
        values = await self._values()
        rendering = await self._render(chart, values)
        self.unused = rendering.unused
        if rendering.same_as_current:
            return await self._unchanged()
        assert self._decision.action is not None  # noqa: S101 - only called with one
        noted = Marks(
            inputs=self._inputs().digest,
            manifest=rendering.manifest_digest,
            crds=rendering.crds_digest if self._installs_crds else self._known_crds,
            generated=bool(generated_in(rendering.chart)),
            forced=self._seen.force_digest if self._decision.trigger == "force" else "",
            tests="" if any(HookEvent.TEST in it.events for it in rendering.hooks) else TESTS_NONE,
        )
        revision = self._new_revision(noted)
        revision = replace(
            revision,
            chart=rendering.chart,
            config=values,
            manifest=rendering.manifest,
            objects=rendering.objects,
            hooks=rendering.hooks,
            notes=rendering.notes,
        )
        agreed = await self._agreed(revision)
        if agreed is not None:
            revision = _with_content_of(agreed, revision)
        return await self._checked(revision, rendering.crds, namespaces)

    async def _check_maker(self) -> None:
        """Refuse a release that was made by Flux, while that is still at work on it."""
        foreign = self._seen.foreign
        if foreign is not None:
            objects = (await self._read(foreign.number)).objects
            await refuse_what_flux_tends(self._world.cluster, self._identity, objects)

    async def _unchanged(self) -> Unchanged:
        foreign = self._seen.foreign
        if foreign is None:
            return Unchanged()
        revision = await self._adopted(foreign)
        if not self._planned:
            return Unchanged(revision, self._taken())
        metadata = revision.chart.get("metadata") or {}
        plan = ReleasePlan(
            action=ADOPT,
            revision=revision.number,
            chart=str(metadata.get("name", "")),
            version=str(metadata.get("version", "")),
            inputs=self._inputs().digest,
            manifest=revision.labels[MANIFEST],
            taken=self._taken(),
        )
        return Unchanged(revision, plan.taken, plan)

    async def _adopted(self, header: RevisionHeader) -> Revision:
        """Return a revision that was made outside as one of ours, by its marks alone."""
        revision = await self._read(header.number)
        tested = any(HookEvent.TEST in hook.events for hook in revision.hooks)
        noted = Marks(
            inputs=self._inputs().digest,
            manifest=manifest_digest(str(revision.manifest), map(as_rendered, revision.hooks)),
            action=str(Action.UPGRADE if header.number > 1 else Action.INSTALL),
            trigger="outside",
            generated=bool(generated_in(revision.chart)),
            tests="" if tested else TESTS_NONE,
        )
        return replace(revision, labels=noted.labels(header.number))

    def _taken(self) -> tuple[str, ...]:
        """Name the release that is taken over, if one is."""
        foreign, spec = self._seen.foreign, self._release.spec
        if foreign is None:
            return ()
        place = f"{spec.target_namespace}/{spec.release_name}"
        return (f"release {place} (revision {foreign.number}, made outside Whipstaff)",)

    async def _agreed(self, revision: Revision) -> Revision | None:
        """Return what was approved of: a chart may render differently each time."""
        if self._release.spec.approval is Approval.AUTOMATIC:
            return None
        if self._decision.trigger == "retry":
            failed = self._failed_of_these_inputs()
            self._planned = failed is None
            return None if failed is None else await self._read(failed.number)
        if not self._seen.approved:
            return None
        planned = await self._world.plans.read(self._release, home_identity_of(self._release))
        return planned if planned and planned.number == revision.number else None

    def _failed_of_these_inputs(self) -> RevisionHeader | None:
        inputs = self._inputs().digest
        return next(
            (
                header
                for header in self._seen.headers
                if header.status is ReleaseStatus.FAILED
                and is_ours(header)
                and Marks.of(header).action in _PLANNED
                and Marks.of(header).inputs == inputs
            ),
            None,
        )

    async def rollback(self) -> Change:
        """Copy the revision that is rolled back to and check it against the cluster."""
        source = self._decision.source
        assert source is not None  # noqa: S101 - a rollback always has one
        await self._check_maker()
        namespaces = await self._missing_namespaces()
        old = await self._read(source.number)
        noted = replace(
            Marks.of(source),
            made_from=source.number,
            crds=self._known_crds,
            generated=bool(generated_in(old.chart)),
            forced=self._seen.force_digest if self._decision.trigger == "force" else "",
            tests="",
            rejected=self._decision.rejected,
        )
        revision = self._new_revision(noted)
        revision = replace(
            revision,
            chart=old.chart,
            config=old.config,
            manifest=old.manifest,
            objects=old.objects,
            hooks=tuple(
                replace(hook, phase=HookPhase.NEVER, started_at="", completed_at="")
                for hook in old.hooks
            ),
            notes=old.notes,
            apply_method="ssa",
        )
        return await self._checked(revision, (), namespaces)

    async def resume(self) -> Change:
        """Read back our own interrupted revision; it was checked before it was stored."""
        header = self._decision.source
        assert header is not None  # noqa: S101 - what is resumed is stored
        revision = await self._read(header.number)
        action = Action(Marks.of(header).action)
        return await self._change(action, revision, (), stored=True)

    @property
    def _installs_crds(self) -> bool:
        return self._options(self._decision.action).crds is not CRDPolicy.SKIP

    @property
    def _known_crds(self) -> str:
        """What the newest revision that ran says of the crds/ that were installed last."""
        ran = (header for header in self._seen.headers if header.status.ran)
        newest = next(ran, None)
        return Marks.of(newest).crds if newest else ""

    def _new_revision(self, content: Marks) -> Revision:
        """Begin the next revision; `content` says what it will hold."""
        action = self._decision.action
        assert action is not None  # noqa: S101 - only called with one
        spec, number = self._release.spec, self._seen.next_number
        status, description = _PENDING[action]
        now = self._world.clock.now()
        noted = replace(
            content,
            action=str(action),
            attempt=self._decision.attempt,
            options=options_digest(spec, str(action)),
            trigger=self._decision.trigger,
        )
        return Revision(
            name=spec.release_name,
            namespace=spec.target_namespace,
            number=number,
            status=status,
            chart={},
            config={},
            manifest="",
            objects=(),
            description=description.format(source=content.made_from),
            first_deployed=now,
            last_deployed=now,
            labels=noted.labels(number),
        )

    def _inputs(self) -> Inputs:
        inputs = self._seen.inputs
        if isinstance(inputs, OperatorError):
            raise inputs
        return inputs

    async def _values(self) -> JsonObject:
        """Return the final values: those of the spec, over those that run where they are kept."""
        spec, deployed = self._release.spec, self._seen.deployed
        if self._decision.action is not Action.UPGRADE or not spec.upgrade.preserve_values:
            return spec.values
        if deployed is None:
            return spec.values
        return _laid_over((await self._read(deployed.number)).config, spec.values)

    async def _render(self, chart: ResolvedChart, values: JsonObject) -> Rendering:
        spec, identity = self._release.spec, self._identity
        cluster = self._world.cluster
        newest, is_upgrade = self._seen.newest, self._decision.action is Action.UPGRADE
        # Only what is deployed is worth a comparison: after a failed revision the cluster holds
        # something else. Who asks for a revision gets one, and so does what failed.
        compared = newest if self._decision.trigger in ("spec", "outside") else None
        current = compared if compared and compared is self._seen.deployed else None
        noted = await self._noted(current) if current else Marks()
        request = RenderRequest(
            chart=chart,
            values=values,
            release_name=spec.release_name,
            namespace=spec.target_namespace,
            capabilities=await cluster.capabilities(identity),
            revision=self._seen.next_number,
            is_upgrade=is_upgrade,
            current_revision=current.number if current else None,
            current_is_upgrade=noted.action != Action.INSTALL,
            current_manifest_digest=noted.manifest,
            current_crds_digest=noted.crds if self._installs_crds else "",
            namespace_in_manifest=spec.storage_namespace != spec.target_namespace,
            stable_generated=spec.stable_generated,
            generated=await self._generated() if spec.stable_generated else "",
            skip_schema_validation=self._options(self._decision.action).disable_schema_validation,
            post_rendering=spec.post_rendering.order() if spec.post_rendering else None,
            whole_numbers=self._inputs().whole_numbers,
        )

        async def lookup(api_version: str, kind: str, namespace: str, name: str) -> JsonObject:
            return await cluster.lookup(api_version, kind, namespace, name, identity)

        action = str(self._decision.action)
        with timed(self._world, action, "render"), masking(self._inputs().secrets):
            return await self._world.renderer.render(request, lookup)

    async def _noted(self, current: RevisionHeader) -> Marks:
        """Return our marks on a revision, or what they would be on one that was made outside."""
        return Marks.of(current if is_ours(current) else _header(await self._adopted(current)))

    async def _generated(self) -> str:
        """Return what the templates of the newest revision generated.

        One made outside keeps nothing, unless it is a copy that `helm rollback` made; then ours
        before it counts.
        """
        for header in self._seen.headers:
            ours = is_ours(header)
            if ours and not Marks.of(header).generated:
                return ""
            kept = generated_in((await self._read(header.number)).chart)
            if kept or ours:
                return kept
        return ""

    async def _checked(
        self, revision: Revision, crds: Sequence[JsonObject], namespaces: tuple[str, ...]
    ) -> Change:
        assert self._decision.action is not None  # noqa: S101 - only called with one
        change = await self._change(self._decision.action, revision, crds, stored=False)
        change = replace(change, namespaces=namespaces)
        with timed(self._world, change.kind, "check"):
            change = await self._asked(change)
        first = next((old.first_deployed for old in change.earlier if old.first_deployed), "")
        if first:
            change = replace(change, revision=replace(change.revision, first_deployed=first))
        key = self._release.release_key
        return replace(change, record_bytes=await self._world.store.measure(key, change.revision))

    async def _asked(self, change: Change) -> Change:
        """Ask the server about everything, and make a plan of its answers if one is wanted."""
        cluster, identity = self._world.cluster, self._identity
        preview = None
        if self._planned:
            preview = Preview(cluster, identity, change, self._seen.secrets)
        change = await Check(cluster, identity, change, preview).ask()
        if self._decision.action is not Action.REMEDIATE:  # which undoes what a revision brought
            pruning = Pruning(cluster, identity, change.revision)
            await pruning.check(change.prunable, change.options.prune)
        if preview is None:
            return change
        return replace(change, plan=replace(await preview.plan(), taken=change.taken))

    async def _change(
        self, action: Action, revision: Revision, crds: Sequence[JsonObject], *, stored: bool
    ) -> Change:
        spec, options = self._release.spec, self._options(action)
        others = [header for header in self._seen.headers if header.number != revision.number]
        superseded = [h.number for h in others if h.status is ReleaseStatus.DEPLOYED]
        spared = frozenset({revision.number, *superseded, *_named(spec.revision)})
        keep = spec.max_history
        return Change(
            kind=str(Action.ROLLBACK if action is Action.REMEDIATE else action),
            revision=revision,
            options=options,
            stored=stored,
            crds=crds if options.crds is not CRDPolicy.SKIP else (),
            taken=() if stored else self._taken(),
            earlier=await self._earlier(others),
            to_supersede=tuple(superseded),
            to_forget=history_to_forget(others, keep, spared),
        )

    def _options(self, action: Action | None) -> ActionOptions:
        spec = self._release.spec
        match action:
            case Action.INSTALL:
                return spec.install
            case Action.ROLLBACK | Action.REMEDIATE:
                return spec.rollback
            case _:
                return spec.upgrade

    async def _earlier(self, others: Sequence[RevisionHeader]) -> tuple[Revision, ...]:
        """Read every revision whose objects may still live: since the last deployed one."""
        return tuple([await self._read(header.number) for header in living(others)])

    async def _read(self, number: RevisionNumber) -> Revision:
        return await self._world.store.read(self._release.release_key, number, self._identity)

    async def _missing_namespaces(self) -> tuple[str, ...]:
        """Return the namespaces to create first; refused if they may not be created."""
        spec = self._release.spec
        missing = []
        for name in sorted({spec.target_namespace, spec.storage_namespace}):
            if name == self._release.namespace and spec.kube_config is None:
                continue  # it is where the HelmRelease is
            if await namespace_exists(self._world.cluster, name, self._identity):
                continue
            if not spec.create_namespace:
                raise ClusterRefused(
                    f'namespace "{name}" does not exist; create it, or set createNamespace',
                    _NOT_FOUND,
                    "NamespaceNotFound",
                )
            missing.append(name)
        return tuple(missing)


def _with_content_of(other: Revision, revision: Revision) -> Revision:
    """Return a revision with all that was rendered for another one."""
    digest = manifest_digest(str(other.manifest), other.hooks)
    return replace(
        revision,
        labels={**revision.labels, MANIFEST: digest},
        chart=other.chart,
        config=other.config,
        manifest=other.manifest,
        objects=other.objects,
        hooks=tuple(
            replace(hook, phase=HookPhase.NEVER, started_at="", completed_at="")
            for hook in other.hooks
        ),
        notes=other.notes,
    )


def _header(revision: Revision) -> RevisionHeader:
    return RevisionHeader(revision.number, revision.status, revision.labels)


def _laid_over(below: JsonObject, above: JsonObject) -> JsonObject:
    """Lay tables over each other, key by key; neither is changed."""
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        if isinstance(value, dict) and isinstance(old, dict):
            merged[key] = _laid_over(old, value)
        else:
            merged[key] = value
    return merged


def _named(revision: RevisionNumber | None) -> tuple[RevisionNumber, ...]:
    return () if revision is None else (revision,)

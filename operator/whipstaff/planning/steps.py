"""A plan: what an action does to the cluster and to the record, as data, in order.

The order is the crash order: at every border a kill leaves something that the next start can end.
Pruning comes before "deployed", or a kill in between would lose what was to be pruned.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from whipstaff.helmrelease.types import (
    ActionOptions,
    CRDPolicy,
    DeletionPropagation,
    ImmutableFields,
    PruneOptions,
    UninstallOptions,
)
from whipstaff.planning.changes import ReleasePlan
from whipstaff.release.manifests import in_uninstall_order, keeps
from whipstaff.release.objects import ObjectReference
from whipstaff.release.revision import (
    HookEvent,
    JsonObject,
    Revision,
    RevisionHeader,
    RevisionNumber,
)


@dataclass(frozen=True, slots=True)
class Store:
    """Take the revision's number: the lock. Helm's word for the status is in the revision."""


@dataclass(frozen=True, slots=True)
class CreateNamespaces:
    """Create the namespaces that the release and its record go to."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class InstallCRDs:
    """Apply the chart's crds/ and wait until they are served.

    Comes before the lock: CRDs are in no record, so a resumed revision could not bring them.
    """

    crds: Sequence[JsonObject]
    replace: bool  # also those that exist


@dataclass(frozen=True, slots=True)
class AskAgain:
    """Dry-run what had to wait for its namespace or its kind: a refusal still makes no revision."""

    bodies: tuple[JsonObject, ...]
    strict: bool = True  # fields that the server does not know are refused


@dataclass(frozen=True, slots=True)
class RunHooks:
    """Run the revision's hooks of one event, one after another."""

    event: HookEvent
    timeout_seconds: float


@dataclass(frozen=True, slots=True)
class Apply:
    """Apply the revision's manifest, kind by kind in install order."""

    strict: bool = True  # fields that the server does not know are refused
    force: bool = False  # each object is put in place of the live one first
    immutable: ImmutableFields = field(default_factory=ImmutableFields)
    timeout_seconds: float = 0.0  # of the wait until an object is gone that is made anew


@dataclass(frozen=True, slots=True)
class AwaitReady:
    """Wait until all objects of the manifest are ready."""

    timeout_seconds: float
    complete_jobs: bool = True  # wait for their end, not only for their start
    to_prune: "Prune | None" = None  # what lives on until then, and may be what they wait for


@dataclass(frozen=True, slots=True)
class Prune:
    """Delete what earlier revisions had and this one has not, as far as the release owns it."""

    candidates: tuple[JsonObject, ...]
    options: PruneOptions = field(default_factory=PruneOptions)


@dataclass(frozen=True, slots=True)
class MarkDeployed:
    """Record that the revision runs."""

    description: str


@dataclass(frozen=True, slots=True)
class Supersede:
    """Record that older revisions run no more."""

    numbers: tuple[RevisionNumber, ...]


@dataclass(frozen=True, slots=True)
class PruneHistory:
    """Forget old revisions."""

    numbers: tuple[RevisionNumber, ...]


@dataclass(frozen=True, slots=True)
class MarkFailed:
    """Record why the revision was given up; what ran before still runs."""

    number: RevisionNumber
    description: str


@dataclass(frozen=True, slots=True)
class CleanUp:
    """Delete what the failed revision brought, in reverse order, as far as the release owns it."""

    before: tuple[JsonObject, ...]  # what ran before, which stays
    found: frozenset[ObjectReference]  # what was there already, which stays too


@dataclass(frozen=True, slots=True)
class MarkUninstalling:
    """Record that deletion began, so that a restart goes on with it."""

    because: str = ""  # of a failure, which is told with it


@dataclass(frozen=True, slots=True)
class Remove:
    """Delete objects in uninstall order, as far as the release owns them."""

    objects: tuple[JsonObject, ...]
    timeout_seconds: float
    wait: bool
    propagation: DeletionPropagation = DeletionPropagation.BACKGROUND


@dataclass(frozen=True, slots=True)
class Purge:
    """Forget all revisions, the newest last."""

    numbers: tuple[RevisionNumber, ...]


@dataclass(frozen=True, slots=True)
class MarkUninstalled:
    """Keep the history, its newest revision saying `uninstalled`: the last word."""

    because: str = ""


Step = (
    CreateNamespaces
    | InstallCRDs
    | AskAgain
    | Store
    | RunHooks
    | Apply
    | AwaitReady
    | Prune
    | MarkDeployed
    | Supersede
    | PruneHistory
    | MarkFailed
    | CleanUp
    | MarkUninstalling
    | Remove
    | Purge
    | MarkUninstalled
)
Plan = tuple[Step, ...]

# The hook events before and after the objects, and the description of a success.
_HOOKS = {
    "install": (HookEvent.PRE_INSTALL, HookEvent.POST_INSTALL, "Install complete"),
    "upgrade": (HookEvent.PRE_UPGRADE, HookEvent.POST_UPGRADE, "Upgrade complete"),
    "rollback": (HookEvent.PRE_ROLLBACK, HookEvent.POST_ROLLBACK, ""),
}


@dataclass(frozen=True, slots=True)
class Change:
    """What steps are made for: a new or resumed revision, and what stood before it."""

    kind: str  # install, upgrade or rollback: chooses hook events and words
    revision: Revision
    options: ActionOptions
    stored: bool = False  # the revision was stored before a kill
    namespaces: tuple[str, ...] = ()  # to be created
    crds: Sequence[JsonObject] = ()
    unasked: tuple[JsonObject, ...] = ()  # until the namespaces and crds above are there
    found: frozenset[ObjectReference] = frozenset()  # there already, and of no earlier revision
    taken: tuple[str, ...] = ()  # what becomes the release's, and whose it is so far
    earlier: tuple[Revision, ...] = ()  # since the last deployed one, that one included
    to_supersede: tuple[RevisionNumber, ...] = ()
    to_forget: tuple[RevisionNumber, ...] = ()
    record_bytes: int = 0  # what the revision takes as it is stored
    plan: ReleasePlan | None = None  # made where somebody has to approve of it

    @property
    def prunable(self) -> tuple[JsonObject, ...]:
        """What earlier revisions brought and does not say that it is to be kept."""
        return tuple(body for old in self.earlier for body in old.objects if not keeps(body))

    @property
    def replaces_crds(self) -> bool:
        """Whether definitions of crds/ that exist are replaced."""
        return self.options.crds is CRDPolicy.CREATE_REPLACE


def events_of(kind: str) -> tuple[HookEvent, HookEvent]:
    """Return the hook events of an install, upgrade or rollback."""
    before, after, _ = _HOOKS[kind]
    return before, after


def steps_for(change: Change) -> Plan:
    """Lay out an install, upgrade or rollback."""
    options, revision = change.options, change.revision
    before, after, description = _HOOKS[change.kind]
    plan: list[Step] = []
    if change.namespaces:
        plan.append(CreateNamespaces(change.namespaces))
    if change.crds and options.crds is not CRDPolicy.SKIP:
        plan.append(InstallCRDs(change.crds, change.replaces_crds))
    if change.unasked:
        plan.append(AskAgain(change.unasked, strict=not options.lenient))
    if not change.stored:
        plan.append(Store())
    plan += _hooks(revision, before, options)
    plan.append(
        Apply(
            strict=not options.lenient,
            force=options.force,
            immutable=options.immutable,
            timeout_seconds=options.timeout_seconds,
        )
    )
    prunes = _prunes(change)
    if options.prune.before_wait:
        plan += prunes
        prunes = []
    if not options.disable_wait:
        jobs = not options.disable_wait_for_jobs
        to_prune = prunes[0] if prunes else None
        plan.append(AwaitReady(options.timeout_seconds, complete_jobs=jobs, to_prune=to_prune))
    plan += _hooks(revision, after, options)
    plan += prunes
    plan.append(MarkDeployed(description or revision.description))
    plan += ending(change.to_supersede, change.to_forget)
    return tuple(plan)


def _prunes(change: Change) -> list[Prune]:
    return [Prune(change.prunable, change.options.prune)] if change.prunable else []


def cleanup(change: Change) -> Plan:
    """Lay out what comes before a revision of this change is marked failed."""
    # After a kill nobody knows any more what was there before it was taken over.
    unknown = change.stored and change.options.take_ownership
    if not change.options.cleanup_on_fail or unknown:
        return ()
    ran = [old for old in change.earlier if old.status.ran]
    return (CleanUp(tuple(body for old in ran for body in old.objects), change.found),)


def ending(
    to_supersede: Sequence[RevisionNumber], to_forget: Sequence[RevisionNumber]
) -> tuple[Step, ...]:
    """Lay out what follows once a revision is marked deployed."""
    steps: tuple[Step, ...] = ()
    if to_supersede:
        steps += (Supersede(tuple(to_supersede)),)
    if to_forget:
        steps += (PruneHistory(tuple(to_forget)),)
    return steps


def steps_to_uninstall(
    revisions: Sequence[Revision],
    numbers: Sequence[RevisionNumber],
    options: UninstallOptions,
    *,
    deployed: Sequence[RevisionNumber] = (),
    hooks_can_run: bool,
    because: str = "",
) -> Plan:
    """Lay out an uninstallation.

    `revisions`: the newest first, all whose objects may live; `numbers`: all that are stored;
    `deployed`: those that say so; `because`: of what failure, where it is a remediation.
    Where hooks cannot run, the namespace is going: nothing can be created or recorded in it.
    """
    newest = revisions[0]
    plan: list[Step] = [MarkUninstalling(because)] if hooks_can_run else []
    if hooks_can_run:
        plan += _hooks(newest, HookEvent.PRE_DELETE, options)
    objects = in_uninstall_order(_each_once(revisions))
    removable = tuple(body for body in objects if not keeps(body))
    wait = hooks_can_run and not options.disable_wait
    plan.append(Remove(removable, options.timeout_seconds, wait, options.propagation))
    if hooks_can_run:
        plan += _hooks(newest, HookEvent.POST_DELETE, options)
    if options.keep_history and hooks_can_run:
        older = tuple(number for number in deployed if number != newest.number)
        plan += [Supersede(older)] if older else []
        plan.append(MarkUninstalled(because))
    else:
        plan.append(Purge(tuple(sorted(numbers))))
    return tuple(plan)


def history_to_forget(
    headers: Iterable[RevisionHeader], keep: int, spared: frozenset[int]
) -> tuple[RevisionNumber, ...]:
    """Choose revisions to forget so that `keep` are left, a new one included; 0 keeps all.

    Failed ones go first, so that failures never push out what can be rolled back to; else the
    oldest. The spared ones stay: what runs, and what a pin names.
    """
    stored = sorted(headers, key=lambda header: (header.status.ran, header.number))
    if keep <= 0:
        return ()
    surplus = len(stored) + 1 - keep
    candidates = [header.number for header in stored if header.number not in spared]
    return tuple(candidates[: max(surplus, 0)])


def _hooks(
    revision: Revision, event: HookEvent, options: ActionOptions | UninstallOptions
) -> list[Step]:
    wanted = any(event in hook.events for hook in revision.hooks)
    if options.disable_hooks or not wanted:
        return []
    return [RunHooks(event, options.timeout_seconds)]


def _each_once(revisions: Sequence[Revision]) -> list[JsonObject]:
    found: dict[tuple[str, ...], JsonObject] = {}
    for revision in revisions:
        for body in revision.objects:
            metadata = body.get("metadata", {})
            identity = (
                body.get("apiVersion", "").rpartition("/")[0],
                body.get("kind", ""),
                metadata.get("namespace", ""),
                metadata.get("name", ""),
            )
            found.setdefault(identity, body)
    return list(found.values())

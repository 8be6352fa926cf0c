"""Make objects anew whose fields do not let themselves be changed, where that is allowed.

What is recreated is tried beforehand under another name, so that nothing is deleted which the API
server would not take back.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from whipstaff.errors import ClusterRefused, ImmutableField
from whipstaff.helmrelease.types import ImmutableFieldPolicy, ImmutableFields, is_guarded
from whipstaff.planning.immutable import immutable_fields, named
from whipstaff.planning.steps import Apply
from whipstaff.reconcile.ports import Cluster, Identity, ObjectReference
from whipstaff.reconcile.waiting import until_gone
from whipstaff.reconcile.world import Work, World
from whipstaff.release.manifests import keeps, owner_of
from whipstaff.release.revision import JsonObject, Revision

_PROPAGATION: Mapping[ImmutableFieldPolicy, str] = {
    # What the old object ran is gone before the new one begins: two migrations at once do harm.
    ImmutableFieldPolicy.RECREATE: "Foreground",
    ImmutableFieldPolicy.RECREATE_ORPHAN: "Orphan",
}
# Whose names are made of what they hold, so that no other name can be tried.
_NAMED_BY_CONTENT = frozenset({"CustomResourceDefinition", "APIService"})
# What the old object takes, and gives back with its deletion.
_TAKEN = re.compile(r"already (allocated|exists)|exceeded quota")
_LONGEST_NAME = 52  # the shortest that a kind allows: a CronJob's


@dataclass(frozen=True, slots=True)
class Refusal:
    """What was sent for an object, and why it was refused."""

    reference: ObjectReference
    sent: JsonObject
    refused: ClusterRefused


@dataclass(frozen=True, slots=True)
class Recreation:
    """An object that has to be made anew, and may be."""

    reference: ObjectReference
    live: JsonObject
    sent: JsonObject
    propagation: str


async def recreation_of(
    cluster: Cluster,
    identity: Identity,
    revision: Revision,
    policies: ImmutableFields,
    refusal: Refusal,
) -> Recreation:
    """Return how to go on after an apply was refused; raises why it cannot go on."""
    reference, sent, refused = refusal.reference, refusal.sent, refusal.refused
    live = await cluster.read(reference, identity)
    fields = () if live is None else immutable_fields(refused, live, sent)
    if live is None or not fields:
        raise refused
    policy = policies.policy_for(reference)
    hindrance = _hindrance(reference, live, revision, policy)
    if hindrance:
        raise ImmutableField(
            f"{reference}: {named(fields)} cannot be changed ({_said(refused)}); {hindrance}",
            refused.code,
            refused.api_reason,
            str(reference),
            refused.causes,
        ) from refused
    return Recreation(reference, live, sent, _PROPAGATION[policy])


async def try_anew(
    cluster: Cluster, identity: Identity, recreation: Recreation, *, strict: bool
) -> None:
    """Find out whether the server would take the object if there were no other."""
    reference = recreation.reference
    if reference.kind in _NAMED_BY_CONTENT:
        return
    digest = hashlib.sha256(reference.name.encode()).hexdigest()[:8]
    name = f"{reference.name[: _LONGEST_NAME - 9].rstrip('.-')}-{digest}"
    sent = {**recreation.sent, "metadata": {**recreation.sent["metadata"], "name": name}}
    trial = replace(reference, name=name)
    try:
        await cluster.apply(trial, sent, identity, dry_run=True, strict=strict)
    except ClusterRefused as refused:
        if not _TAKEN.search(refused.text):
            raise replace(
                refused, text=f"{reference} cannot be recreated: {refused.text}"
            ) from refused


async def recreate(world: World, work: Work, step: Apply, refusals: Sequence[Refusal]) -> None:
    """Delete what cannot be changed, wait until it is gone, and apply it again.

    A kill in between leaves less than there was: the next start applies what is missing.
    """
    cluster, identity = world.cluster, work.identity
    recreations = [
        await recreation_of(cluster, identity, work.revision, step.immutable, refusal)
        for refusal in refusals
    ]
    for one in recreations:
        work.story.sentence = f"recreating {one.reference}"
        await cluster.delete(one.reference, identity, propagation=one.propagation)
    gone = [one.reference for one in recreations]
    await until_gone(cluster, work, gone, step.timeout_seconds)
    for one in recreations:
        await cluster.apply(one.reference, one.sent, identity, strict=step.strict)


def _hindrance(
    reference: ObjectReference, live: JsonObject, revision: Revision, policy: ImmutableFieldPolicy
) -> str:
    """Return why the object may not be made anew; empty if it may."""
    if policy is ImmutableFieldPolicy.FAIL:
        if is_guarded(reference):
            return (
                f"a {reference.kind} is deleted and made anew only where"
                " spec.upgrade.immutableFieldPolicies names its kind"
            )
        return (
            "spec.upgrade.immutableFieldPolicy: Recreate would delete the object and make it anew"
        )
    if owner_of(live) != (revision.name, revision.namespace):
        return "it is not made anew, because it is not this release's yet"
    if keeps(live):
        return "it is not made anew, because its helm.sh/resource-policy says keep"
    return ""


def _said(refused: ClusterRefused) -> str:
    return "; ".join(dict.fromkeys(said for _, said in refused.causes))

"""Take over what others made: releases of the helm CLI and of Flux, and single objects."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from whipstaff.errors import ClusterRefused, HeldByFlux, ReleaseConflict
from whipstaff.reconcile.ports import OPERATOR, Cluster, Identity, ObjectReference
from whipstaff.release.manifests import marked_by_flux, owner_of
from whipstaff.release.revision import Hook, JsonObject

# As which versions Flux has served its HelmRelease; one that nobody serves finds nothing.
FLUX_APIS = tuple(f"helm.toolkit.fluxcd.io/{version}" for version in ("v2", "v2beta2", "v2beta1"))
_DELETE_POLICY = "helm.sh/hook-delete-policy"
_FORBIDDEN = 403
_NAMED_LIMIT = 40  # objects of others that one message names; it has room for no more


async def refuse_what_flux_tends(
    cluster: Cluster, identity: Identity, objects: Iterable[JsonObject]
) -> None:
    """Raise HeldByFlux where HelmReleases of Flux are at work on some of the objects.

    They are read in the operator's own name: they are nobody's secret, and a tenant need not be
    able to see another's. Those that a release in another cluster is marked with may be in either.
    """
    makers = sorted({maker for body in objects if (maker := marked_by_flux(body))})
    places = [OPERATOR, identity] if identity.remote is not None else [OPERATOR]
    for namespace, name in makers:
        for place in places:
            await _refuse_at_work(cluster, place, namespace, name)


async def _refuse_at_work(cluster: Cluster, identity: Identity, namespace: str, name: str) -> None:
    holder = f"HelmRelease {namespace}/{name} of Flux"
    for api_version in FLUX_APIS:
        reference = ObjectReference(api_version, "HelmRelease", namespace, name)
        try:
            flux = await cluster.read(reference, identity)
        except ClusterRefused as refused:
            if refused.code != _FORBIDDEN:
                raise
            raise HeldByFlux(
                f"what is to be taken over is marked as {holder}'s, and whether that is still at"
                f" work cannot be told: {refused.text}",
                holder,
            ) from refused
        if flux is None:
            continue
        if not (flux.get("spec") or {}).get("suspend"):
            raise HeldByFlux(
                f"{holder} is at work on what is to be taken over: set its spec.suspend to true,"
                " then delete it",
                holder,
            )
        return


def as_rendered(hook: Hook) -> Hook:
    """Return a hook of a stored revision as its template gives it.

    The helm CLI records the delete policy that counts for a hook without one, if it ran.
    """
    annotations = (hook.body.get("metadata") or {}).get("annotations") or {}
    return hook if _DELETE_POLICY in annotations else replace(hook, delete_policies=())


def whose(live: JsonObject, reference: ObjectReference) -> str:
    """Name a live object that is to be taken over, and say whose it is."""
    owner = owner_of(live)
    return f"{reference} ({f'of release {owner[1]}/{owner[0]}' if owner else 'of no release'})"


def takeover(owners: Sequence[str]) -> str:
    """Say in a sentence what is taken over; `owners` as `whose` says."""
    return f"takes over {_listed(owners)}"


def conflict(kind: str, owners: Iterable[str], refusal: str, holder: str) -> ReleaseConflict:
    """Return the error that names all objects of others which a release wants.

    `kind`: install, upgrade or rollback; `owners`: what `whose` says of each; `refusal`: what Helm
    would say of the first.
    """
    named = sorted(owners)
    way = f"to take over what is there, set spec.{kind}.disableTakeOwnership to false"
    if len(named) == 1:
        return ReleaseConflict(f"{refusal}; {way}", holder)
    text = f"{len(named)} objects exist and are not this release's: {_listed(named)}; {way}"
    return ReleaseConflict(text, holder)


def _listed(owners: Sequence[str]) -> str:
    more = len(owners) - _NAMED_LIMIT
    return ", ".join([*owners[:_NAMED_LIMIT], *([f"and {more} more"] if more > 0 else [])])

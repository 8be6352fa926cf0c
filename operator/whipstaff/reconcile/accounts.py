"""What a refusal of a release's ServiceAccount comes from: its rights, or that there is none."""

from whipstaff.errors import ClusterRefused, OperatorError, ServiceAccountNotFound
from whipstaff.helmrelease.types import HelmRelease
from whipstaff.reconcile.ports import ObjectReference
from whipstaff.reconcile.world import World, identity_of

_FORBIDDEN = 403


async def explained(world: World, release: HelmRelease, refusal: OperatorError) -> OperatorError:
    """Return the refusal, or one that says that the account which was refused does not exist.

    The API server lets anyone be impersonated by name: who does not exist merely has no rights.
    """
    identity = identity_of(release)
    refused = isinstance(refusal, ClusterRefused) and refusal.code == _FORBIDDEN
    if not refused or identity.username not in refusal.text or not identity.service_account:
        return refusal
    account = ObjectReference("v1", "ServiceAccount", identity.namespace, identity.service_account)
    try:
        if await world.cluster.read(account, identity.unimpersonated) is not None:
            return refusal
    except OperatorError:
        return refusal  # who may not look cannot say
    return ServiceAccountNotFound(
        f"ServiceAccount {identity.namespace}/{identity.service_account}, as which this release "
        f"acts, does not exist: {refusal.text}",
        _FORBIDDEN,
        object_reference=str(account),
    )

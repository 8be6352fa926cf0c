"""Where a release was when status was last written: it may be wanted elsewhere since."""

from whipstaff.helmrelease.types import HelmRelease, Placement
from whipstaff.release.revision import JsonObject


def told_of_placement(placement: Placement) -> JsonObject:
    """Return what status keeps of a placement."""
    return {
        "name": placement.release_name,
        "namespace": placement.target_namespace,
        "storageNamespace": placement.storage_namespace,
    }


def placement_told(status: JsonObject) -> Placement | None:
    """Read it back; None where status tells of none."""
    told = status.get("release")
    if not isinstance(told, dict):
        return None
    texts = [told.get(key) for key in ("name", "namespace", "storageNamespace")]
    if not all(isinstance(text, str) and text for text in texts):
        return None
    return Placement(*map(str, texts))


def former_placement(release: HelmRelease) -> Placement | None:
    """Return where the release was before its spec named another place; None if it did not."""
    told = placement_told(release.status)
    return None if told == release.spec.placement else told

"""Releases that the helm command made, as their last revision has them."""

from collections.abc import Iterable, Iterator

from whipstaff.chart.record import plain
from whipstaff.cli.conversion.drafts import Draft, Note
from whipstaff.cli.conversion.originals import copied
from whipstaff.helmrelease.names import KIND
from whipstaff.release.manifests import FLUX_NAME_LABEL
from whipstaff.release.marks import MARK_PREFIX
from whipstaff.release.revision import ReleaseStatus
from whipstaff.release.stored import StoredRelease


def releases(found: Iterable[StoredRelease], repository: str) -> Iterator[Draft]:
    """Convert releases whose charts are in a repository; it is left open where none is given."""
    for release in found:
        yield _release(release, repository)


def whose(release: StoredRelease) -> str:
    """Say who looks after a release, if it is not left to people with the helm command."""
    if any(label.startswith(MARK_PREFIX) for label in release.labels):
        return "is a HelmRelease's already"
    if f"{FLUX_NAME_LABEL}: " in release.manifest:
        return "is Flux's: convert its HelmRelease"
    if release.status == ReleaseStatus.UNINSTALLED:
        return "is uninstalled"
    return ""


def _release(release: StoredRelease, repository: str) -> Draft:
    home = release.namespace or release.storage_namespace
    draft = Draft.new(KIND, release.name, home, f"release {home}/{release.name}")
    metadata = release.chart_metadata
    draft.put(("spec", "chart"), {})
    for field in ("name", "version"):
        if metadata.get(field):
            draft.put(("spec", "chart", field), str(metadata[field]))
    if repository:
        draft.put(("spec", "chart", "repository"), repository)
    else:
        text = "is not stored with a release: say --repo URL, or write spec.chart.repository"
        _tell(draft, ("spec", "chart"), "repository", text, lost=True)
    if release.storage_namespace not in {home, ""}:
        draft.put(("spec", "storageNamespace"), release.storage_namespace)
    if release.config:
        draft.put(("spec", "values"), plain(copied(release.config)))
        text = "may hold what is secret: that goes into a Secret which valuesFrom names"
        _tell(draft, ("spec",), "values", text, lost=False)
    if release.status != ReleaseStatus.DEPLOYED:
        text = f"is {release.status}: this revision may be another one than what runs"
        _tell(draft, (), f"revision {release.number}", text, lost=True)
    for name in sorted(release.own_labels):
        text = "was left out: a label of the revision, and of none that follows"
        _tell(draft, ("metadata",), f"label {name}", text, lost=True)
    return draft


def _tell(draft: Draft, place: tuple[str, ...], field: str, text: str, *, lost: bool) -> None:
    draft.notes.append(Note(place, field, text, lost=lost))

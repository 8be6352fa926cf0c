"""What the list of stored revisions tells about the cluster."""

from collections.abc import Sequence

from whipstaff.release.revision import ReleaseStatus, RevisionHeader


def living(headers: Sequence[RevisionHeader]) -> tuple[RevisionHeader, ...]:
    """Choose the revisions whose objects may live, from headers that are newest first.

    All down to the newest that is deployed: a failed one left what it had applied. Where none is
    deployed (a rollback of the helm CLI that failed leaves it so), the newest superseded one ran.
    """
    last = ReleaseStatus.DEPLOYED
    if not any(header.status is ReleaseStatus.DEPLOYED for header in headers):
        last = ReleaseStatus.SUPERSEDED
    found = []
    for header in headers:
        if header.status is ReleaseStatus.UNINSTALLED:
            break
        if header.status is last or header.status is not ReleaseStatus.SUPERSEDED:
            found.append(header)
        if header.status is last:
            break
    return tuple(found)

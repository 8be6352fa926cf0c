"""What is remembered and told of drift: `status.drift`, and the condition Drifted.

Corrections are counted by object and fields within a window that begins with the first one, so that
two who want different things do not change an object for ever.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum

from whipstaff.planning.drift import Drift
from whipstaff.release.objects import ObjectReference
from whipstaff.release.revision import JsonObject, RevisionNumber

CORRECTIONS_LIMIT = 5  # of the same drift within the window
WINDOW_SECONDS = 3600
NOTES_LIMIT = 50  # in status
FIELDS_LIMIT = 10  # of one object, in status
FIELD_CHARACTERS_LIMIT = 200
TOLD_LIMIT = 5  # objects in a message
WHY_CHARACTERS_LIMIT = 512

Condition = tuple[str, str, str]  # status, reason and message


class Standing(StrEnum):
    """What became of a drift."""

    CORRECTED = "Corrected"
    FOUND = "Found"  # and left alone, as mode says
    RECURS = "Recurs"  # corrected as often as it may be
    REFUSED = "Refused"  # the API server does not let us look, or put it right


class DriftReason(StrEnum):
    """Reasons of the condition Drifted; docs/conditions.md explains each."""

    NONE = "NoDriftDetected"
    CORRECTED = "DriftCorrected"
    FOUND = "DriftDetected"
    RECURS = "DriftRecurs"
    REFUSED = "DriftCorrectionFailed"
    UNKNOWN = "DriftUnknown"


@dataclass(frozen=True, slots=True)
class Note:
    """One drift, and what became of it."""

    drift: Drift
    standing: Standing
    corrections: int = 0  # since `since`
    since: int = 0  # Unix seconds
    why: str = ""  # it was refused

    @property
    def open(self) -> bool:
        """Whether the object is still not as the release has it."""
        return self.standing is not Standing.CORRECTED

    @property
    def about(self) -> tuple[object, ...]:
        """What makes two drifts the same."""
        return self.drift.reference, self.drift.missing, _told_fields(self.drift)


@dataclass(frozen=True, slots=True)
class DriftFindings:
    """What a look at the objects of a release gave."""

    notes: tuple[Note, ...] = ()
    unknown: str = ""  # why it could not be found out


def remembered_notes(status: JsonObject, now: int) -> tuple[Note, ...]:
    """Read back what status tells, but for what is too old to count."""
    found = status.get("drift")
    entries = found if isinstance(found, list) else []
    notes = (_note(entry) for entry in entries if isinstance(entry, dict))
    return tuple(note for note in notes if note and _counts(note, now))


def corrections_before(notes: Sequence[Note], drift: Drift) -> int:
    """Return how often the same was put right within the window."""
    about = Note(drift, Standing.FOUND).about
    for note in notes:
        if note.about == about:
            return note.corrections
    # Where there are more than are remembered, each may have been fought over as often as any.
    return max((note.corrections for note in notes), default=0) if _full(notes) else 0


def noted(notes: Sequence[Note], found: Iterable[Note], now: int) -> tuple[Note, ...]:
    """Lay what was found now over what is remembered."""
    before = {note.about: note for note in notes}
    current: dict[tuple[object, ...], Note] = {}
    for note in found:
        old = before.get(note.about)
        goes_on = old is not None and bool(old.corrections) == bool(note.corrections)
        current[note.about] = replace(note, since=old.since if old and goes_on else now)
    new = sorted(current.values(), key=lambda note: (not note.open, note.drift.reference))
    kept = (note for about, note in before.items() if not (note.open or about in current))
    return (*new, *kept)[:NOTES_LIMIT]


def entries_of(notes: Sequence[Note]) -> list[JsonObject]:
    """Return what `status.drift` says."""
    return [_entry(note) for note in notes]


def condition_of(findings: DriftFindings, number: RevisionNumber) -> Condition:
    """Return the condition Drifted; `number` is the revision that runs."""
    if findings.unknown:
        return "Unknown", DriftReason.UNKNOWN, findings.unknown
    standings = {note.standing for note in findings.notes}
    reasons = {
        Standing.REFUSED: DriftReason.REFUSED,
        Standing.RECURS: DriftReason.RECURS,
        Standing.FOUND: DriftReason.FOUND,
        Standing.CORRECTED: DriftReason.CORRECTED,
    }
    reason = next((reasons[each] for each in reasons if each in standings), DriftReason.NONE)
    if reason is DriftReason.NONE:
        return "False", reason, f"the objects are as revision {number} has them"
    if reason is DriftReason.CORRECTED:
        return "False", reason, _told(findings.notes, Standing.CORRECTED)
    texts = (_told(findings.notes, each) for each in reasons if each is not Standing.CORRECTED)
    return "True", reason, "; ".join(filter(None, texts))


_BEFORE = {
    Standing.REFUSED: "cannot be put right",
    Standing.RECURS: f"put right {CORRECTIONS_LIMIT} times within an hour, and changed again",
    Standing.FOUND: "changed by others",
    Standing.CORRECTED: "put right",
}


def _told(notes: Sequence[Note], standing: Standing) -> str:
    chosen = [note for note in notes if note.standing is standing]
    if not chosen:
        return ""
    # A drift that comes again gives the same message, and no event.
    texts = [f"{note.drift}: {note.why}" if note.why else str(note.drift) for note in chosen]
    more = f"; and {len(texts) - TOLD_LIMIT} more" if len(texts) > TOLD_LIMIT else ""
    return f"{_BEFORE[standing]}: {'; '.join(texts[:TOLD_LIMIT])}{more}"


def _counts(note: Note, now: int) -> bool:
    """Whether a note is not too old; one without a correction stays as long as its drift."""
    return not note.corrections or 0 <= now - note.since < WINDOW_SECONDS


def _full(notes: Sequence[Note]) -> bool:
    return len(notes) >= NOTES_LIMIT


def _told_fields(drift: Drift) -> tuple[str, ...]:
    more = len(drift.fields) - FIELDS_LIMIT
    told = tuple(field[:FIELD_CHARACTERS_LIMIT] for field in drift.fields[:FIELDS_LIMIT])
    return (*told, f"… and {more} more") if more > 0 else told


def _entry(note: Note) -> JsonObject:
    drift, reference = note.drift, note.drift.reference
    entry = {
        "apiVersion": reference.api_version,
        "kind": reference.kind,
        "namespace": reference.namespace,
        "name": reference.name,
        "standing": str(note.standing),
        "missing": drift.missing,
        "fields": list(_told_fields(drift)),
        "managers": list(drift.managers[:FIELDS_LIMIT]),
        "corrections": note.corrections,
        "since": datetime.fromtimestamp(note.since, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "why": note.why[:WHY_CHARACTERS_LIMIT],
    }
    return {name: value for name, value in entry.items() if value not in ("", 0, [], False)}


def _note(entry: JsonObject) -> Note | None:
    """Read an entry; one that somebody else wrote over counts as forgotten."""
    try:
        reference = ObjectReference(
            *(str(entry.get(name, "")) for name in ("apiVersion", "kind", "namespace", "name"))
        )
        drift = Drift(
            reference,
            tuple(map(str, entry.get("fields") or ())),
            tuple(map(str, entry.get("managers") or ())),
            missing=bool(entry.get("missing")),
        )
        since = int(datetime.fromisoformat(str(entry.get("since"))).timestamp())
        corrections = int(entry.get("corrections") or 0)
        standing = Standing(str(entry.get("standing")))
        return Note(drift, standing, corrections, since, str(entry.get("why", "")))
    except (TypeError, ValueError, OverflowError):
        return None

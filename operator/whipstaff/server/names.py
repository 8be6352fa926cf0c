"""Names of charts, versions and repositories, judged before a path is made of them."""

import re

from whipstaff.server.refusals import bad, not_found

ARCHIVE = ".tgz"
PROVENANCE = ".tgz.prov"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+_-]*")
_LONGEST_FILE_NAME = 255  # of the usual file systems
_LONGEST_REPOSITORY = 63
# Paths of the server's own: a repository of this name could never be asked.
_TAKEN = frozenset({"api", "charts", "health", "info", "index.yaml"})


def archive_name(name: str, version: str) -> str:
    """Return the file name of a chart's archive; Refusal for what is no name or version."""
    if not _NAME.fullmatch(name):
        raise bad(f"chart name {_short(name)} is improperly formatted")
    if not _VERSION.fullmatch(version):
        raise bad(f"chart version {_short(version)} is improperly formatted")
    if len(f"{name}-{version}{PROVENANCE}") > _LONGEST_FILE_NAME:
        raise bad(f"chart name {_short(name)} is too long")
    return f"{name}-{version}{ARCHIVE}"


def is_file_name(text: str) -> bool:
    """Whether a file that is asked for may be one of ours."""
    is_short = len(text) <= _LONGEST_FILE_NAME
    return is_short and bool(_VERSION.fullmatch(text)) and text.endswith((ARCHIVE, PROVENANCE))


def folder_of(tenant: tuple[str, ...]) -> str:
    """Return the folder of a repository, empty for the only one; Refusal if it is no name."""
    for number, part in enumerate(tenant):
        taken = number == 0 and part in _TAKEN
        if taken or len(part) > _LONGEST_REPOSITORY or not _NAME.fullmatch(part):
            raise not_found("not found")
    return "/".join(tenant)


def is_folder_name(text: str, *, first: bool) -> bool:
    """Whether a folder of the storage can be (part of) a repository's name."""
    return bool(_NAME.fullmatch(text)) and not (first and text in _TAKEN)


def _short(text: str) -> str:
    return repr(text[:_LONGEST_REPOSITORY])

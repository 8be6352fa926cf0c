"""Read a tar archive of nothing but plain files and folders, which is what charts are.

Links, long names, sparse files and whatever is damaged are left to the standard library, which
takes much longer for each member.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

_BLOCK = 512
_END = bytes(_BLOCK)
_MAGICS = (b"ustar\x0000", b"ustar  \x00")
_REGULAR = (b"0", b"\x00")
_FOLDER = b"5"
_OCTAL = re.compile(rb"[0-7]{1,11}")
_BLANK_CHECKSUM = 8 * ord(" ")


class Member(NamedTuple):
    """A regular file; `modified` in seconds since 1970."""

    name: str
    modified: int
    content: bytes

    @property
    def size(self) -> int:
        return len(self.content)


def members(archive: bytes) -> Sequence[Member] | None:
    """The regular files of an archive; None if anything in it is not plain."""
    found: list[Member] = []
    at, end = 0, len(archive)
    while at + _BLOCK <= end:
        header = archive[at : at + _BLOCK]
        if header == _END:
            return found
        at += _BLOCK
        kind = header[156:157]
        size, modified = _number(header[124:136]), _number(header[136:148])
        if not _is_plain(header) or size is None or modified is None or at + size > end:
            return None
        if kind in _REGULAR:
            name = header[:100].partition(b"\x00")[0]
            if prefix := header[345:500].partition(b"\x00")[0]:
                name = prefix + b"/" + name
            if name.endswith(b"/"):
                return None
            text = name.decode("utf-8", "surrogateescape")
            found.append(Member(text, modified, archive[at : at + size]))
        elif kind != _FOLDER or size:
            return None
        at += -(-size // _BLOCK) * _BLOCK
    return None


def _is_plain(header: bytes) -> bool:
    """Whether the header has a known form, and its checksum is right."""
    if header[257:265] not in _MAGICS or (header[263:265] != b"00" and any(header[345:500])):
        return False
    checksum = _number(header[148:156])
    return checksum == sum(header[:148]) + sum(header[156:]) + _BLANK_CHECKSUM


def _number(field: bytes) -> int | None:
    """The value of an octal field; None if it has another form."""
    digits = field.strip(b"\x00 ")
    if not digits:
        return 0
    return (
        int(digits, 8) if digits.isdigit() and b"8" not in digits and b"9" not in digits else None
    )

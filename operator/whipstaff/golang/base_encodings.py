"""Decode base64 and base32 as Go does: line ends are skipped, errors name a byte."""

import base64
import re

from whipstaff.golang.values import go_bytes

_ALPHABET64 = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
_ALPHABET32 = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
_WHOLE64 = re.compile(rb"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
_LINE_ENDS = b"\r\n"
_PAD = ord("=")


class CorruptInput(ValueError):
    """Text that is no base64 or base32."""

    def __init__(self, encoding: str, position: int) -> None:
        super().__init__(f"illegal {encoding} data at input byte {position}")


def decode64(text: str) -> bytes:
    """The bytes of a padded base64 text."""
    data = go_bytes(text)
    bare = data.translate(None, _LINE_ENDS)
    if not _WHOLE64.fullmatch(bare):
        raise CorruptInput("base64", _corrupt64(data))
    return base64.b64decode(bare)


def _corrupt64(data: bytes) -> int:
    """Where Go finds the first fault in a text that has one."""
    filled = 0
    for position, byte in enumerate(data):
        if byte in _LINE_ENDS:
            continue
        if byte in _ALPHABET64:
            filled = (filled + 1) % 4
        elif byte != _PAD or filled < 2:  # noqa: PLR2004  as Go has it
            return position
        else:
            return _corrupt_padding64(data, position + 1, filled)
    return len(data) - filled


def _corrupt_padding64(data: bytes, position: int, filled: int) -> int:
    position = _past_line_ends(data, position)
    if filled == 2:  # noqa: PLR2004  as Go has it
        if position == len(data):
            return position
        if data[position] != _PAD:
            return position - 1
        position = _past_line_ends(data, position + 1)
    return position


def _past_line_ends(data: bytes, position: int) -> int:
    while position < len(data) and data[position] in _LINE_ENDS:
        position += 1
    return position


def decode32(text: str) -> bytes:
    """The bytes of a padded base32 text."""
    data = go_bytes(text).translate(None, _LINE_ENDS)
    size = _valid_size32(data)
    quantum = data[:size]
    return base64.b32decode(quantum + b"=" * (-size % 8))


def _valid_size32(data: bytes) -> int:
    """How many characters before the padding."""
    for position, byte in enumerate(data):
        if byte in _ALPHABET32:
            continue
        filled = position % 8
        left = len(data) - position - 1
        if byte != _PAD or filled < 2 or left >= 8:  # noqa: PLR2004  as Go has it
            raise CorruptInput("base32", position)
        if left + filled < 7:  # noqa: PLR2004  as Go has it
            raise CorruptInput("base32", len(data))
        for offset in range(7 - filled):
            if data[position + 1 + offset] != _PAD:
                raise CorruptInput("base32", position + offset)
        if filled in {3, 6}:
            raise CorruptInput("base32", position)
        return position
    if len(data) % 8:
        raise CorruptInput("base32", len(data) - len(data) % 8)
    return len(data)

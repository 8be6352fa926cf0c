"""What a registry asks for before it answers: the header WWW-Authenticate (RFC 9110, 11.6.1)."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PIECE = re.compile(
    rf'(?P<name>{_WORD})\s*=\s*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<bare>[^\s,"]*))'
    rf"|(?P<scheme>{_WORD})"
)
_ESCAPED = re.compile(r"\\(.)")


@dataclass(frozen=True, slots=True)
class Challenge:
    """One way to prove who one is; `scheme` and the names of parameters are in small letters."""

    scheme: str
    parameters: Mapping[str, str]


def challenges(headers: Iterable[str]) -> list[Challenge]:
    """Read the values of all headers WWW-Authenticate; what cannot be read is passed over."""
    found: list[tuple[str, dict[str, str]]] = []
    for header in headers:
        for piece in _PIECE.finditer(header):
            if scheme := piece["scheme"]:
                found.append((scheme.lower(), {}))
            elif found:
                value = piece["bare"] if piece["quoted"] is None else piece["quoted"]
                found[-1][1].setdefault(piece["name"].lower(), _ESCAPED.sub(r"\1", value))
    return [Challenge(scheme, parameters) for scheme, parameters in found]

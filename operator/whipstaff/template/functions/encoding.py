"""sprig's encodings. Decoders answer a broken text with Go's error text, not with a failure."""

from __future__ import annotations

import base64

from whipstaff.golang import base_encodings
from whipstaff.golang.values import go_bytes, go_text
from whipstaff.template.functions.registry import Function, GoType, function

FAMILY: dict[str, Function] = {}


@function("b64enc", GoType.STRING)
def b64enc(text: str) -> str:
    """The text in base64."""
    return base64.b64encode(go_bytes(text)).decode("ascii")


@function("b64dec", GoType.STRING)
def b64dec(text: str) -> str:
    """The text that base64 holds."""
    try:
        return go_text(base_encodings.decode64(text))
    except base_encodings.CorruptInput as error:
        return str(error)


@function("b32enc", GoType.STRING)
def b32enc(text: str) -> str:
    """The text in base32."""
    return base64.b32encode(go_bytes(text)).decode("ascii")


@function("b32dec", GoType.STRING)
def b32dec(text: str) -> str:
    """The text that base32 holds."""
    try:
        return go_text(base_encodings.decode32(text))
    except base_encodings.CorruptInput as error:
        return str(error)

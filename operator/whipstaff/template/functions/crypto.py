"""sprig's hashes, passwords, ciphers and random values; its keys are in `certificates`.

`cryptography` and `bcrypt` are imported by the functions that need them: most charts do not.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import uuid
import zlib
from typing import TYPE_CHECKING

from whipstaff.golang import base_encodings
from whipstaff.golang.values import go_bytes, go_text
from whipstaff.template.errors import FunctionError
from whipstaff.template.functions import certificates
from whipstaff.template.functions.bounds import check_size
from whipstaff.template.functions.lists import MAKE_SLICE
from whipstaff.template.functions.registry import Function, GoType, function

if TYPE_CHECKING:
    from whipstaff.template.scope import RenderScope

FAMILY: dict[str, Function] = dict(certificates.FAMILY)


@function("sha1sum", GoType.STRING)
def sha1sum(text: str) -> str:
    """The SHA-1 digest in hexadecimal."""
    return hashlib.sha1(go_bytes(text), usedforsecurity=False).hexdigest()


@function("sha256sum", GoType.STRING)
def sha256sum(text: str) -> str:
    """The SHA-256 digest in hexadecimal."""
    return hashlib.sha256(go_bytes(text)).hexdigest()


@function("sha512sum", GoType.STRING)
def sha512sum(text: str) -> str:
    """The SHA-512 digest in hexadecimal."""
    return hashlib.sha512(go_bytes(text)).hexdigest()


@function("adler32sum", GoType.STRING)
def adler32sum(text: str) -> str:
    """The Adler-32 checksum in decimal."""
    return str(zlib.adler32(go_bytes(text)))


_BCRYPT_ROUNDS = 10
_BCRYPT_BYTES = 72


@function("bcrypt", GoType.STRING)
def bcrypt(password: str) -> str:
    """The password's bcrypt hash; a text that says so if it is too long for one."""
    import bcrypt as library  # noqa: PLC0415  loaded on first use

    data = go_bytes(password)
    if len(data) > _BCRYPT_BYTES:
        return (
            "failed to encrypt string with bcrypt: "
            f"bcrypt: password length exceeds {_BCRYPT_BYTES} bytes"
        )
    return library.hashpw(data, library.gensalt(_BCRYPT_ROUNDS, b"2a")).decode("ascii")


@function("htpasswd", GoType.STRING, GoType.STRING)
def htpasswd(username: str, password: str) -> str:
    """A line for Apache's password file; a text that says so for a name with a colon."""
    if ":" in username:
        return f"invalid username: {username}"
    return f"{username}:{bcrypt(password)}"


@function("randBytes", GoType.INT, scoped=True)
def rand_bytes(scope: RenderScope, count: int) -> str:
    """`count` random bytes in base64."""
    if count < 0:
        raise FunctionError(MAKE_SLICE)
    check_size(count)
    return base64.b64encode(scope.effects.random.randbytes(count)).decode("ascii")


@function("uuidv4", scoped=True)
def uuidv4(scope: RenderScope) -> str:
    """A random UUID."""
    return str(uuid.UUID(bytes=scope.effects.random.randbytes(16), version=4))


_BLOCK_BYTES = 16
_KEY_BYTES = 32


@function("encryptAES", GoType.STRING, GoType.STRING, scoped=True)
def encrypt_aes(scope: RenderScope, password: str, text: str) -> str:
    """AES-256-CBC with the password as key, cut or zero-filled; the vector stands in front."""
    if not text:
        return ""
    from cryptography.hazmat.primitives.ciphers import (  # noqa: PLC0415  loaded on first use
        Cipher,
        algorithms,
        modes,
    )

    data = go_bytes(text)
    padding = _BLOCK_BYTES - len(data) % _BLOCK_BYTES
    vector = scope.effects.random.randbytes(_BLOCK_BYTES)
    encryptor = Cipher(algorithms.AES(_aes_key(password)), modes.CBC(vector)).encryptor()
    sealed = encryptor.update(data + bytes([padding]) * padding) + encryptor.finalize()
    return base64.b64encode(vector + sealed).decode("ascii")


@function("decryptAES", GoType.STRING, GoType.STRING)
def decrypt_aes(password: str, text: str) -> str:
    """What `encryptAES` was given; with another password, whatever comes out, or Go's panic."""
    if not text:
        return ""
    from cryptography.hazmat.primitives.ciphers import (  # noqa: PLC0415  loaded on first use
        Cipher,
        algorithms,
        modes,
    )

    try:
        data = base_encodings.decode64(text)
    except base_encodings.CorruptInput as error:
        raise FunctionError(str(error)) from error
    _check_sealed(data, capacity=len(go_bytes(text)) // 4 * 3)
    cipher = Cipher(algorithms.AES(_aes_key(password)), modes.CBC(data[:_BLOCK_BYTES]))
    decryptor = cipher.decryptor()
    opened = decryptor.update(data[_BLOCK_BYTES:]) + decryptor.finalize()
    end = len(opened) - opened[-1]
    if end < 0:
        raise FunctionError(f"runtime error: slice bounds out of range [:{end}]")
    return go_text(opened[:end])


def _aes_key(password: str) -> bytes:
    return go_bytes(password)[:_KEY_BYTES].ljust(_KEY_BYTES, b"\0")


def _check_sealed(data: bytes, *, capacity: int) -> None:
    bounds = "runtime error: slice bounds out of range"
    if capacity < _BLOCK_BYTES:
        raise FunctionError(f"{bounds} [:{_BLOCK_BYTES}] with capacity {capacity}")
    if len(data) < _BLOCK_BYTES:
        raise FunctionError(f"{bounds} [{_BLOCK_BYTES}:{len(data)}]")
    if len(data) % _BLOCK_BYTES:
        raise FunctionError("crypto/cipher: input not full blocks")
    if len(data) == _BLOCK_BYTES:
        raise FunctionError("runtime error: index out of range [-1]")


_MASTER_SEED = b"com.lyndir.masterpassword"
_PASSWORD_SHAPES = {
    "maximum": ("anoxxxxxxxxxxxxxxxxx", "axxxxxxxxxxxxxxxxxno"),
    "long": (
        *("CvcvnoCvcvCvcv", "CvcvCvcvnoCvcv", "CvcvCvcvCvcvno", "CvccnoCvcvCvcv", "CvccCvcvnoCvcv"),
        *("CvccCvcvCvcvno", "CvcvnoCvccCvcv", "CvcvCvccnoCvcv", "CvcvCvccCvcvno", "CvcvnoCvcvCvcc"),
        *("CvcvCvcvnoCvcc", "CvcvCvcvCvccno", "CvccnoCvccCvcv", "CvccCvccnoCvcv", "CvccCvccCvcvno"),
        *("CvcvnoCvccCvcc", "CvcvCvccnoCvcc", "CvcvCvccCvccno", "CvccnoCvcvCvcc", "CvccCvcvnoCvcc"),
        "CvccCvcvCvccno",
    ),
    "medium": ("CvcnoCvc", "CvcCvcno"),
    "short": ("Cvcn",),
    "basic": ("aaanaaan", "aannaaan", "aaannaaa"),
    "pin": ("nnnn",),
}
_PASSWORD_CHARACTERS = {
    "V": "AEIOU",
    "C": "BCDFGHJKLMNPQRSTVWXYZ",
    "v": "aeiou",
    "c": "bcdfghjklmnpqrstvwxyz",
    "A": "AEIOUBCDFGHJKLMNPQRSTVWXYZ",
    "a": "AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz",
    "n": "0123456789",
    "o": "@&%?,=[]_:-+*$#!'^~;()/.",
    "x": "AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz0123456789!@#$%^&*()",
}


@function(
    "derivePassword", GoType.UINT32, GoType.STRING, GoType.STRING, GoType.STRING, GoType.STRING
)
def derive_password(counter: int, shape: str, password: str, user: str, site: str) -> str:
    """The Master Password algorithm's password for a site."""
    shapes = _PASSWORD_SHAPES.get(shape)
    if shapes is None:
        return f"cannot find password template {shape}"
    key = hashlib.scrypt(
        go_bytes(password),
        salt=_MASTER_SEED + _counted(user),
        n=32768,
        r=8,
        p=2,
        maxmem=128 << 20,
        dklen=64,
    )
    message = _MASTER_SEED + _counted(site) + (counter & 0xFFFFFFFF).to_bytes(4, "big")
    seed = hmac.digest(key, message, "sha256")
    chosen = shapes[seed[0] % len(shapes)]
    return "".join(
        characters[byte % len(characters)]
        for byte, characters in zip(
            seed[1:], (_PASSWORD_CHARACTERS[kind] for kind in chosen), strict=False
        )
    )


def _counted(text: str) -> bytes:
    data = go_bytes(text)
    return len(data).to_bytes(4, "big") + data

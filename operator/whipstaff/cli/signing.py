"""Sign as `helm package --sign` does, with a secret key that GnuPG exported."""

import getpass
import os
import stat
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from whipstaff.cli import given_files
from whipstaff.cli.given_values import os_text
from whipstaff.cli.helm_home import Refused
from whipstaff.golang.strconv import quote

if TYPE_CHECKING:
    from pysequoia import PySigner, Tsk
    from pysequoia.packet import Packet

_NOT_SECRET = "provided key is not a private key. Try providing a keyring with secret keys"  # noqa: S105
_NO_KEYS = "openpgp: invalid data: tag byte does not have MSB set"
_BYTE_LIMIT = 1 << 16  # of a passphrase's file


class Passphrase:
    """What opens a secret key: the first line of a file, or what a person says."""

    def __init__(self, file: str = "") -> None:
        self._file = file  # `-` is standard input
        self._line: str | None = None

    def prepare(self) -> None:
        """Read the file, if there is one and it was not read before; Refused in Helm's words."""
        if self._file and self._line is None:
            self._line = _first_line(self._file)

    def of(self, user: str) -> str:
        """Return the passphrase of a user's key."""
        return _asked(user) if self._line is None else self._line


def sign(text: str, keyring: str, name: str, passphrase: Passphrase) -> bytes:
    """Return the text with the signature of the one key that has `name` in a user's name.

    Refused in Helm's words.
    """
    import pysequoia  # noqa: PLC0415 - 13 ms for those who sign

    users, packets = _named(_keys(keyring), name)
    passphrase.prepare()
    signer = _signer(packets, users[0] if users else "Unknown", passphrase)
    try:
        return pysequoia.sign(signer, text.encode(), mode=pysequoia.SignatureMode.CLEAR)
    except (RuntimeError, ValueError) as error:
        raise Refused("openpgp: the key cannot sign") from error


_Key = tuple[list[str], "list[Packet]"]  # the names of its users, and what it consists of


def _keys(keyring: str) -> "Iterator[_Key]":
    """The keys of a keyring, public ones too."""
    from pysequoia.packet import PacketPile, Tag  # noqa: PLC0415

    try:
        data = given_files.read(keyring)
    except OSError as error:
        raise Refused(os_text(keyring, error)) from error
    try:
        packets = list(PacketPile.from_bytes(data))
    except (RuntimeError, ValueError) as error:
        raise Refused(_NO_KEYS) from error
    found: list[_Key] = []
    for packet in packets:
        if packet.tag in (Tag.SecretKey, Tag.PublicKey):
            found.append(([], []))
        if not found:
            raise Refused(_NO_KEYS)
        users, parts = found[-1]
        parts.append(packet)
        if packet.tag == Tag.UserID:
            users.append(str(packet.user_id))
    yield from found


def _named(keys: "Iterator[_Key]", name: str) -> _Key:
    """The key of a user of this name, else the only one that has it in a user's name."""
    candidates = []
    for key in keys:
        for user in key[0]:
            if user == name:
                return key
            if name in user:
                candidates.append(key)
    if len(candidates) > 1:
        raise Refused(f"more than one key contain the id {quote(name)}")
    if not candidates:
        raise Refused("private key not found")
    return candidates[0]


def _signer(packets: "Sequence[Packet]", user: str, passphrase: Passphrase) -> "PySigner":
    from pysequoia import Tsk  # noqa: PLC0415
    from pysequoia.packet import Tag  # noqa: PLC0415

    if packets[0].tag != Tag.SecretKey:
        raise Refused(_NOT_SECRET)
    try:
        key = Tsk.from_packets(packets)
    except (RuntimeError, ValueError) as error:
        raise Refused(_NOT_SECRET) from error
    return _unlocked(key, user, passphrase)


def _unlocked(key: "Tsk", user: str, passphrase: Passphrase) -> "PySigner":
    try:
        return key.signer()
    except (RuntimeError, ValueError) as error:
        if "encrypted" not in str(error):
            raise Refused("openpgp: no key that may sign, or none that is valid today") from error
    try:
        return key.signer(passphrase.of(user))
    except (RuntimeError, ValueError) as error:
        raise Refused("openpgp: invalid data: private key checksum failure") from error


def _first_line(file: str) -> str:
    try:
        if file == "-":
            if not stat.S_ISFIFO(os.fstat(sys.stdin.fileno()).st_mode):
                raise Refused("specified reading passphrase from stdin, without input on stdin")
            line = sys.stdin.buffer.readline(_BYTE_LIMIT)
        else:
            with Path(file).open("rb") as lines:
                line = lines.readline(_BYTE_LIMIT)
    except OSError as error:
        raise Refused(os_text(file, error)) from error
    if not line:
        raise Refused("EOF")
    return line.removesuffix(b"\n").removesuffix(b"\r").decode("utf-8", "surrogateescape")


def _asked(user: str) -> str:
    click.echo(f"Password for key {quote(user)} >  ", nl=False)
    if not sys.stdin.isatty():
        click.echo()
        raise Refused("inappropriate ioctl for device")
    return getpass.getpass("")

"""Read an index.yaml line by line, as far as it is laid out as Helm lays it out.

Most of an index is nothing that choosing a version needs. What is indented more deeply than the
keys of an entry belongs to the key before it, whatever it says: so it is passed over, and only
`name`, `version`, `urls` and `digest` are read. Anything laid out in another way is Unusual, and is
for a whole reader of YAML to judge.
"""

import re
from collections.abc import Iterable

from whipstaff.golang import yaml

_WANTED = frozenset({b"digest", b"name", b"urls", b"version"})
_COMMENT = re.compile(rb" {0,4}#")
_QUOTE = re.compile(rb"[\"']")
_TOP_LEVEL = re.compile(rb"[A-Za-z][A-Za-z]*:[ \n]")
_CHART = re.compile(rb"  ([A-Za-z0-9][A-Za-z0-9._-]*|\"[A-Za-z0-9._-]+\"|'[A-Za-z0-9._-]+'):\n")
_KEY = re.compile(rb"    ([A-Za-z][A-Za-z0-9_.-]*):[ \n]")
# An entry with nothing that YAML could take for anything but text: digits and an `e` are a number.
_PLAIN_ENTRY = re.compile(
    r"    digest: (?P<digest>(?=[0-9e]*[a-df])[0-9a-f]{64})\n"
    r"    name: (?P<name>[A-Za-z][A-Za-z0-9._-]*)\n"
    r"    urls:\n"
    r"    - (?P<url>[A-Za-z0-9][\w./:%+~=@?&-]*\.tgz)\n"
    r"    version: (?P<version>v?[0-9]+\.[0-9]+\.[0-9]+(?:[-+][0-9A-Za-z.+-]+)?)\n",
    re.ASCII,
)
_YAMLS_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})


class Unusual(Exception):
    """The text is laid out otherwise; it may be sound for all that."""


def read(lines: Iterable[bytes]) -> dict[str, object]:
    """Return the index with the wanted fields of its entries alone; Unusual if that cannot be."""
    return _Reader().read(lines)


class _Reader:
    """Where in an index the reader is."""

    def __init__(self) -> None:
        self._head: list[bytes] = []  # what stands beside `entries`
        self._charts: dict[str, list[object]] = {}
        self._versions: list[object] | None = None  # of the chart that is read
        self._entry: list[bytes] | None = None  # its wanted lines
        self._keep = False  # whether lines that belong to the last key are wanted
        self._inside = False  # of `entries`
        self._deep = False  # whether entries are indented by two more

    def read(self, lines: Iterable[bytes]) -> dict[str, object]:
        for written in lines:
            line = self._as_helm_indents(written)
            if _COMMENT.match(line):
                self._comment()
            elif line.startswith(b"     "):
                self._below_key(line)
            elif line.startswith(b"    "):
                self._key(line)
            elif line == b"\n":
                if self._keep:
                    raise Unusual
            elif line.startswith(b"  - ") and self._inside:
                self._begin_entry()
                self._key(b"    " + line[4:])
            elif line.startswith(b"  "):
                self._chart(line)
            else:
                self._top_level(line)
        self._end_entry()
        head = yaml.load_strict(b"".join(self._head).decode())
        if not isinstance(head, dict) or head.get("entries") != {}:
            raise Unusual
        return {**head, "entries": self._charts}

    def _as_helm_indents(self, line: bytes) -> bytes:
        """Take back what yq and prettier indent more: the entries of a chart."""
        if not self._deep:
            begins = self._inside and self._versions == [] and self._entry is None
            self._deep = begins and line.startswith(b"    - ")
        if not self._deep or not self._inside:
            return line
        if line.startswith(b"  - "):
            raise Unusual  # both ways
        return line[2:] if line.startswith(b"    ") else line

    def _comment(self) -> None:
        """Pass a comment over, where it cannot be the rest of a text in quotes."""
        if self._keep and self._entry and _QUOTE.search(self._entry[-1]):
            raise Unusual

    def _below_key(self, line: bytes) -> None:
        """Keep a line that belongs to the key before it, if that is wanted."""
        if not self._inside:
            self._head.append(line)
        elif self._keep and self._entry is not None:
            self._entry.append(line)

    def _begin_entry(self) -> None:
        self._end_entry()
        if self._versions is None:
            raise Unusual
        self._entry = []

    def _key(self, line: bytes) -> None:
        if not self._inside:
            self._head.append(line)
            return
        if self._entry is None:
            raise Unusual
        if not line.startswith(b"    - "):  # else a list that belongs to the key before it
            found = _KEY.match(line)
            if found is None:
                raise Unusual
            self._keep = found[1] in _WANTED
        if self._keep:
            self._entry.append(line)

    def _chart(self, line: bytes) -> None:
        if not self._inside:
            self._head.append(line)
            return
        self._end_entry()
        found = _CHART.fullmatch(line)
        if found is None:
            raise Unusual
        name = found[1].decode()
        bare = name.strip("\"'")
        if bare == name and (not name[0].isalpha() or name.lower() in _YAMLS_WORDS):
            raise Unusual
        if bare in self._charts:
            raise Unusual  # to be named as an error
        self._versions = self._charts[bare] = []

    def _top_level(self, line: bytes) -> None:
        self._end_entry()
        if _TOP_LEVEL.match(line) is None:
            raise Unusual
        self._versions = None
        self._inside = line == b"entries:\n"
        self._head.append(b"entries: {}\n" if self._inside else line)

    def _end_entry(self) -> None:
        lines, self._entry, self._keep = self._entry, None, False
        if lines is None or self._versions is None:
            return
        text = b"".join(lines).decode()
        found = _PLAIN_ENTRY.fullmatch(text)
        if found is None or found["name"].lower() in _YAMLS_WORDS:
            self._versions.append(yaml.load_strict(text))
            return
        self._versions.append(
            {
                "name": found["name"],
                "version": found["version"],
                "digest": found["digest"],
                "urls": [found["url"]],
            }
        )

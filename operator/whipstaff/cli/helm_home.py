"""Where helm keeps its files, and the repositories that it knows: both clients share them.

Helm locks its list of repositories while it adds to it, and nothing else; here every change is
locked, and the file is replaced whole.
"""

import errno
import fcntl
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, cast

import click

from whipstaff.chart.shapes import ListOf, Scalar, ShapeError, Struct, read
from whipstaff.cli.given_values import os_text
from whipstaff.cli.helm_flags import Decorated
from whipstaff.golang import yaml

_LOCK_SECONDS = 30.0
_POLL_SECONDS = 0.1
_NEVER = "0001-01-01T00:00:00Z"  # what Helm writes where it has no time

_JSON_NAMES = {
    "ca_file": "caFile",
    "cert_file": "certFile",
    "key_file": "keyFile",
}
_ENTRY = Struct(
    "repo.Entry",
    {
        "name": Scalar.TEXT,
        "url": Scalar.TEXT,
        "username": Scalar.TEXT,
        "password": Scalar.TEXT,
        "certFile": Scalar.TEXT,
        "keyFile": Scalar.TEXT,
        "caFile": Scalar.TEXT,
        "insecure_skip_tls_verify": Scalar.BOOL,
        "pass_credentials_all": Scalar.BOOL,
    },
)
_DEFAULTS = {"CONFIG": ".config", "CACHE": ".cache", "DATA": ".local/share"}  # below the home
_FILE = Struct(
    "repo.File",
    {"apiVersion": Scalar.TEXT, "generated": Scalar.TEXT, "repositories": ListOf(_ENTRY)},
)


class Refused(click.ClickException):
    """What was asked for cannot be done; the words are Helm's."""


@dataclass(frozen=True, slots=True)
class RepositoryEntry:
    """One repository of the list, and how it is asked."""

    name: str = ""
    url: str = ""
    username: str = ""
    password: str = field(default="", repr=False)
    cert_file: str = ""
    key_file: str = ""
    ca_file: str = ""
    insecure_skip_tls_verify: bool = False
    pass_credentials_all: bool = False

    def as_json(self) -> dict[str, object]:
        """Return the entry with Helm's names."""
        return {
            _JSON_NAMES.get(one.name, one.name): getattr(self, one.name) for one in fields(self)
        }


@dataclass(frozen=True, slots=True)
class Repositories:
    """What repositories.yaml says."""

    entries: tuple[RepositoryEntry, ...] = ()
    api_version: str = ""
    generated: str = _NEVER

    @classmethod
    def read(cls, text: str) -> "Repositories":
        """Read the file's text; ValueError in the words of Helm's YAML library."""
        try:
            found = cast("dict[str, Any]", read(yaml.load_typed(text), _FILE))
        except ShapeError as error:
            raise ValueError(f"error unmarshaling JSON: while decoding JSON: {error}") from error
        own_names = {name: own for own, name in _JSON_NAMES.items()}
        return cls(
            tuple(
                RepositoryEntry(**{own_names.get(name, name): part for name, part in one.items()})
                for one in found.get("repositories") or ()
                if one is not None
            ),
            found.get("apiVersion", ""),
            found.get("generated", _NEVER),
        )

    def text(self) -> str:
        """Return the file's text as Helm writes it."""
        return yaml.dump(
            {
                "apiVersion": self.api_version,
                "generated": self.generated,
                "repositories": [one.as_json() for one in self.entries],
            }
        )

    def named(self, name: str) -> RepositoryEntry | None:
        """Return the repository of a name, None if there is none."""
        return next((one for one in self.entries if one.name == name), None)

    def with_entry(self, entry: RepositoryEntry) -> "Repositories":
        """Return the list with one more, or with another one in its place."""
        if self.named(entry.name) is None:
            return replace(self, entries=(*self.entries, entry))
        known = self.named(entry.name)
        return replace(self, entries=tuple(entry if one is known else one for one in self.entries))

    def without(self, name: str) -> "Repositories":
        """Return the list without the repositories of a name."""
        return replace(self, entries=tuple(one for one in self.entries if one.name != name))


def folder(kind: str, environment: Mapping[str, str]) -> Path:
    """Return helm's folder for what is of a kind: CONFIG, CACHE or DATA."""
    if own := environment.get(f"HELM_{kind}_HOME"):
        return Path(own)
    xdg = environment.get(f"XDG_{kind}_HOME")
    home = Path(environment.get("HOME") or Path.home())
    return (Path(xdg) if xdg else home / _DEFAULTS[kind]) / "helm"


@dataclass(frozen=True, slots=True)
class HelmHome:
    """The files that helm keeps; they need not be there."""

    repository_config: Path
    repository_cache: Path
    registry_config: Path
    content_cache: Path
    data: Path

    @classmethod
    def of(cls, environment: Mapping[str, str], **flags: str | None) -> "HelmHome":
        """Say where they are: a flag if there is one, else what the environment says."""

        def place(name: str, default: Path) -> Path:
            return Path(flags.get(name) or environment.get(f"HELM_{name.upper()}") or default)

        config, cache = folder("CONFIG", environment), folder("CACHE", environment)
        return cls(
            place("repository_config", config / "repositories.yaml"),
            place("repository_cache", cache / "repository"),
            place("registry_config", config / "registry" / "config.json"),
            place("content_cache", cache / "content"),
            folder("DATA", environment),
        )

    @property
    def local_charts(self) -> Path:
        """Where charts of this machine are kept: `whipstaff serve` serves them."""
        return self.data / "repository" / "local"

    def index_file(self, name: str) -> Path:
        """Return where the index of a repository is kept."""
        return self.repository_cache / f"{name}-index.yaml"

    def charts_file(self, name: str) -> Path:
        """Return where the names of a repository's charts are kept, for the shell to complete."""
        return self.repository_cache / f"{name}-charts.txt"

    def content_file(self, digest: str, kind: str = "chart") -> Path:
        """Return where helm keeps an archive or its provenance; `digest` is in hexadecimal."""
        return self.content_cache / digest[:2] / f"{digest}.{kind}"

    def load_repositories(self) -> Repositories:
        """Read repositories.yaml; FileNotFoundError if there is none, else Refused."""
        file = self.repository_config
        try:
            text = file.read_bytes().decode("utf-8", "surrogateescape")
        except FileNotFoundError:
            raise
        except OSError as error:
            why = os_text(str(file), error)
            raise Refused(f"couldn't load repositories file ({file}): {why}") from error
        try:
            return Repositories.read(text)
        except ValueError as error:
            raise Refused(str(error)) from error

    def known_repositories(self) -> Repositories:
        """Read repositories.yaml; nothing if there is none."""
        try:
            return self.load_repositories()
        except FileNotFoundError:
            return Repositories()

    @contextmanager
    def changing_repositories(self) -> Iterator[Callable[[Repositories], None]]:
        """Hold helm's lock and give what writes the file."""
        try:
            self.repository_config.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            folder = self.repository_config.parent
            raise Refused(os_text(str(folder), error, verb="mkdir")) from error
        with _locked(_lock_of(self.repository_config)):
            yield self._write

    def _write(self, repositories: Repositories) -> None:
        # The file may be a link into a folder that is kept under version control.
        target = Path(os.path.realpath(self.repository_config))
        write_whole(target, repositories.text().encode("utf-8", "surrogateescape"), mode=0o600)


def write_whole(target: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Write a file that appears at once, with all that is in it; Refused if that cannot be."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=target.parent)
    except OSError as error:
        raise Refused(os_text(str(target), error)) from error
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        temporary.chmod(mode)
        temporary.replace(target)
    except OSError as error:
        raise Refused(os_text(str(target), error, verb="write")) from error
    finally:
        temporary.unlink(missing_ok=True)


def _lock_of(file: Path) -> Path:
    """Return helm's lock, which has the name of the file without its ending."""
    return file.with_suffix(".lock") if file.suffix else file.with_name(f"{file.name}.lock")


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    try:
        handle = os.open(file, os.O_CREAT | os.O_RDWR, 0o600)
    except OSError as error:
        raise Refused(os_text(str(file), error)) from error
    try:
        _wait_for(handle, file)
        yield
    finally:
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_UN)
        os.close(handle)


def _wait_for(handle: int, file: Path) -> None:
    patience = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in {errno.EAGAIN, errno.EACCES}:
                raise Refused(os_text(str(file), error, verb="lock")) from error
        else:
            return
        if time.monotonic() > patience:
            raise Refused(f"{file}: another process has held the lock for {_LOCK_SECONDS:g} s")
        time.sleep(_POLL_SECONDS)


def home_options(command: Decorated) -> Decorated:
    """Add the flags that name helm's files; `home_of` takes them."""
    for flag, what in reversed(_HOME_FLAGS):
        command = click.option(flag, default="", metavar="PATH", help=what)(command)
    return command


_HOME_FLAGS = (
    ("--repository-config", "File with names and URLs of repositories."),
    ("--repository-cache", "Folder with the indexes of repositories."),
    ("--registry-config", "File with the logins at registries."),
    ("--content-cache", "Folder with charts that were downloaded."),
)


def home_of(flags: dict[str, Any]) -> HelmHome:
    """Take the flags of `home_options` out of `flags` and say where helm's files are."""
    names = [flag.removeprefix("--").replace("-", "_") for flag, _ in _HOME_FLAGS]
    taken = {name: flags.pop(name, "") for name in names}
    return HelmHome.of(os.environ, **taken)  # noqa: TID251 - a command reads it, as helm does

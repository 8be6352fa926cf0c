"""How commands reach an OCI registry: Helm's flags, and the logins that helm and docker keep."""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click
from yarl import URL

from whipstaff.cli import credential_programs, given_files
from whipstaff.errors import RepoAuthInvalid
from whipstaff.sources.credentials import (
    ANONYMOUS,
    DOCKER_CONFIG,
    Credentials,
    SecretData,
    certificates_of,
    login_of,
)
from whipstaff.sources.fetch import Asker
from whipstaff.sources.oci_client import Registry
from whipstaff.sources.oci_place import ChartPlace
from whipstaff.sources.place import Place

Decorated = TypeVar("Decorated", bound=Callable[..., object])

DOCKER_HUB = frozenset({"docker.io", "registry-1.docker.io"})
DOCKER_HUB_KEY = "https://index.docker.io/v1/"  # under which its logins are kept

_TIMEOUT_SECONDS = 300.0  # one upload, over a slow line
_UNDERSCORE = (
    "{reference} contains an underscore.\n"
    "Tags of registries know no plus sign (+), so it is written as an underscore (_) in them."
)


@dataclass(frozen=True, slots=True)
class Access:
    """What the flags say of a registry."""

    username: str = ""
    password: str = ""
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    insecure_skip_tls_verify: bool = False
    plain_http: bool = False

    def place(self, url: URL, name: str, environment: Mapping[str, str]) -> ChartPlace:
        """Say where a chart is, and who we are there; RepoAuthInvalid for files that are wrong."""
        login = self.login(url, environment).trusting(self._certificates())
        place = Place(url, login, insecure=self.plain_http, timeout_seconds=_TIMEOUT_SECONDS)
        found = ChartPlace.of(place, name)
        if not self.insecure_skip_tls_verify or self.plain_http:
            return found
        origin = found.registry.origin.with_scheme("https")
        registry = Registry(origin, Asker(login, insecure=True, timeout_seconds=_TIMEOUT_SECONDS))
        return ChartPlace(place, name, registry, found.repository)

    def login(self, url: URL, environment: Mapping[str, str]) -> Credentials:
        """Return who we are at a registry: as the flags say, else as helm's and docker's files."""
        if self.username and self.password:
            return Credentials(username=self.username, password=self.password)
        for file in _login_files(environment):
            try:
                data = file.read_bytes()
                if (kept := _kept_elsewhere(data, url)) != ANONYMOUS:
                    return kept
                return login_of(SecretData(str(file), {DOCKER_CONFIG: data}), url)
            except (OSError, RepoAuthInvalid):
                continue  # a file that is not there, or says nothing of this registry
        return ANONYMOUS

    def _certificates(self) -> Credentials:
        files = {"ca.crt": self.ca_file, "tls.crt": self.cert_file, "tls.key": self.key_file}
        given = {name: Path(file) for name, file in files.items() if file}
        if not given:
            return ANONYMOUS
        try:
            data = {name: given_files.read(path) for name, path in given.items()}
        except OSError as error:
            raise RepoAuthInvalid(f"{error.filename}: {error.strerror}") from error
        return certificates_of(SecretData("the files of the flags", data))


def _kept_elsewhere(data: bytes, url: URL) -> Credentials:
    """Return the login that a program keeps, where the file names one; else nobody's."""
    try:
        config = json.loads(data)
    except (ValueError, RecursionError):
        return ANONYMOUS
    server = url.authority if url.host not in DOCKER_HUB else DOCKER_HUB_KEY
    program = credential_programs.program_of(config, server) if isinstance(config, dict) else ""
    return credential_programs.fetched(program, server) if program else ANONYMOUS


def registry_options(command: Decorated) -> Decorated:
    """Add Helm's flags for registries; their values are the fields of `Access`."""
    flags: list[Callable[[Any], Any]] = [
        click.option("--username", default="", help="User at the registry."),
        click.option("--password", default="", help="Password at the registry."),
        click.option("--ca-file", default="", help="Authorities to trust, in PEM."),
        click.option("--cert-file", default="", help="Certificate to show, in PEM."),
        click.option("--key-file", default="", help="Key of that certificate, in PEM."),
        click.option(
            "--insecure-skip-tls-verify", is_flag=True, help="Check no certificate of the registry."
        ),
        click.option("--plain-http", is_flag=True, help="Ask without TLS."),
    ]
    for flag in reversed(flags):
        command = flag(command)
    return command


def _login_files(environment: Mapping[str, str]) -> list[Path]:
    """Name the files in which helm and docker keep logins, helm's first."""
    home = Path(environment.get("HOME") or Path.home())
    configuration = Path(environment.get("XDG_CONFIG_HOME") or home / ".config")
    helm = Path(environment.get("HELM_CONFIG_HOME") or configuration / "helm")
    docker = Path(environment.get("DOCKER_CONFIG") or home / ".docker")
    own = environment.get("HELM_REGISTRY_CONFIG")
    return [Path(own) if own else helm / "registry" / "config.json", docker / "config.json"]


def said(verb: str, reference: str, digest: str) -> str:
    """Say what was pulled or pushed, and why there is an underscore in it."""
    text = f"{verb}: {reference}\nDigest: {digest}\n"
    return f"{text}{_UNDERSCORE.format(reference=reference)}\n" if "_" in reference else text


def own_environment() -> Mapping[str, str]:
    """Return the process's environment."""
    return os.environ  # noqa: TID251 - a command reads it, as helm does

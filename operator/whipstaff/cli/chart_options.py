"""The flags with which a command takes any chart that helm takes: a folder, an archive, a URL.

What lies on this machine is found without the modules that ask others.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import click

from whipstaff.cli.helm_flags import Decorated
from whipstaff.cli.helm_home import HelmHome, Refused, RepositoryEntry

ANY_WITH_PRERELEASES = ">0.0.0-0"


@dataclass(frozen=True, slots=True)
class ChartOptions:
    """What the flags of `chart_options` said."""

    version: str = ""
    devel: bool = False
    repo: str = ""
    verify: bool = False
    keyring: str = ""
    username: str = ""
    password: str = field(default="", repr=False)
    pass_credentials: bool = False
    cert_file: str = ""
    key_file: str = ""
    ca_file: str = ""
    insecure_skip_tls_verify: bool = False
    plain_http: bool = False

    @classmethod
    def taken(cls, flags: dict[str, Any]) -> "ChartOptions":
        """Take the flags of `chart_options` out of `flags`."""
        return cls(**{one.name: flags.pop(one.name) for one in fields(cls) if one.name in flags})

    @property
    def wanted(self) -> str:
        """The version or range to choose; empty for the newest that is no pre-release."""
        return self.version.strip() or (ANY_WITH_PRERELEASES if self.devel else "")

    @property
    def repository(self) -> RepositoryEntry:
        """The repository of `--repo`, which helm's list need not have."""
        return RepositoryEntry(
            "",
            self.repo,
            self.username,
            self.password,
            self.cert_file,
            self.key_file,
            self.ca_file,
            self.insecure_skip_tls_verify,
            self.pass_credentials,
        )


def located(reference: str, options: ChartOptions, home: HelmHome) -> Path:
    """Return where a chart is on this machine, downloaded if need be; Refused in helm's words."""
    reference = reference.strip()
    path = Path(reference)
    if not options.repo:
        if os.path.exists(reference):  # noqa: PTH110 - an empty path is no folder
            absolute = path.absolute()
            if options.verify:
                from whipstaff.cli import verification  # noqa: PLC0415 - only what is needed

                provenance = absolute.with_name(f"{absolute.name}.prov")
                verification.verify_chart(absolute, provenance, keyring_of(options))
            return absolute
        if path.is_absolute() or reference.startswith("."):
            raise Refused(f'path "{reference}" not found')
    from whipstaff.cli import chart_source  # noqa: PLC0415 - most charts are here already

    return chart_source.cached(reference, options, home)


def keyring_of(options: ChartOptions) -> str:
    """Return the file of public keys to verify with."""
    from whipstaff.cli.verification import default_keyring  # noqa: PLC0415

    return options.keyring or default_keyring()


def chart_options(command: Decorated) -> Decorated:
    """Add helm's flags for charts from elsewhere; `ChartOptions.taken` takes them."""
    for flag in reversed(_FLAGS):
        command = flag(command)
    return command


def _text(name: str, what: str, **more: Any) -> Callable[[Any], Any]:  # noqa: ANN401 - click's own
    return click.option(name, default="", help=what, **more)


def _switch(name: str, what: str) -> Callable[[Any], Any]:
    return click.option(name, is_flag=True, help=what)


_FLAGS = (
    _text("--version", "Version of the chart, or a range of versions; the newest if not given."),
    _switch("--devel", "Take pre-releases too, unless --version is given."),
    _text("--repo", "Chart repository in which to find CHART.", metavar="URL"),
    _switch("--verify", "Check the chart's signature before it is used."),
    _text("--keyring", "File of public keys; GnuPG's if not given.", metavar="FILE"),
    _text("--username", "User at the repository or registry."),
    _text("--password", "Password at the repository or registry."),
    _switch("--pass-credentials", "Show the login to other hosts that the repository names, too."),
    _text("--cert-file", "Certificate to show, in PEM.", metavar="FILE"),
    _text("--key-file", "Key of that certificate, in PEM.", metavar="FILE"),
    _text("--ca-file", "Authorities to trust, in PEM.", metavar="FILE"),
    _switch("--insecure-skip-tls-verify", "Check no certificate of the repository."),
    _switch("--plain-http", "Ask registries without TLS."),
)

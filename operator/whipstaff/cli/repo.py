"""`whipstaff repo`: the chart repositories that helm knows, added, listed, updated, removed."""

import asyncio
import getpass
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from whipstaff.cli.helm_flags import HelmCommand, at_least_one, exactly
from whipstaff.cli.helm_home import (
    HelmHome,
    Refused,
    Repositories,
    RepositoryEntry,
    home_of,
    home_options,
    write_whole,
)
from whipstaff.cli.late import Commands, Late
from whipstaff.cli.printing import echo, output_option, printed, table
from whipstaff.golang.durations import DurationError, parse_duration
from whipstaff.golang.strconv import quote

LOCAL = "local"
LOCAL_URL = "http://127.0.0.1:8879/charts"

_NO_REPOSITORIES = "no repositories configured"
_GONE = {
    "//kubernetes-charts.storage.googleapis.com": "https://charts.helm.sh/stable",
    "//kubernetes-charts-incubator.storage.googleapis.com": "https://charts.helm.sh/incubator",
}
_NANOSECONDS = 1e9


@click.group("repo", cls=Commands, aliases={"ls": "list", "rm": "remove", "up": "update"})
def repo() -> None:
    """Know chart repositories, as `helm repo` does."""


def _seconds(_: click.Context, __: click.Parameter, text: str) -> float:
    try:
        return parse_duration(text) / _NANOSECONDS
    except DurationError as error:
        raise click.ClickException(
            f'invalid argument {quote(text)} for "--timeout" flag: {error}'
        ) from error


def _timeout_option(command: Any) -> Any:  # noqa: ANN401 - a decorator
    return click.option(
        "--timeout", default="2m0s", callback=_seconds, help="How long an index may take."
    )(command)


def _name_and_url(
    ctx: click.Context, option: click.Parameter, given: tuple[str, ...]
) -> tuple[str, ...]:
    if given == (LOCAL,):
        return LOCAL, LOCAL_URL
    return exactly(2, "whipstaff repo add [NAME] [URL] [flags]")(ctx, option, given)


@repo.command("add", cls=HelmCommand)
@click.argument("arguments", nargs=-1, metavar="NAME [URL]", callback=_name_and_url)
@click.option("--username", default="", help="User at the repository.")
@click.option("--password", default="", help="Password at the repository; asked for if left out.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@click.option("--pass-credentials", is_flag=True, help="Show the login to other hosts, too.")
@click.option("--force-update", is_flag=True, help="Replace a repository of the same name.")
@click.option("--allow-deprecated-repos", is_flag=True, help="Add repositories that are gone.")
@click.option("--cert-file", default="", help="Certificate to show, in PEM.")
@click.option("--key-file", default="", help="Key of that certificate, in PEM.")
@click.option("--ca-file", default="", help="Authorities to trust, in PEM.")
@click.option("--insecure-skip-tls-verify", is_flag=True, help="Check no certificate.")
@_timeout_option
@home_options
def add(arguments: tuple[str, ...], **flags: Any) -> None:  # noqa: ANN401 - click's own types
    """Add a chart repository; `local` is the one that `whipstaff serve` serves."""
    home = home_of(flags)
    name, url = arguments
    if not flags["allow_deprecated_repos"]:
        _check_alive(url)
    password = flags["password"] or _password(flags)
    entry = RepositoryEntry(
        name,
        url,
        flags["username"],
        password,
        flags["cert_file"],
        flags["key_file"],
        flags["ca_file"],
        flags["insecure_skip_tls_verify"],
        flags["pass_credentials"],
    )
    if "/" in name:
        raise Refused(
            f"repository name ({name}) contains '/', please specify a different name without '/'"
        )
    known = home.known_repositories()
    if not flags["force_update"] and _is_known(entry, known):
        click.echo(f"{quote(name)} already exists with the same configuration, skipping")
        return
    # The lock is not held while others may want to add theirs: an index may take its time.
    _fetch(entry, home, flags["timeout"])
    with home.changing_repositories() as write:
        known = home.known_repositories()
        if flags["force_update"] or not _is_known(entry, known):
            write(known.with_entry(entry))
    click.echo(f"{quote(name)} has been added to your repositories")


def _check_alive(url: str) -> None:
    for gone, instead in _GONE.items():
        if gone in url:
            raise Refused(f"repo {quote(url)} is no longer available; try {quote(instead)} instead")


def _password(flags: dict[str, Any]) -> str:
    """Ask for the password of a user who gave none."""
    if not flags["username"]:
        return ""
    if flags["password_stdin"]:
        return sys.stdin.read().removesuffix("\n").removesuffix("\r")
    if not sys.stdin.isatty():
        click.echo("Password: ")
        raise Refused("inappropriate ioctl for device")
    return getpass.getpass("Password: ", sys.stdout)


def _is_known(entry: RepositoryEntry, known: Repositories) -> bool:
    """Whether the list has this very repository; Refused if it has another one of the name."""
    found = known.named(entry.name)
    if found is not None and found != entry:
        raise Refused(
            f"repository name ({entry.name}) already exists, please specify a different name"
        )
    return found is not None


def _fetch(entry: RepositoryEntry, home: HelmHome, timeout_seconds: float) -> None:
    from whipstaff.cli import chart_source, downloads  # noqa: PLC0415 - `list` needs none of it

    chart_source.check_scheme(entry.url)

    async def fetched() -> None:
        bar = downloads.Bar(entry.name)
        async with downloads.open_downloads(timeout_seconds, bar) as client:
            try:
                data, index = await chart_source.downloaded_index(client, entry)
            finally:
                bar.clear()
            keep_index(home, entry.name, data, list(index.charts))

    try:
        asyncio.run(fetched())
    except Refused as error:
        why = error.message
        if entry.url == LOCAL_URL:
            why += "; `whipstaff serve` serves it"
        raise Refused(chart_source.invalid_repository(entry.url, why)) from error


def keep_index(home: HelmHome, name: str, data: bytes, charts: Sequence[str]) -> None:
    """Write an index where both clients look for it, and the names of its charts."""
    names = "".join(f"{chart}\n" for chart in charts)
    write_whole(home.charts_file(name), names.encode("utf-8", "surrogateescape"))
    write_whole(home.index_file(name), data)


@repo.command("list", cls=HelmCommand)
@click.argument("arguments", nargs=-1, callback=exactly(0, "whipstaff repo list [flags]"))
@click.option("--no-headers", is_flag=True, help="Print no line above the table.")
@output_option
@home_options
def list_(arguments: tuple[str, ...], **flags: Any) -> None:  # noqa: ANN401 - click's own types
    """List the chart repositories."""
    del arguments
    known = Repositories()
    with suppress(Refused):  # what cannot be read has none, as in helm
        known = home_of(flags).known_repositories()
    rows = [{"name": one.name, "url": one.url} for one in known.entries]
    if not rows and flags["output"] == "table":
        click.echo("no repositories to show", err=True)
        return
    head = [] if flags["no_headers"] else [["NAME", "URL"]]
    echo(
        printed(
            flags["output"],
            rows,
            lambda rows: table([*head, *(list(row.values()) for row in rows)]),
        )
    )


@repo.command("update", cls=HelmCommand)
@click.argument("names", nargs=-1, metavar="[NAME]...")
@_timeout_option
@home_options
def update(names: tuple[str, ...], **flags: Any) -> None:  # noqa: ANN401 - click's own types
    """Fetch the indexes of chart repositories: all, or those that are named."""
    home = home_of(flags)
    try:
        entries = home.load_repositories().entries
    except FileNotFoundError:
        entries = ()
    except Refused as error:
        raise Refused(f"failed loading file: {home.repository_config}: {error.message}") from error
    if not entries:
        raise Refused("no repositories found. You must add one before updating")
    known = {one.name for one in entries}
    for name in names:
        if name not in known:
            raise Refused(f"no repositories found matching '{name}'.  Nothing will be updated")
    wanted = [one for one in entries if not names or one.name in names]
    update_all(wanted, home, flags["timeout"])


def update_all(entries: Sequence[RepositoryEntry], home: HelmHome, timeout_seconds: float) -> None:
    """Fetch indexes at once and say how each went; Refused in the end if one failed."""
    from whipstaff.cli import chart_source, downloads  # noqa: PLC0415 - `list` needs none of it

    for entry in entries:
        chart_source.check_scheme(entry.url)
    failed: list[str] = []
    bar = downloads.Bar("indexes")

    async def one(client: downloads.Downloads, entry: RepositoryEntry) -> None:
        name, url = quote(entry.name), downloads.shown(entry.url)
        try:
            data, index = await chart_source.downloaded_index(client, entry)
            keep_index(home, entry.name, data, list(index.charts))
        except Refused as error:
            failed.append(url)
            said = f"...Unable to get an update from the {name} chart repository ({url}):\n"
            said += f"\t{error.message}"
        else:
            said = f"...Successfully got an update from the {name} chart repository"
        bar.clear()
        click.echo(said)

    async def all_of_them() -> None:
        async with downloads.open_downloads(timeout_seconds, bar) as client:
            await asyncio.gather(*(one(client, entry) for entry in entries))

    click.echo("Hang tight while we grab the latest from your chart repositories...")
    asyncio.run(all_of_them())
    if failed:
        raise Refused(f"failed to update the following repositories: [{' '.join(failed)}]")
    click.echo("Update Complete. ⎈Happy Helming!⎈")


@repo.command("remove", cls=HelmCommand)
@click.argument(
    "names",
    nargs=-1,
    metavar="NAME...",
    callback=at_least_one("whipstaff repo remove [REPO1 [REPO2 ...]] [flags]"),
)
@home_options
def remove(names: tuple[str, ...], **flags: Any) -> None:  # noqa: ANN401 - click's own types
    """Remove chart repositories, and what is kept of them."""
    home = home_of(flags)
    if not home.known_repositories().entries:
        raise Refused(_NO_REPOSITORIES)
    with home.changing_repositories() as write:
        known = home.known_repositories()
        for name in names:
            if known.named(name) is None:
                raise Refused(f"no repo named {quote(name)} found")
            known = known.without(name)
            write(known)
            _forget(home.charts_file(name))
            _forget(home.index_file(name))
            click.echo(f"{quote(name)} has been removed from your repositories")


def _forget(file: Path) -> None:
    try:
        file.unlink(missing_ok=True)
    except OSError as error:
        why = f"remove {file}: {(error.strerror or '').lower()}"
        raise Refused(f"can't remove index file {file}: {why}") from error


repo.add_command(Late("index", "Write the index of a folder of packaged charts.", "repo_index"))

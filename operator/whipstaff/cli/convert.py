"""`whipstaff convert`: what Flux, Argo CD, k3s and helm run, as HelmReleases."""

from collections.abc import Iterator
from typing import Any

import click

from whipstaff.cli import completions
from whipstaff.cli.cluster_flags import api_server_flags, reached_directly
from whipstaff.cli.conversion import stored
from whipstaff.cli.conversion.converting import convert as converted
from whipstaff.cli.conversion.drafts import Draft
from whipstaff.cli.conversion.originals import Unconvertible
from whipstaff.cli.conversion.writing import written
from whipstaff.cli.object_files import FileUnreadable, Found, files_below, read
from whipstaff.cli.printing import echo, one_line
from whipstaff.cli.stored_releases import StoredReleases
from whipstaff.errors import InvalidSpec
from whipstaff.helmrelease.charts import REPOSITORY
from whipstaff.helmrelease.fields import Fields


@click.command("convert")
@click.argument(
    "arguments",
    nargs=-1,
    metavar="[FILE... | -]",
    shell_complete=completions.files_or_stored,
)
@click.option("--strict", is_flag=True, help="Fail where anything was left out.")
@click.option(
    "--from-cluster",
    is_flag=True,
    help="Convert releases that the helm command made; arguments are their names.",
)
@click.option("-A", "--all-namespaces", is_flag=True, help="Releases of all namespaces.")
@click.option(
    "--repo", default="", help="URL of the repository that the charts of releases are in."
)
@api_server_flags
def convert(arguments: tuple[str, ...], **flags: Any) -> None:  # noqa: ANN401 - click's own types
    """Turn what Flux, Argo CD, k3s and helm run into HelmReleases."""
    try:
        drafts, passed_over = (
            (_of_cluster(arguments, flags), 0)
            if flags["from_cluster"]
            else _of_files(arguments, flags)
        )
        for draft in drafts:
            draft.conform()
    except (FileUnreadable, Unconvertible) as error:
        raise click.ClickException(one_line(str(error))) from error
    if not drafts:
        raise click.ClickException("nothing in there can be converted")
    texts = []
    for draft in drafts:
        comments = draft.comments()
        head = f"made of {one_line(draft.subject)}"
        texts.append(written(draft.body, {**comments, (): [head, *comments.get((), ())]}))
    echo("---\n".join(texts))
    left_out = passed_over + sum(_told(drafts))
    if flags["strict"] and left_out:
        raise click.ClickException(
            f"{left_out} field(s), object(s) or file(s) were left out or have to be written"
        )


def _of_files(arguments: tuple[str, ...], flags: dict[str, Any]) -> tuple[list[Draft], int]:
    """Convert what files hold; say how much was passed over that has a say in what runs."""
    if not arguments:
        raise click.ClickException("name files, folders or -, or say --from-cluster")
    if flags["all_namespaces"] or flags["repo"]:
        raise click.ClickException("--all-namespaces and --repo go with --from-cluster")
    found: list[Found] = []
    unread = 0
    for path in arguments:
        for file in files_below(path):
            try:
                found += read(file)
            except FileUnreadable as error:
                if file == path:
                    raise
                # A repository has other YAML too: values, patches, templates.
                _tell(f"warning: {error}: the file is passed over")
                unread += 1
    result = converted(found, flags["namespace"])
    for one in result.passed_over:
        _tell(one.told)
    return result.drafts, unread + sum(one.lost for one in result.passed_over)


def _of_cluster(names: tuple[str, ...], flags: dict[str, Any]) -> list[Draft]:
    repository = flags.pop("repo")
    try:
        Fields("", {"--repo": repository or None}).text("--repo", "", REPOSITORY)
    except InvalidSpec as error:
        raise click.ClickException(error.text) from error
    everywhere = flags.pop("all_namespaces")
    if everywhere and names:
        raise click.ClickException("names are those of one namespace, without --all-namespaces")
    with reached_directly(flags) as cluster:
        releases = StoredReleases(cluster)
        if names:
            found = [releases.revision(name, 0) for name in names]
        else:
            found = releases.newest(all_namespaces=everywhere)
    wanted = []
    for release in sorted(found, key=lambda one: (one.namespace, one.name)):
        why = stored.whose(release)
        if why:
            _tell(f"note: release {release.namespace}/{release.name}: {why}, and is passed over")
        else:
            wanted.append(release)
    return list(stored.releases(wanted, repository))


def _told(drafts: list[Draft]) -> Iterator[bool]:
    """Tell of what a person should know; yield for each whether anything was left out."""
    for draft in drafts:
        for note in draft.notes:
            _tell(note.told(draft.subject))
            yield note.lost


def _tell(text: str) -> None:
    click.echo(one_line(text), err=True)

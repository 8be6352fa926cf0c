"""What a shell is told to complete names with: those of releases, revisions, namespaces, contexts.

A shell shows nothing of what goes wrong, so that whatever cannot be asked completes to nothing.
"""

import os
import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import click

from whipstaff.cli import colours
from whipstaff.errors import OperatorError

if TYPE_CHECKING:  # which commands that complete nothing do without
    from click.shell_completion import CompletionItem

    from whipstaff.cli.cluster_flags import Cluster

Completer = Callable[[click.Context, click.Parameter, str], "list[CompletionItem]"]

_NO_FILES, _FILES = ":4", ":0"  # what kubectl calls the directives


def _completer(known: Callable[[click.Context], Iterable[str]]) -> Completer:
    """Complete with what is known by what stands on the line so far."""

    def complete(
        ctx: click.Context, parameter: click.Parameter, incomplete: str
    ) -> "list[CompletionItem]":
        from click.shell_completion import CompletionItem  # noqa: PLC0415 - shells alone

        there = ctx.params.get(parameter.name or "") if parameter.nargs < 0 else ()
        try:
            names = dict.fromkeys(known(ctx))
        except (click.ClickException, OperatorError, OSError):
            return []
        return [
            CompletionItem(name)
            for name in names
            if name.startswith(incomplete) and name not in (there or ())
        ]

    return complete


def _asked(ctx: click.Context, ask: "Callable[[Cluster], Iterable[str]]") -> list[str]:
    """Ask the cluster that the flags lead to."""
    from whipstaff.cli.cluster_flags import reached  # noqa: PLC0415 - it completes its flags here

    with reached(dict(ctx.params)) as cluster:
        return sorted(ask(cluster))


def _namespaces(ctx: click.Context) -> list[str]:
    from whipstaff.kube.media_types import METADATA_LIST  # noqa: PLC0415 - shells alone

    def ask(cluster: "Cluster") -> Iterable[str]:
        heads = cluster.client.items("/api/v1/namespaces", accept=METADATA_LIST)
        return (str(head["metadata"]["name"]) for head in heads)

    return _asked(ctx, ask)


def _contexts(ctx: click.Context) -> list[str]:
    from whipstaff.kube.access import contexts  # noqa: PLC0415 - shells alone

    return contexts(ctx.params.get("kubeconfig") or "", os.environ)  # noqa: TID251 - as commands do


def _stored(ctx: click.Context) -> list[str]:
    from whipstaff.cli.stored_releases import StoredReleases  # noqa: PLC0415 - shells alone

    return _asked(ctx, lambda cluster: StoredReleases(cluster).names())


def _helmreleases(ctx: click.Context) -> list[str]:
    from whipstaff.cli.helmreleases import HelmReleases  # noqa: PLC0415 - shells alone

    return _asked(ctx, lambda cluster: HelmReleases(cluster).names())


def _revisions(ctx: click.Context) -> list[str]:
    """Give the numbers of the release's revisions, the newest first."""
    from whipstaff.cli.stored_releases import StoredReleases  # noqa: PLC0415 - shells alone

    # The parser leaves off at a flag without its value, with arguments where it found them.
    words = ctx.params.get("names") or ctx.params.get("arguments") or ctx.args
    if not words:
        return []
    numbers = _asked(ctx, lambda cluster: map(str, StoredReleases(cluster).numbers(words[0])))
    return sorted(numbers, key=int, reverse=True)


def _after(first: Completer, second: Completer) -> Completer:
    """Complete the first argument with one thing, and the next with another."""

    def complete(
        ctx: click.Context, parameter: click.Parameter, incomplete: str
    ) -> "list[CompletionItem]":
        given = ctx.params.get(parameter.name or "") or ()
        return (second if given else first)(ctx, parameter, incomplete)

    return complete


def files(_: click.Context, __: click.Parameter, incomplete: str) -> "list[CompletionItem]":
    """Have the shell complete with files."""
    from click.shell_completion import CompletionItem  # noqa: PLC0415 - shells alone

    return [CompletionItem(incomplete, type="file")]


def files_or_stored(
    ctx: click.Context, parameter: click.Parameter, incomplete: str
) -> "list[CompletionItem]":
    """Complete with files, or with releases where the line says that they are in the cluster."""
    found = stored if ctx.params.get("from_cluster") else files
    return found(ctx, parameter, incomplete)


namespaces = _completer(_namespaces)
contexts = _completer(_contexts)
stored = _completer(_stored)  # releases, whoever made them
helmreleases = _completer(_helmreleases)
revisions = _completer(_revisions)
release_and_revision = _after(helmreleases, revisions)
release_and_chart = _after(stored, files)
formats = _completer(lambda _: ("table", "json", "yaml"))
color_modes = _completer(lambda _: colours.MODES)


def for_kubectl() -> None:
    """Complete for `kubectl whipstaff`: kubectl runs this with what stands behind that."""
    from click.shell_completion import ShellComplete  # noqa: PLC0415 - shells alone

    from whipstaff.cli.main import main  # noqa: PLC0415 - it completes its commands here

    *words, incomplete = sys.argv[1:] or [""]
    found = ShellComplete(main, {}, "whipstaff", "").get_completions(words, incomplete)
    for item in found:
        if item.type == "plain":
            click.echo(f"{item.value}\t{item.help or ''}".rstrip())
    click.echo(_FILES if any(item.type != "plain" for item in found) else _NO_FILES)

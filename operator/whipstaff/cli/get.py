"""`whipstaff get`: what is stored of a release, as `helm get` prints it."""

from collections.abc import Callable
from typing import Any

import click

from whipstaff.cli import completions, release_text
from whipstaff.cli.cluster_flags import cluster_flags, reached
from whipstaff.cli.helm_flags import Decorated, HelmCommand, exactly
from whipstaff.cli.late import Commands
from whipstaff.cli.printing import as_yaml, color_option, echo, output_option, whole
from whipstaff.cli.stored_releases import StoredReleases
from whipstaff.golang import json
from whipstaff.golang.strconv import quote
from whipstaff.golang.values import StructFields
from whipstaff.release.stored import StoredRelease

_APPLIED = {
    "": "client-side apply (defaulted)",
    "csa": "client-side apply",
    "ssa": "server-side apply",
}


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
def get() -> None:
    """Print what is stored of a release, as `helm get` does."""


def _of_a_release(name: str) -> Callable[[Decorated], Decorated]:
    """Add what all commands of the group take."""
    usage = f"whipstaff get {name} RELEASE_NAME [flags]"

    def decorate(command: Decorated) -> Decorated:
        command = cluster_flags(command)
        command = click.option(
            "--revision",
            default="0",
            callback=whole,
            shell_complete=completions.revisions,
            help="A revision; the newest if 0.",
        )(command)
        return click.argument(
            "names",
            nargs=-1,
            metavar="RELEASE_NAME",
            callback=exactly(1, usage),
            shell_complete=completions.stored,
        )(command)

    return decorate


def _read(names: tuple[str], flags: dict[str, Any]) -> StoredRelease:
    with reached(flags) as cluster:
        return StoredReleases(cluster).revision(names[0], flags["revision"])


@get.command("all", cls=HelmCommand)
@_of_a_release("all")
@click.option("--template", default="", metavar="TEXT", help="A template of Go for the output.")
@color_option
def all_(names: tuple[str], **flags: Any) -> None:  # noqa: ANN401 - click's own types
    """Print everything but the chart's files."""
    one = _read(names, flags)
    if flags["template"]:
        from whipstaff.cli.release_struct import rendered  # noqa: PLC0415 - the language is large

        echo(rendered(flags["template"], one))
        return
    release_text.tell_head(one)
    lines = [
        *release_text.chart_lines(one),
        f"DESCRIPTION: {one.description}",
        *release_text.tests(one),
    ]
    echo("".join(f"{line}\n" for line in lines))
    echo(release_text.values(one))
    echo(f"HOOKS:\n{release_text.hooks(one)}MANIFEST:\n{one.manifest}\n")
    echo(release_text.notes(one))


@get.command("values", cls=HelmCommand)
@_of_a_release("values")
@click.option("-a", "--all", "computed", is_flag=True, help="With the chart's own values.")
@output_option
def values(names: tuple[str], **flags: Any) -> None:  # noqa: ANN401 - click's own types
    """Print the values that were given."""
    one = _read(names, flags)
    found = release_text.computed(one) if flags["computed"] else one.config
    if flags["output"] == "json":
        echo(json.dump(found) + "\n")
        return
    if flags["output"] == "table":
        echo("COMPUTED VALUES:\n" if flags["computed"] else "USER-SUPPLIED VALUES:\n")
    echo(as_yaml(found))


@get.command("manifest", cls=HelmCommand)
@_of_a_release("manifest")
def manifest(names: tuple[str], **flags: Any) -> None:  # noqa: ANN401 - click's own types
    """Print the manifest, without hooks."""
    echo(f"{_read(names, flags).manifest}\n")


@get.command("hooks", cls=HelmCommand)
@_of_a_release("hooks")
def hooks(names: tuple[str], **flags: Any) -> None:  # noqa: ANN401 - click's own types
    """Print the hooks."""
    echo(release_text.hooks(_read(names, flags)))


@get.command("notes", cls=HelmCommand)
@_of_a_release("notes")
def notes(names: tuple[str], **flags: Any) -> None:  # noqa: ANN401 - click's own types
    """Print what the chart has to say."""
    found = _read(names, flags).notes
    if found:
        echo(f"NOTES:\n{found}\n")


@get.command("metadata", cls=HelmCommand)
@_of_a_release("metadata")
@output_option
def metadata(names: tuple[str], **flags: Any) -> None:  # noqa: ANN401 - click's own types
    """Print what is noted about a release and its chart."""
    one = _read(names, flags)
    # helm leaves its own labels in where it finds the newest revision by itself.
    facts = _metadata(one, one.own_labels if flags["revision"] > 0 else dict(one.labels))
    match flags["output"]:
        case "json":
            echo(json.dump(facts) + "\n")
        case "yaml":
            echo(as_yaml(facts))
        case _:
            echo(_metadata_table(one, facts))


def _metadata(one: StoredRelease, labels: dict[str, str]) -> StructFields:
    from whipstaff.cli.moments import RFC3339, moment  # noqa: PLC0415 - the others print no times

    chart = one.chart_metadata
    optional = {
        "annotations": chart.get("annotations"),
        "labels": labels,
        "dependencies": [StructFields(each) for each in chart.get("dependencies") or ()],
    }
    return StructFields(
        {
            "name": one.name,
            "chart": chart.get("name") or "",
            "version": chart.get("version") or "",
            "appVersion": chart.get("appVersion") or "",
            **{name: fact for name, fact in optional.items() if fact},
            "namespace": one.namespace,
            "revision": one.number,
            "status": one.status,
            "deployedAt": moment(one.last_deployed).format(RFC3339),
            **({"applyMethod": method} if (method := one.record.get("apply_method")) else {}),
        }
    )


def _metadata_table(one: StoredRelease, facts: StructFields) -> str:
    method = str(facts.get("applyMethod", ""))
    dependencies = [str(each["name"]) for each in one.chart_metadata.get("dependencies") or ()]
    lines = {
        "NAME": facts["name"],
        "CHART": facts["chart"],
        "VERSION": facts["version"],
        "APP_VERSION": facts["appVersion"],
        "ANNOTATIONS": _pairs(facts.get("annotations")),
        "LABELS": _pairs(facts.get("labels")),
        "DEPENDENCIES": ",".join(sorted(dependencies)),
        "NAMESPACE": facts["namespace"],
        "REVISION": facts["revision"],
        "STATUS": facts["status"],
        "DEPLOYED_AT": facts["deployedAt"],
        "APPLY_METHOD": _APPLIED.get(method, f"unknown ({quote(method)})"),
    }
    return "".join(f"{name}: {fact}\n" for name, fact in lines.items())


def _pairs(table: object) -> str:
    pairs = table.items() if isinstance(table, dict) else ()
    return ",".join(sorted(f"{name}={text}" for name, text in pairs))

"""`whipstaff install` and `upgrade`: a chart and values become a HelmRelease, or change one."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click

from whipstaff.chart.record import plain
from whipstaff.chart.values import merge_documents
from whipstaff.cli import completions, release_text
from whipstaff.cli.awaiting import failing, timeout_flag, wait_for
from whipstaff.cli.chart_choice import CHART_OF, Choice, choice
from whipstaff.cli.chart_options import ChartOptions, chart_options
from whipstaff.cli.cluster_flags import Cluster, reached
from whipstaff.cli.edit_flags import edit_flags
from whipstaff.cli.given_values import ValuesRefused, given, value_options
from whipstaff.cli.helm_flags import Decorated, HelmCommand, at_least_one, exactly
from whipstaff.cli.helm_home import HelmHome, Refused, home_of, home_options
from whipstaff.cli.helmreleases import HelmReleases, helmreleases, tell_of_git
from whipstaff.cli.interrupts import unwritten, written_whole
from whipstaff.cli.names import named
from whipstaff.cli.printing import as_yaml, color_option, echo, output_option
from whipstaff.cli.release_flags import blocks, check, flags_of
from whipstaff.cli.stored_releases import NOT_FOUND, StoredReleases, is_name
from whipstaff.errors import ClusterRefused, OperatorError
from whipstaff.golang import json
from whipstaff.golang.strconv import quote
from whipstaff.helmrelease.edits import Edit, ours
from whipstaff.helmrelease.names import API_VERSION, KIND
from whipstaff.release.revision import JsonObject, ReleaseStatus
from whipstaff.release.stored import StoredRelease

_DEFAULT_TIMEOUT_SECONDS = 300.0
_COUNT_ONCE = ("timeout", "maxHistory")  # fields that are gone with the flag that set them
_FORBIDDEN = 403
_REPLACED = (ReleaseStatus.UNINSTALLED, ReleaseStatus.FAILED)
_NAME_RULE = (
    "invalid release name, must match regex "
    "^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$ "
    "and the length must not be longer than 53"
)


class Unusable(click.ClickException):
    """A chart or values of the command line that cannot be used: nothing has begun yet."""


def _flags(*more: Callable[[Any], Any]) -> Callable[[Decorated], Decorated]:
    """Add what both commands take."""
    shared = (
        click.option("--create-namespace", is_flag=True, help="Make the namespace if need be."),
        flags_of(
            *("no-hooks", "disable-openapi-validation", "skip-schema-validation"),
            *("take-ownership", "rollback-on-failure", "atomic", "force-conflicts"),
            *("wait", "wait-for-jobs"),
        ),
        click.option("--skip-crds", is_flag=True, help="Leave the files of crds/ alone."),
        click.option("--no-wait", is_flag=True, help="Do not wait until it is done."),
        click.option("--hide-notes", is_flag=True, help="Print no notes."),
        click.option("--hide-secret", is_flag=True, help="Print no Secrets in a dry run."),
        click.option(
            "--dependency-update", is_flag=True, help="Fetch what charts/ of a folder lacks."
        ),
        *more,
        timeout_flag,
        value_options,
        chart_options,
        home_options,
        output_option,
        color_option,
        edit_flags,
    )

    def decorate(command: Decorated) -> Decorated:
        for flag in reversed(shared):
            command = flag(command)
        return command

    return decorate


@click.command("install", cls=HelmCommand)
@click.argument(
    "arguments",
    nargs=-1,
    metavar="[NAME] CHART",
    shell_complete=completions.files,
    callback=at_least_one("whipstaff install [NAME] [CHART] [flags]"),
)
@click.option(
    "-g", "--generate-name", is_flag=True, help="Make a NAME of the chart's and the time."
)
@click.option("--name-template", default="", metavar="TEMPLATE", help="Template of NAME.")
@click.option("--replace", is_flag=True, help="Use the name of a release that was uninstalled.")
@_flags(flags_of("server-side-switch"))
def install(arguments: tuple[str, ...], **flags: Any) -> None:  # noqa: ANN401 - click's own types
    """Install a chart as a HelmRelease, as `helm install` installs it."""
    with failing("INSTALLATION FAILED"):
        check(flags)
        name, reference = named(
            arguments, generate=flags["generate_name"], template=flags["name_template"]
        )
        with reached(flags) as cluster:
            wish = _Wish.of(cluster, name, reference, flags)
            if not flags["dry_run"]:
                _check_free(wish, replaced=flags["replace"])
            wish.install({})


def _check_free(wish: "_Wish", *, replaced: bool) -> None:
    """Refuse a name that is in use: helm asks to be told where its history is kept."""
    live = wish.releases.find(wish.name)
    if live is not None and not (live.get("status") or {}).get("history"):
        place = f"{wish.name} -n {wish.cluster.namespace}"
        raise click.ClickException(
            f"{wish.releases.subject(wish.name)} is there, and nothing of it was released yet: "
            f"`whipstaff status {place}` says why, `whipstaff upgrade {place} CHART` changes it, "
            f"`whipstaff uninstall {place}` takes it away"
        )
    stored = _stored(wish.cluster, wish.name) if live is None else None
    if live or (stored and not (replaced and stored.status in _REPLACED)):
        raise click.ClickException(
            "release name check failed: cannot reuse a name that is still in use"
        )


@click.command("upgrade", cls=HelmCommand)
@click.argument(
    "arguments",
    nargs=-1,
    metavar="RELEASE CHART",
    shell_complete=completions.release_and_chart,
    callback=exactly(2, "whipstaff upgrade [RELEASE] [CHART] [flags]"),
)
@_flags(
    flags_of("server-side", "force-replace", "force", "cleanup-on-fail", "history-max"),
    click.option("-i", "--install", is_flag=True, help="Install what is not there."),
    click.option("--reset-values", is_flag=True, help="Begin with the chart's own values."),
    click.option("--reuse-values", is_flag=True, help="Lay values over those of before."),
    click.option(
        "--reset-then-reuse-values", is_flag=True, help="The same: only given values are kept."
    ),
)
def upgrade(arguments: tuple[str, str], **flags: Any) -> None:  # noqa: ANN401 - click's own types
    """Change chart and values of a HelmRelease, as `helm upgrade` changes a release's."""
    name, reference = arguments
    check(flags)
    with failing("UPGRADE FAILED", but=Unusable), reached(flags) as cluster:
        if not is_name(name):
            raise click.ClickException(f"release name is invalid: {name}")
        wish = _Wish.of(cluster, name, reference, flags)
        live = wish.releases.find(name)
        if live is not None:
            wish.change(live)
            return
        stored = _stored(cluster, name)
        if stored is not None and _runs(stored):  # the helm command's: it is taken over
            wish.install(stored.config or {}, done=wish.upgraded)
            return
        if not flags["install"]:
            raise click.ClickException(f"{quote(name)} has no deployed releases")
        if flags["output"] == "table" and flags["dry_run"] != "client":
            click.echo(f"Release {quote(name)} does not exist. Installing it now.")
        wish.install({})


def _stored(cluster: Cluster, name: str) -> StoredRelease | None:
    """Return the newest stored revision, None if there is none, or none that one may read."""
    try:
        return StoredReleases(cluster).revision(name, 0)
    except click.ClickException as error:
        cause = error.__cause__
        if error.message == NOT_FOUND:
            return None
        if isinstance(cause, ClusterRefused) and cause.code == _FORBIDDEN:
            return None
        raise


def _runs(stored: StoredRelease | None) -> bool:
    return stored is not None and stored.status != ReleaseStatus.UNINSTALLED


@dataclass(frozen=True, slots=True)
class _Wish:
    """A release as the command line asks for it."""

    cluster: Cluster
    releases: HelmReleases
    name: str
    choice: Choice
    values: JsonObject
    flags: dict[str, Any]

    @classmethod
    def of(cls, cluster: Cluster, name: str, reference: str, flags: dict[str, Any]) -> "_Wish":
        if not is_name(name):
            raise click.ClickException(
                f"release name check failed: release name {quote(name)}: {_NAME_RULE}"
            )
        home: HelmHome = home_of(flags)
        options = ChartOptions.taken(flags)
        try:
            with unwritten():
                values = plain(given(flags).merged())
                found = choice(
                    reference,
                    options,
                    home,
                    name,
                    cluster.namespace,
                    complete=flags["dependency_update"],
                )
        except (ValuesRefused, OperatorError, OSError, Refused) as error:
            raise Unusable(str(error)) from error
        assert isinstance(values, dict)  # noqa: S101 - says the type
        return cls(cluster, helmreleases(cluster), name, found, values, flags)

    def install(self, before: JsonObject, done: "Callable[[], None] | None" = None) -> None:
        """Make the HelmRelease."""
        body = {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "metadata": {"name": self.name, "namespace": self.cluster.namespace},
            "spec": self._spec({}, self._values(before), {}),
        }
        if self._shown(body):
            return
        with written_whole(self.releases, self.name):
            self._prepare()
            self.releases.create(body, dry_run=bool(self.flags["dry_run"]))
            self._adopt()
        self._end(done)

    def change(self, live: JsonObject) -> None:
        """Change the HelmRelease, and take a pin away, which would hold the change back."""
        before, set_before = live.get("spec") or {}, ours(live)
        spec = self._spec(before, self._values(before.get("values") or {}), set_before)
        taken_back = [name for name in _COUNT_ONCE if name in set_before and name not in spec]
        edit = Edit(spec=spec, cleared=("revision", *taken_back), whole=True)
        if self._shown(edit.shown(self.cluster.namespace, self.name)):
            return
        with written_whole(self.releases, self.name):
            self._prepare()
            changed = self.releases.edit(self.name, edit, dry_run=bool(self.flags["dry_run"]))
            self._adopt()
        tell_of_git(changed)
        self._end(self.upgraded)

    def upgraded(self) -> None:
        if self.flags["output"] == "table":
            click.echo(f"Release {quote(self.name)} has been upgraded. Happy Helming!")

    def _values(self, before: JsonObject) -> JsonObject:
        """Choose between the values that are given and those of before, as helm does."""
        flags = self.flags
        if flags.get("reset_values"):
            return self.values
        if flags.get("reuse_values") or flags.get("reset_then_reuse_values"):
            return merge_documents([before, self.values])
        return self.values or before

    def _spec(self, before: JsonObject, values: JsonObject, set_before: JsonObject) -> JsonObject:
        """Return the fields to set; `set_before` is what commands set in the spec of before."""
        flags = self.flags
        spec: JsonObject = {"chart": self.choice.spec}
        if values or "values" in before:
            spec["values"] = values
        if flags["timeout"] != _DEFAULT_TIMEOUT_SECONDS:
            spec["timeout"] = f"{flags['timeout']:g}s"
        spec |= blocks(("install", "upgrade"), flags, before, set_before)
        if flags["skip_crds"]:
            known = spec.get("install") or before.get("install") or {}
            spec["install"] = {**known, "crds": "Skip"}
        return spec

    def _shown(self, body: JsonObject) -> bool:
        """Print what would be made, and say whether that was all."""
        if self.flags["dry_run"] != "client":
            return False
        bodies = [*self.choice.objects, body]
        if self.flags["hide_secret"]:
            bodies = [one for one in bodies if one["kind"] != "Secret"]
        if self.flags["output"] == "json":
            echo("".join(f"{json.dump(one)}\n" for one in bodies))
        else:
            echo("---\n".join(as_yaml(one) for one in bodies))
        return True

    def _prepare(self) -> None:
        """Make what has to be there before the HelmRelease names it."""
        if self.choice.note:
            click.echo(self.choice.note, err=True)
        if self.flags["create_namespace"]:
            self.releases.ensure_namespace(dry_run=bool(self.flags["dry_run"]))
        for body in self.choice.objects:
            self.releases.apply(body, dry_run=bool(self.flags["dry_run"]))

    def _adopt(self) -> None:
        """Have what was made before go with the HelmRelease."""
        if self.choice.objects and not self.flags["dry_run"]:
            self.releases.adopt(self.name, self.choice.objects)

    def _end(self, done: "Callable[[], None] | None") -> None:
        if self.flags["dry_run"]:
            click.echo(f"{self.releases.subject(self.name)}: the API server would take it")
            return
        kept = {str(one["metadata"]["name"]) for one in self.choice.objects}
        if self.flags["no_wait"]:
            click.echo(f"{self.releases.subject(self.name)} is written")
            return
        wait_for(self.releases, self.name, self.flags["timeout"])
        self.releases.forget(f"{CHART_OF}={self.name}", kept)
        if done is not None:
            done()
        found = _stored(self.cluster, self.name)
        if found is not None:
            self._tell(found)

    def _tell(self, found: StoredRelease) -> None:
        match self.flags["output"]:
            case "json":
                echo(json.dump(release_text.record(found, {})) + "\n")
            case "yaml":
                echo(as_yaml(release_text.record(found, {})))
            case _:
                release_text.tell(found, {}, with_notes=not self.flags["hide_notes"])

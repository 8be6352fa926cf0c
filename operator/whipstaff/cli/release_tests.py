"""`whipstaff test`: the operator runs the tests of a release, and what comes of them is shown."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import click

from whipstaff.cli import completions, release_text
from whipstaff.cli.awaiting import outcome_of_tests, timeout_flag, wait_for_tests
from whipstaff.cli.cluster_flags import Cluster, cluster_flags, reached
from whipstaff.cli.helm_flags import HelmCommand, exactly, listed
from whipstaff.cli.helmreleases import HelmReleases, helmreleases
from whipstaff.cli.printing import color_option, echo
from whipstaff.cli.stored_releases import StoredReleases, is_name
from whipstaff.errors import ClusterRefused
from whipstaff.helmrelease import edits
from whipstaff.helmrelease.asked_tests import named
from whipstaff.helmrelease.placements import placement_told
from whipstaff.helmrelease.types import TestOptions
from whipstaff.release.revision import JsonObject
from whipstaff.release.stored import StoredRelease

_MOST_TESTS = 32  # of one release, where nobody knows
_MORE_SECONDS = 60.0  # for the operator to begin, and to end


@click.command("test", cls=HelmCommand)
@click.argument(
    "names",
    nargs=-1,
    metavar="RELEASE",
    callback=exactly(1, "whipstaff test [RELEASE] [flags]"),
    shell_complete=completions.helmreleases,
)
@click.option(
    "--filter",
    "filters",
    multiple=True,
    callback=listed,
    metavar="name=TEST,...",
    help="Tests to run, or !name=TEST for one that is not to; may be given again.",
)
@click.option("--logs", is_flag=True, help="Print what the tests logged.")
@timeout_flag
@color_option
@cluster_flags
def test(names: tuple[str], **flags: Any) -> None:  # noqa: ANN401 - click's own types
    """Run the tests of a release, as `helm test` does."""
    name = names[0]
    if not is_name(name):
        raise click.ClickException(f"releaseTest: Release name is invalid: {name}")
    options = TestOptions(filters=named(flags["filters"]), timeout_seconds=flags["timeout"])
    with reached(flags) as cluster:
        releases = helmreleases(cluster)
        before = releases.get(name)
        problems: list[str] = []
        if (before.get("spec") or {}).get("kubeConfig"):  # its records and Pods are not here
            live = _ran(releases, name, options, _MOST_TESTS)
            echo(told_in_status(live, with_logs=flags["logs"]))
        else:
            wanted = _Tests(cluster, options, before)
            live = _ran(releases, name, options, sum(1 for _ in wanted.chosen(wanted.stored())))
            one = wanted.stored()
            release_text.tell(one, {}, with_notes=False)
            if flags["logs"]:
                echo("\n")
                problems = wanted.show_logs(one, live)
    failed, why = outcome_of_tests(live)
    if failed or problems:
        raise click.ClickException("\n".join([why] * failed + problems))


def _ran(releases: HelmReleases, name: str, options: TestOptions, count: int) -> JsonObject:
    """Have so many tests run, and return the HelmRelease as it is then."""
    moment = datetime.now(UTC).isoformat()  # noqa: TID251 - any text that is new
    seconds = options.timeout_seconds
    chosen = ",".join(f"{'!' * one.exclude}name={one.name}" for one in options.filters)
    edit = edits.run_tests(moment, chosen=chosen, timeout=f"{max(seconds, 1):g}s")
    releases.edit(name, edit)
    return wait_for_tests(releases, name, seconds * max(count, 1) + _MORE_SECONDS, moment)


def told_in_status(live: JsonObject, *, with_logs: bool) -> str:
    """Return what status tells of tests that ran in another cluster, in helm's form."""
    status = live.get("status") or {}
    release, tests = status.get("release") or {}, status.get("tests") or ()
    lines = [
        f"NAME: {release.get('name', '')}",
        f"NAMESPACE: {release.get('namespace', '')}",
        f"REVISION: {status.get('testedRevision', '')}",
        *(line for one in tests for line in release_text.test_lines(one)),
    ]
    logs = [f"POD LOGS: {one.get('name', '')}\n{one['log']}\n\n" for one in tests if one.get("log")]
    text = "".join(f"{line}\n" for line in lines)
    return "".join([text, "\n", *logs]) if with_logs else text


@dataclass(frozen=True, slots=True)
class _Tests:
    """The tests of a release, and which of them are wanted."""

    cluster: Cluster
    options: TestOptions
    live: JsonObject

    def stored(self) -> StoredRelease:
        """Return the newest revision; a ClickException in helm's words if there is none."""
        place = placement_told(self.live.get("status") or {})
        namespace = place.storage_namespace if place else self.cluster.namespace
        name = place.release_name if place else str(self.live["metadata"]["name"])
        return StoredReleases(replace(self.cluster, namespace=namespace)).revision(name, 0)

    def chosen(self, one: StoredRelease) -> Iterator[JsonObject]:
        """Yield the hooks that are wanted tests, in the order in which they run."""

        def order(hook: JsonObject) -> tuple[int, str]:
            return int(hook.get("weight") or 0), str(hook.get("name", ""))

        for hook in sorted(release_text.test_hooks(one), key=order):
            if self.options.chooses(str(hook.get("name", ""))):
                yield hook

    def show_logs(self, one: StoredRelease, live: JsonObject) -> list[str]:
        """Print what tests logged: all of it if their Pods are there, else what status has.

        What could not be had is returned.
        """
        tests = (live.get("status") or {}).get("tests") or ()
        told = {str(test.get("name")): str(test.get("log") or "") for test in tests}
        problems: list[str] = []
        for hook in self.chosen(one):
            name = str(hook.get("name", ""))
            try:
                problems += self._show_pod(one.namespace, name)
            except ClusterRefused as error:
                if told.get(name):
                    echo(f"POD LOGS: {name}\n{told[name]}\n\n")
                else:
                    problems.append(f"unable to get pod {name}: {error.text}")
                    break
        return problems

    def _show_pod(self, namespace: str, name: str) -> list[str]:
        """Print what the containers of a Pod logged; return what could not be had."""
        path = f"/api/v1/namespaces/{namespace}/pods/{name}"
        spec = self.cluster.client.get(path, subject=f'pods "{name}"').get("spec") or {}
        problems = []
        for one in (*(spec.get("initContainers") or ()), *(spec.get("containers") or ())):
            container = str(one["name"])
            try:
                log = self.cluster.client.text(f"{path}/log", {"container": container})
            except ClusterRefused as error:
                what = f"unable to get logs for pod {name}, container {container}"
                problems.append(f"{what}: {error.text}")
                continue
            echo(f"POD LOGS: {name} ({container})\n{log}\n")
        return problems

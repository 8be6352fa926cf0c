"""The ChartSource of the loop: from wherever a HelmRelease says, and whole."""

import math
from dataclasses import replace
from pathlib import Path

from yarl import URL

from whipstaff.chart.model import Dependency
from whipstaff.chart.wanted import Wanted
from whipstaff.errors import ChartIntegrity, ChartInvalid, OperatorError
from whipstaff.reconcile.ports import ChartReference, ResolvedChart
from whipstaff.sources.charts import Charts
from whipstaff.sources.choice import ANY_VERSION, Entry, choose
from whipstaff.sources.completion import Base, Completion, Whole
from whipstaff.sources.flux import FluxSources
from whipstaff.sources.stored import StoredArchives

# How old what is known of a repository may be where only a dependency is taken from it.
DEPENDENCY_SECONDS = 300.0


class ChartPlaces:
    """Charts of repositories, of Flux's sources and out of the cluster; all failures are named."""

    def __init__(
        self,
        repositories: Charts,
        sources: FluxSources,
        stored: StoredArchives,
        completion: Completion,
    ) -> None:
        self._repositories = repositories
        self._sources = sources
        self._stored = stored
        self._completion = completion

    async def close(self) -> None:
        """Stop what is under way and close all connections."""
        await self._completion.close()
        await self._sources.close()
        await self._repositories.close()

    async def resolve(self, reference: ChartReference, *, max_age_seconds: float) -> ResolvedChart:
        """Choose a version and have its archive in the cache: the port's promise."""
        chart = None
        if reference.source_ref is not None:
            base = await self._sources.locate(reference, reference.source_ref)
        elif reference.archive_from is not None:
            base = await self._stored.locate(reference, reference.archive_from)
        else:
            chart = await self._repositories.resolve(reference, max_age_seconds=max_age_seconds)
            base = _of_repository(reference, chart)

        async def fetch(dependency: Dependency) -> ResolvedChart:
            return await self._dependency(reference, dependency, max_age_seconds)

        whole = await self._completion.complete(base, fetch)
        if chart is not None:
            return replace(chart, digest=whole.digest, path=whole.path)
        _refuse_others(reference, base, whole)
        return ResolvedChart(*whole)

    async def _dependency(
        self, reference: ChartReference, dependency: Dependency, max_age_seconds: float
    ) -> ResolvedChart:
        """Fetch a chart that another one needs, as whoever has a HelmRepository of that URL.

        Without one, nobody's login is sent.
        """
        repository = self._repositories.named(URL(dependency.repository), reference)
        asked = ChartReference(
            dependency.name,
            dependency.version or ANY_VERSION,
            "" if repository else dependency.repository.rstrip("/"),
            repository,
            reference.namespace,
        )
        age = DEPENDENCY_SECONDS if math.isinf(max_age_seconds) else max_age_seconds
        try:
            return await self._repositories.resolve(asked, max_age_seconds=age)
        except OperatorError as error:
            raise replace(error, text=f"dependency {dependency.name}: {error.text}") from error


def _of_repository(reference: ChartReference, chart: ResolvedChart) -> Base:
    wanted = Wanted(
        values_files=reference.values_files,
        ignore_missing_values_files=reference.ignore_missing_values_files,
    )

    async def opened() -> Path:
        return Path(chart.path)

    return Base(chart.digest, wanted, opened, chart.scope)


def _refuse_others(reference: ChartReference, base: Base, whole: Whole) -> None:
    """Refuse a chart of another name, version or digest than was asked for."""
    if reference.name and whole.name != reference.name:
        raise ChartInvalid(
            f"the source holds the chart {whole.name!r}, not {reference.name!r}", "Chart.yaml: name"
        )
    if reference.version not in {"", ANY_VERSION}:  # which leaves pre-releases out
        choose(whole.name, reference.version, [Entry(whole.version, "", ())], "the source")
    if reference.digest and reference.digest not in {whole.digest, base.digest}:
        raise ChartIntegrity(
            f"{whole.name} {whole.version} has the digest {whole.digest}, and its source"
            f" {base.digest}, but spec.chart.digest is {reference.digest}",
            "spec.chart.digest",
        )

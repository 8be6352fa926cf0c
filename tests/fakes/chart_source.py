"""Charts that are always at hand; tests/contracts/test_chart_source.py compares."""

from collections import deque
from dataclasses import replace

from whipstaff.errors import ChartUnavailable
from whipstaff.golang.semver import Version
from whipstaff.reconcile.ports import ChartReference, ResolvedChart
from whipstaff.sources.choice import Entry, choose


class FakeChartSource:
    """`calls` has every reference with the age that was allowed."""

    def __init__(self):
        self.calls: list[tuple[ChartReference, float]] = []
        self._charts: dict[tuple[str, str], dict[str, ResolvedChart]] = {}
        self._refusals: deque = deque()

    # What tests do to it.

    def add(self, repository: str, name: str, version: str, *, digest="", path="") -> None:
        """Publish a version, or another archive under a version that was there."""
        chart = ResolvedChart(name, version, digest or f"sha256:{name}-{version}", path)
        self._charts.setdefault((repository, name), {})[version] = chart

    def refuse(self, error: Exception, *, times: int = 1) -> None:
        """Have the next calls end so."""
        self._refusals.extend([error] * times)

    # The port.

    async def resolve(self, reference, *, max_age_seconds):
        self.calls.append((reference, max_age_seconds))
        if self._refusals:
            raise self._refusals.popleft()
        charts = self._charts.get((reference.repository, reference.name))
        if not charts:
            raise ChartUnavailable(
                f"{reference.repository} has no chart named {reference.name!r}",
                f"{reference.repository}/{reference.name}",
            )
        newest_first = sorted(charts, key=lambda version: Version.parse(version).key, reverse=True)
        entries = [Entry(version, "", ()) for version in newest_first]
        entry, newer = choose(reference.name, reference.version, entries, reference.repository)
        return replace(charts[entry.version], newer=newer)

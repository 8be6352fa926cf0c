"""What is taken of the source of a chart, for a main process that reads no chart itself."""

from dataclasses import dataclass

from whipstaff.chart.model import Dependency


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is taken of a source."""

    artifact: bool = False  # the source is a tarball of files; else a packaged chart
    path: str = ""  # of the chart in an artifact; empty: its root
    may_be_packed: bool = False  # the artifact itself may be a packaged chart
    values_files: tuple[str, ...] = ()
    ignore_missing_values_files: bool = False


@dataclass(frozen=True, slots=True)
class CompleteChart:
    """A chart as it was found; it is to be had only where nothing is missing."""

    name: str
    version: str
    missing: tuple[Dependency, ...] = ()
    written: bool = False  # to another file; else the source is the chart

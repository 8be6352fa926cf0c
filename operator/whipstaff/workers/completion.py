"""The job that finds a chart in its source, and packs it where the source is not yet the chart."""

from pathlib import Path

from whipstaff.chart import completing
from whipstaff.chart.completing import Completed, Fetched
from whipstaff.chart.wanted import Wanted
from whipstaff.errors import ChartTooLarge, ChartUnavailable
from whipstaff.workers.protocol import JsonObject


def complete(order: JsonObject, archive_bytes: int) -> JsonObject:
    """Do what `WorkerPool.complete` asks; `archive_bytes` is the limit of a packaged chart."""
    wanted = Wanted(**order["wanted"] | {"values_files": tuple(order["wanted"]["values_files"])})
    try:
        found = _found(Path(order["source"]), wanted, order["fetched"])
    except OSError as error:
        name = Path(order["source"]).name
        raise ChartUnavailable(f"the archive {name} left the cache", name) from error
    if found.archive is not None:
        if len(found.archive) > archive_bytes:
            raise ChartTooLarge(f"the packed chart is larger than {archive_bytes} bytes")
        Path(order["target"]).write_bytes(found.archive)
    return {
        "name": found.name,
        "version": found.version,
        "missing": [
            {"name": one.name, "version": one.version, "repository": one.repository}
            for one in found.missing
        ],
        "written": found.archive is not None,
    }


def _found(source: Path, wanted: Wanted, fetched: list[dict[str, str]]) -> Completed:
    put_in = [
        Fetched(one["name"], one["version"], one["repository"], Path(one["path"]).read_bytes())
        for one in fetched
    ]
    if wanted.artifact:
        return completing.of_tarball(source, wanted, put_in)
    return completing.of_archive(source.read_bytes(), wanted, put_in)

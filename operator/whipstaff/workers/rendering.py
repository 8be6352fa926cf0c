"""The render job: a chart archive and values in, what the loop applies and stores out."""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from whipstaff.chart import archive, rendering, unused
from whipstaff.chart import record as chart_record
from whipstaff.chart.incremental import Memory
from whipstaff.chart.model import Chart, CRDFile
from whipstaff.chart.rendering import ReleaseInfo, Rendered
from whipstaff.errors import (
    ChartIntegrity,
    ChartInvalid,
    ChartTooLarge,
    ChartUnavailable,
    ClusterRefused,
    RenderLimit,
)
from whipstaff.release import generated
from whipstaff.release.revision import JsonObject
from whipstaff.template.errors import FunctionError, LimitExceeded
from whipstaff.template.generated import Generated
from whipstaff.template.scope import Limits as ScopeLimits
from whipstaff.template.scope import RenderScope
from whipstaff.template.system import SystemEffects
from whipstaff.workers import documents
from whipstaff.workers.compiled import CompiledCharts
from whipstaff.workers.press import Press
from whipstaff.workers.protocol import Limits
from whipstaff.workers.snapshots import Snapshots

Lookup = Callable[[str, str, str, str], JsonObject]

_CHARTS_KEPT = 8
_MEMORY_BYTES = 64 << 20  # of what is kept for the next render of the same releases
_NOTES_CHARACTERS = 64 << 10
_DIGEST_CHARACTERS = 32
_CRD = "CustomResourceDefinition"


@dataclass(slots=True)
class _Known:
    """A chart, and path and text of those of its templates that took part in a render."""

    chart: Chart
    on_disk: bool
    templates: dict[tuple[str, str], None] = field(default_factory=dict)
    rendered: Chart | None = None  # with its dependencies decided, the last time


class Charts:
    """The charts that were loaded last, by the digest of their archives."""

    def __init__(self, archive_bytes: int, kept: CompiledCharts | None = None) -> None:
        self._archive_bytes = archive_bytes
        self._kept = kept
        self._charts: OrderedDict[str, _Known] = OrderedDict()

    def load(self, path: str, digest: str = "") -> Chart:
        """Return a chart; ChartIntegrity if the archive is not the one of `digest`."""
        if digest in self._charts:
            self._charts.move_to_end(digest)
            return self._charts[digest].chart
        found = self._kept.find(digest) if digest and self._kept else None
        if found and self._kept:
            chart = found
            rendering.take_code(digest, self._kept.find_code)
        else:
            data = self._read(Path(path))
            actual = f"sha256:{hashlib.sha256(data).hexdigest()}"
            if digest and actual != digest:
                raise ChartIntegrity(f"the archive's digest is {actual}, not {digest}")
            digest, chart = actual, archive.load(data)
        self._charts[digest] = _Known(chart, on_disk=found is not None)
        if len(self._charts) > _CHARTS_KEPT:
            self._charts.popitem(last=False)
        return chart

    def keep(self, digest: str, rendered: Chart) -> None:
        """Write the chart and the code of its templates to disk, if new code was made."""
        known = self._charts.get(digest)
        if self._kept is None or known is None:
            return
        if rendered is not known.rendered:
            known.templates.update(dict.fromkeys(rendering.sources(rendered)))
            known.rendered = rendered
        if not known.on_disk:
            self._kept.store(digest, known.chart)
        if not known.on_disk or rendering.has_new_code(known.templates):
            self._kept.store_code(digest, rendering.code_of(known.templates))
        known.on_disk = True

    def _read(self, file: Path) -> bytes:
        try:
            if file.stat().st_size > self._archive_bytes:
                raise ChartTooLarge(f"the archive is larger than {self._archive_bytes} bytes")
            return file.read_bytes()
        except OSError as error:
            raise ChartUnavailable(f"the archive {file.name} left the cache", file.name) from error


def inspect(charts: Charts, path: str) -> JsonObject:
    """Return name and version of a chart that loads."""
    chart = charts.load(path)
    return {"name": chart.name, "version": chart.metadata.version}


def scope(limits: Limits, lookup: Lookup, begin: Callable[[str], None]) -> RenderScope:
    """Give templates the time, randomness and the cluster; `begin` hears of each of them."""
    return RenderScope(
        SystemEffects(_in_template(lookup)),
        jinja2_charts=limits.jinja2_charts,
        limits=ScopeLimits(output_bytes=limits.output_bytes),
        begin=begin,
    )


class Releases:
    """What was rendered last for each release, up to a number of bytes."""

    def __init__(
        self, kept: CompiledCharts | None = None, bytes_limit: int = _MEMORY_BYTES
    ) -> None:
        self._kept = kept
        self._bytes_limit = bytes_limit
        self._presses: OrderedDict[tuple[str, ...], Press] = OrderedDict()
        self._sizes: dict[tuple[str, ...], int] = {}

    def take(self, order: JsonObject) -> Press:
        """Return what is known of a release; the caller gives it back if all went well."""
        self._sizes.pop(_key(order), None)
        press = self._presses.pop(_key(order), None)
        if press is None:
            store = Snapshots(self._kept, order["digest"]) if self._kept else None
            press = Press(Memory(store))
        return press

    def give_back(self, order: JsonObject, press: Press) -> None:
        """Keep what was rendered, and forget what was not asked for the longest."""
        press.save()
        key = _key(order)
        self._presses[key], self._sizes[key] = press, press.bytes_held
        while sum(self._sizes.values()) > self._bytes_limit:
            oldest, _ = self._presses.popitem(last=False)
            del self._sizes[oldest]


def _key(order: JsonObject) -> tuple[str, ...]:
    return order["digest"], order["namespace"], order["release_name"]


def render(charts: Charts, releases: Releases, scope: RenderScope, order: JsonObject) -> JsonObject:
    """Do what a RenderRequest asks, in JSON; `same_as_current` comes alone."""
    press = releases.take(order)
    result = _render(charts, press, scope, order)
    releases.give_back(order, press)
    return result


def _render(charts: Charts, press: Press, scope: RenderScope, order: JsonObject) -> JsonObject:
    chart = charts.load(order["path"], order["digest"])
    info = ReleaseInfo(
        order["release_name"], order["namespace"], order["revision"], order["is_upgrade"]
    )
    if current := order["current"]:
        running = replace(info, revision=current["revision"], is_upgrade=current["is_upgrade"])
        printed = press.render(chart, order, running, _keeping(order, scope)[1])
        known = current["crds_digest"]
        same_crds = not known or _digest_of(printed.rendered.crds) == known
        if printed.digest == current["manifest_digest"] and same_crds:
            charts.keep(order["digest"], printed.rendered.chart)
            return {"same_as_current": True, "unused": _unused(printed.rendered, order)}
    keeping, scope = _keeping(order, scope)
    printed = press.render(chart, order, info, scope)
    rendered = printed.rendered
    charts.keep(order["digest"], rendered.chart)
    repeated = documents.repeated(printed.objects, info.namespace)
    return {
        "same_as_current": False,
        "manifest": printed.manifest,
        "objects": printed.objects,
        "hooks": [asdict(hook) for hook in printed.hooks],
        "notes": rendered.notes[:_NOTES_CHARACTERS],
        "crds": [crd for file in rendered.crds for crd in _crds(file)],
        "crds_digest": _digest_of(rendered.crds),
        "chart": generated.with_generated(
            chart_record.to_record(rendered.chart), keeping.record() if keeping else {}
        ),
        "manifest_digest": printed.digest,
        "warnings": [*rendered.warnings, *(f"rendered more than once: {one}" for one in repeated)],
        "unused": _unused(rendered, order),
    }


def _unused(rendered: Rendered, order: JsonObject) -> list[str]:
    return unused.told(unused.unused(rendered.reads, order["values"])) if rendered.reads else []


def _keeping(order: JsonObject, scope: RenderScope) -> tuple[Generated | None, RenderScope]:
    """Return what one render shall find of what was generated before, and the scope that has it."""
    if order["generated"] is None:
        return None, scope
    keeping = Generated(generated.read(order["generated"]))
    return keeping, replace(scope, generated=keeping)


def _in_template(lookup: Lookup) -> Callable[[str, str, str, str], dict[str, object]]:
    def ask(api_version: str, kind: str, namespace: str, name: str) -> dict[str, object]:
        try:
            return lookup(api_version, kind, namespace, name)
        except ClusterRefused as error:
            raise FunctionError(error.text) from error
        except RenderLimit as error:
            raise LimitExceeded(error.text) from error

    return ask


def _digest_of(files: Sequence[CRDFile]) -> str:
    """Return a digest of the chart's crds/, fit for a label; empty if it has none."""
    if not files:
        return ""
    found = hashlib.sha256()
    for file in files:
        found.update(f"{file.path}\0{len(file.data)}\0".encode())
        found.update(file.data)
    return found.hexdigest()[:_DIGEST_CHARACTERS]


def _crds(file: CRDFile) -> tuple[JsonObject, ...]:
    """Return the definitions in a file of crds/, where nothing else may be."""
    text = file.data.decode("utf-8", "replace")
    found: list[JsonObject] = []
    for document in documents.split(text, file.path):
        value = documents.load(document)
        kind = value.get("kind") if isinstance(value, dict) else None
        if kind == "Kustomization":
            continue  # kustomize's own list of the files beside it; no cluster has such objects
        if value is not None and kind not in (_CRD, "List", f"{_CRD}List"):
            raise ChartInvalid(
                f"{file.path}:{document.line}: only {_CRD}s may be in crds/, this is {kind}",
                where=file.path,
            )
        found += documents.objects(document, value)
    return tuple(found)

"""The render job: a chart archive and values in, what the loop applies and stores out."""

import hashlib
import os
import secrets
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from whipstaff.chart import archive, rendering
from whipstaff.chart import record as chart_record
from whipstaff.chart.capabilities import (
    APIVersions,
    Capabilities,
    KubeVersion,
    KubeVersionInvalid,
)
from whipstaff.chart.manifests import Hook as RenderedHook
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
from whipstaff.golang import yaml
from whipstaff.release import manifests
from whipstaff.release.revision import Hook, HookDeletePolicy, HookEvent, JsonObject
from whipstaff.template.errors import FunctionError, LimitExceeded
from whipstaff.template.scope import Limits as ScopeLimits
from whipstaff.template.scope import RenderScope
from whipstaff.workers import documents
from whipstaff.workers.compiled import CompiledCharts
from whipstaff.workers.documents import Document
from whipstaff.workers.protocol import Limits

Lookup = Callable[[str, str, str, str], JsonObject]

_CHARTS_KEPT = 8
_NOTES_CHARACTERS = 64 << 10
_OBJECTS_LIMIT = 10_000
_CRD = "CustomResourceDefinition"
# What Kubernetes itself keeps outside of namespaces. Other kinds are taken for namespaced ones;
# where that is wrong, the API server drops the namespace again.
_CLUSTER_SCOPED = frozenset(
    {
        "APIService",
        "CSIDriver",
        "CSINode",
        "ClusterRole",
        "ClusterRoleBinding",
        _CRD,
        "DeviceClass",
        "FlowSchema",
        "IngressClass",
        "MutatingAdmissionPolicy",
        "MutatingAdmissionPolicyBinding",
        "MutatingWebhookConfiguration",
        "Namespace",
        "Node",
        "PersistentVolume",
        "PriorityClass",
        "PriorityLevelConfiguration",
        "RuntimeClass",
        "StorageClass",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
        "ValidatingWebhookConfiguration",
        "VolumeAttachment",
        "VolumeAttributesClass",
    }
)


@dataclass(slots=True)
class _Known:
    """A chart, and path and text of those of its templates that took part in a render."""

    chart: Chart
    on_disk: bool
    templates: dict[tuple[str, str], None] = field(default_factory=dict)


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
        if found:
            chart, code = found
            rendering.take_code(code)
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
        known.templates.update(dict.fromkeys(rendering.sources(rendered)))
        if not known.on_disk or rendering.has_new_code(known.templates):
            self._kept.store(digest, known.chart, rendering.code_of(known.templates))
            known.on_disk = True

    def _read(self, file: Path) -> bytes:
        try:
            if file.stat().st_size > self._archive_bytes:
                raise ChartTooLarge(f"the archive is larger than {self._archive_bytes} bytes")
            return file.read_bytes()
        except OSError as error:
            raise ChartUnavailable(f"the archive {file.name} left the cache", file.name) from error


@dataclass(frozen=True, slots=True)
class _SystemRandom:
    """Randomness for passwords and keys that templates make."""

    def randbytes(self, n: int, /) -> bytes:
        return os.urandom(n)

    def randbelow(self, n: int, /) -> int:
        return secrets.randbelow(n)


@dataclass(frozen=True, slots=True)
class _Effects:
    now: Callable[[], datetime]
    random: _SystemRandom
    lookup: Callable[[str, str, str, str], dict[str, object]]


@dataclass(frozen=True, slots=True)
class _Output:
    """What a rendering puts into the cluster and the record."""

    manifest: str
    objects: tuple[JsonObject, ...]
    hooks: tuple[Hook, ...]

    @property
    def digest(self) -> str:
        return manifests.manifest_digest(self.manifest, self.hooks)


def inspect(charts: Charts, path: str) -> JsonObject:
    """Return name and version of a chart that loads."""
    chart = charts.load(path)
    return {"name": chart.name, "version": chart.metadata.version}


def scope(limits: Limits, lookup: Lookup, begin: Callable[[str], None]) -> RenderScope:
    """Give templates the time, randomness and the cluster; `begin` hears of each of them."""
    return RenderScope(
        _Effects(_now, _SystemRandom(), _in_template(lookup)),
        limits=ScopeLimits(output_bytes=limits.output_bytes),
        begin=begin,
    )


def render(charts: Charts, scope: RenderScope, order: JsonObject) -> JsonObject:
    """Do what a RenderRequest asks, in JSON; `same_as_current` comes alone."""
    chart = charts.load(order["path"], order["digest"])
    info = ReleaseInfo(
        order["release_name"], order["namespace"], order["revision"], order["is_upgrade"]
    )
    press = _Press(chart, order, scope)
    if current := order["current"]:
        running = replace(info, revision=current["revision"], is_upgrade=current["is_upgrade"])
        rendered, output = press.render(running)
        if output.digest == current["manifest_digest"]:
            charts.keep(order["digest"], rendered.chart)
            return {"same_as_current": True}
    rendered, output = press.render(info)
    charts.keep(order["digest"], rendered.chart)
    repeated = documents.repeated(output.objects, info.namespace)
    return {
        "same_as_current": False,
        "manifest": output.manifest,
        "objects": output.objects,
        "hooks": [asdict(hook) for hook in output.hooks],
        "notes": rendered.notes[:_NOTES_CHARACTERS],
        "crds": [crd for file in rendered.crds for crd in _crds(file)],
        "chart": chart_record.to_record(rendered.chart),
        "manifest_digest": output.digest,
        "warnings": [*rendered.warnings, *(f"rendered more than once: {one}" for one in repeated)],
    }


class _Press:
    """One chart with its values, rendered for one release and another."""

    def __init__(self, chart: Chart, order: JsonObject, scope: RenderScope) -> None:
        self._chart = chart
        self._scope = scope
        self._values = order["values"]
        self._namespace = order["namespace"] if order["namespace_in_manifest"] else ""
        try:
            self._capabilities = Capabilities(
                KubeVersion.parse(order["kube_version"]), APIVersions(tuple(order["api_versions"]))
            )
        except KubeVersionInvalid as error:
            raise ClusterRefused(f"the cluster's version cannot be read: {error}") from error

    def render(self, info: ReleaseInfo) -> tuple[Rendered, _Output]:
        """Render once; templates may change the values, so each time gets its own."""
        rendered = rendering.render(
            self._chart, _with_floats(self._values), info, self._capabilities, self._scope
        )
        return rendered, self._output(rendered)

    def _output(self, rendered: Rendered) -> _Output:
        parts: list[str] = []
        objects: list[JsonObject] = []
        for one in rendered.documents:
            opened = tuple(documents.objects(Document(one.path, one.text, 0), one.body))
            parts.append(f"---\n# Source: {one.path}\n{self._placed(one.text, one.body, opened)}\n")
            objects += opened
            if len(objects) > _OBJECTS_LIMIT:
                raise RenderLimit(f"the chart renders more than {_OBJECTS_LIMIT} objects")
        manifest = "".join(parts)
        limit = self._scope.limits.output_bytes
        if len(manifest) > limit:
            raise RenderLimit(
                f"the rendered manifest is larger than {limit} bytes", self._chart.name
            )
        return _Output(manifest, tuple(objects), tuple(map(self._hook, rendered.hooks)))

    def _hook(self, hook: RenderedHook) -> Hook:
        document = Document(hook.path, hook.text, 0)
        opened = tuple(documents.objects(document, hook.body))
        if len(opened) != 1:
            raise document.refuse(f"a hook must be one object, not {len(opened)}")
        known = frozenset(HookDeletePolicy)
        return Hook(
            name=hook.name,
            kind=hook.kind,
            path=hook.path,
            manifest=self._placed(hook.text, hook.body, opened),
            body=opened[0],
            events=tuple(map(HookEvent, hook.events)),
            weight=hook.weight,
            delete_policies=tuple(
                HookDeletePolicy(policy) for policy in hook.delete_policies if policy in known
            ),
            output_log_policies=hook.output_log_policies,
        )

    def _placed(self, text: str, body: JsonObject, opened: Iterable[JsonObject]) -> str:
        """Return the text, or the body anew if an object in it had to be given its namespace."""
        changed = False
        for one in opened:
            placeless = not one["metadata"].get("namespace") and one["kind"] not in _CLUSTER_SCOPED
            if self._namespace and placeless:
                one["metadata"]["namespace"] = self._namespace
                changed = True
        return yaml.dump(body) if changed else text


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - this is the clock that templates are given


def _in_template(lookup: Lookup) -> Callable[[str, str, str, str], dict[str, object]]:
    def ask(api_version: str, kind: str, namespace: str, name: str) -> dict[str, object]:
        try:
            return lookup(api_version, kind, namespace, name)
        except ClusterRefused as error:
            raise FunctionError(error.text) from error
        except RenderLimit as error:
            raise LimitExceeded(error.text) from error

    return ask


def _with_floats(value: object) -> JsonObject:
    """Copy values as Helm reads them from YAML: every number is a float64."""

    def copied(inner: object) -> object:
        match inner:
            case dict():
                return {key: copied(item) for key, item in inner.items()}
            case list():
                return [copied(item) for item in inner]
            case int() if not isinstance(inner, bool):
                return float(inner)
            case _:
                return inner

    result = copied(value)
    return result if isinstance(result, dict) else {}


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

"""Print what a chart rendered: the manifest as it is stored, the objects and hooks to be applied.

A press belongs to one release of one chart. It keeps what it printed last, so that after a change
only what became another document is read, checked and placed again.
"""

from dataclasses import dataclass, field
from typing import Any

from whipstaff.chart.capabilities import (
    APIVersions,
    Capabilities,
    KubeVersion,
    KubeVersionInvalid,
)
from whipstaff.chart.incremental import Memory, Question
from whipstaff.chart.manifests import Document as RenderedDocument
from whipstaff.chart.manifests import Hook as RenderedHook
from whipstaff.chart.model import Chart
from whipstaff.chart.rendering import Options, ReleaseInfo, Rendered
from whipstaff.chart.schema_report import values_hidden
from whipstaff.chart.values import copy_table
from whipstaff.errors import ClusterRefused, RenderLimit
from whipstaff.golang import yaml
from whipstaff.postrender.scopes import CLUSTER_SCOPED
from whipstaff.release import manifests
from whipstaff.release.revision import Hook, HookDeletePolicy, HookEvent, JsonObject
from whipstaff.template.scope import RenderScope
from whipstaff.workers import documents
from whipstaff.workers.documents import Document
from whipstaff.workers.dressing import Dressing

_OBJECTS_LIMIT = 10_000


@dataclass(frozen=True, slots=True)
class Printed:
    """What a rendering puts into the cluster and the record."""

    rendered: Rendered
    manifest: str
    objects: tuple[JsonObject, ...]
    hooks: tuple[Hook, ...]

    @property
    def digest(self) -> str:
        return manifests.manifest_digest(self.manifest, self.hooks)


@dataclass(frozen=True, slots=True)
class _Sheet:
    """One document or hook, placed: its text and the objects in it."""

    source: RenderedDocument | RenderedHook  # kept, so that its identity stays its own
    text: str
    objects: tuple[JsonObject, ...]


@dataclass(slots=True)
class Press:
    """Renders one release of one chart, again and again; `save` outlives the process."""

    _memory: Memory = field(default_factory=Memory)
    _namespace: str = ""
    _sheets: dict[int, _Sheet] = field(default_factory=dict)
    _dressing: Dressing = field(default_factory=Dressing)

    @property
    def bytes_held(self) -> int:
        """About how much memory this keeps."""
        return self._memory.bytes_held

    def save(self) -> None:
        """Store what was rendered last, where that is wanted."""
        self._memory.save()

    def render(
        self, chart: Chart, order: JsonObject, info: ReleaseInfo, scope: RenderScope
    ) -> Printed:
        """Render for one release and print."""
        options = Options(skip_schema_validation=order["skip_schema_validation"])
        question = Question(chart, info, _capabilities(order), options)
        with values_hidden():
            rendered = self._memory.render(question, _values(order), scope)
        namespace = order["namespace"] if order["namespace_in_manifest"] else ""
        if namespace != self._namespace:
            self._namespace = namespace
            self._sheets.clear()
        dressed = self._dressing.apply(rendered, order["post_rendering"], order["namespace"])
        return self._printed(dressed, scope.limits.output_bytes)

    def _printed(self, rendered: Rendered, limit: int) -> Printed:
        sheets: dict[int, _Sheet] = {}
        parts: list[str] = []
        objects: list[JsonObject] = []
        for one in rendered.documents:
            sheet = sheets[id(one)] = self._sheet(one)
            parts.append(f"---\n# Source: {one.path}\n{sheet.text}\n")
            objects += sheet.objects
            if len(objects) > _OBJECTS_LIMIT:
                raise RenderLimit(f"the chart renders more than {_OBJECTS_LIMIT} objects")
        manifest = "".join(parts)
        if len(manifest) > limit:
            raise RenderLimit(
                f"the rendered manifest is larger than {limit} bytes", rendered.chart.name
            )
        hooks = []
        for hook in rendered.hooks:
            sheet = sheets[id(hook)] = self._sheet(hook)
            hooks.append(_hook(hook, sheet))
        self._sheets = sheets
        return Printed(rendered, manifest, tuple(objects), tuple(hooks))

    def _sheet(self, one: RenderedDocument | RenderedHook) -> _Sheet:
        known = self._sheets.get(id(one))
        if known is not None:
            return known
        document = Document(one.path, one.text, 0)
        opened = tuple(documents.objects(document, one.body))
        if not any(map(self._is_placeless, opened)):
            return _Sheet(one, one.text, opened)
        # What was parsed may be printed again for another namespace.
        body = copy_table(one.body)
        opened = tuple(documents.objects(document, body))
        for each in filter(self._is_placeless, opened):
            each["metadata"]["namespace"] = self._namespace
        return _Sheet(one, yaml.dump(body), opened)

    def _is_placeless(self, one: JsonObject) -> bool:
        """Whether an object has to be given its namespace."""
        if not self._namespace or one["kind"] in CLUSTER_SCOPED:
            return False
        return not one["metadata"].get("namespace")


def _hook(hook: RenderedHook, sheet: _Sheet) -> Hook:
    if len(sheet.objects) != 1:
        document = Document(hook.path, hook.text, 0)
        raise document.refuse(f"a hook must be one object, not {len(sheet.objects)}")
    known = frozenset(HookDeletePolicy)
    return Hook(
        name=hook.name,
        kind=hook.kind,
        path=hook.path,
        manifest=sheet.text,
        body=sheet.objects[0],
        events=tuple(map(HookEvent, hook.events)),
        weight=hook.weight,
        delete_policies=tuple(
            HookDeletePolicy(policy) for policy in hook.delete_policies if policy in known
        ),
        output_log_policies=hook.output_log_policies,
    )


def _capabilities(order: JsonObject) -> Capabilities:
    try:
        return Capabilities(
            KubeVersion.parse(order["kube_version"]), APIVersions(tuple(order["api_versions"]))
        )
    except KubeVersionInvalid as error:
        raise ClusterRefused(f"the cluster's version cannot be read: {error}") from error


def _values(order: JsonObject) -> JsonObject:
    """Copy the values; those that --set would have made whole numbers are such."""
    values = _with_floats(order["values"])
    for *parents, last in order["whole_numbers"]:
        place: Any = values
        for step in parents:
            place = place[step]
        place[last] = int(place[last])
    return values


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

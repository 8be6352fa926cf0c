"""Renders the chart of tests/builders/echo_chart.py without a worker; tests/contracts compare."""

import base64
import hashlib
import json
from collections import deque

from tests.builders.echo_chart import TEMPLATE
from whipstaff.errors import RenderFailed
from whipstaff.reconcile.ports import ComposedValues, Rendering, RenderRequest
from whipstaff.release.manifests import in_install_order, manifest_digest
from whipstaff.release.revision import Hook, HookDeletePolicy, HookEvent


class FakeRenderer:
    """`requests` has every request; `crds` and `chart` are what each rendering brings along."""

    def __init__(self):
        self.requests: list[RenderRequest] = []
        self.crds: tuple[dict, ...] = ()
        self.chart: dict = {}
        self.unused: tuple[str, ...] = ()
        self.secrets: tuple[str, ...] = ()  # that values are found to hold
        self._refusals: deque = deque()

    # What tests do to it.

    def refuse(self, error: Exception, *, times: int = 1) -> None:
        """Have the next renderings end so."""
        self._refusals.extend([error] * times)

    @property
    def _crds_digest(self):
        text = _json(self.crds).encode()
        return hashlib.sha256(text).hexdigest()[:32] if self.crds else ""

    # The port.

    async def render(self, request, lookup):
        self.requests.append(request)
        if self._refusals:
            raise self._refusals.popleft()
        if request.current_revision is not None:
            bodies = await _bodies(request, request.current_revision, lookup)
            manifest, _, hooks = _sorted(bodies)
            same_crds = request.current_crds_digest in ("", self._crds_digest)
            if manifest_digest(manifest, hooks) == request.current_manifest_digest and same_crds:
                return Rendering(same_as_current=True, unused=self.unused)
        bodies = await _bodies(request, request.revision, lookup)
        manifest, objects, hooks = _sorted(bodies)
        return Rendering(
            manifest=manifest,
            objects=objects,
            hooks=hooks,
            notes=str(request.values.get("notes", "")),
            crds=self.crds,
            crds_digest=self._crds_digest,
            chart={
                "metadata": {"name": request.chart.name, "version": request.chart.version},
                **self.chart,
            },
            manifest_digest=manifest_digest(manifest, hooks),
            unused=self.unused,
        )

    async def compose_values(self, inline, layers):
        """Take each content for JSON, and know no more of paths than that they lead to a key."""
        values = {}
        for layer in layers:
            text = base64.b64decode(layer.content).decode() if layer.secret else layer.content
            values |= {layer.target_path: text} if layer.target_path else json.loads(text)
        return ComposedValues(values | inline, secrets=self.secrets)


async def _bodies(request, revision, lookup):
    values = request.values
    if values.get("fail"):
        raise RenderFailed(
            f"execution error at ({TEMPLATE}:1:25): {values['fail']}",
            request.chart.name,
            TEMPLATE,
            1,
        )
    bodies = [json.loads(json.dumps(body)) for body in values.get("objects", ())]
    if values.get("showRevision"):
        bodies.append(_config_map(f"r{revision}"))
    if values.get("lookup"):
        found = _json(await lookup(*values["lookup"]))
        bodies.append(_config_map("found") | {"data": {"found": found}})
    if request.namespace_in_manifest:
        for body in bodies:
            body["metadata"].setdefault("namespace", request.namespace)
    return bodies


def _config_map(name):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}


def _json(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _sorted(bodies):
    hooks = tuple(_hook(body) for body in bodies if _annotations(body).get("helm.sh/hook"))
    others = [body for body in bodies if not _annotations(body).get("helm.sh/hook")]
    objects = in_install_order(others)
    manifest = "".join(f"---\n# Source: {TEMPLATE}\n{_json(body)}\n\n" for body in objects)
    return manifest, objects, hooks


def _annotations(body):
    return body["metadata"].get("annotations") or {}


def _hook(body):
    notes = _annotations(body)
    policies = notes.get("helm.sh/hook-delete-policy", "")
    return Hook(
        name=body["metadata"]["name"],
        kind=body["kind"],
        path=TEMPLATE,
        manifest=f"{_json(body)}\n",
        body=body,
        events=tuple(map(HookEvent, notes["helm.sh/hook"].split(","))),
        weight=int(notes.get("helm.sh/hook-weight", "0")),
        delete_policies=tuple(map(HookDeletePolicy, filter(None, policies.split(",")))),
    )

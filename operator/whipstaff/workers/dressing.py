"""Post-rendering between templates and manifest: what a HelmRelease adds to rendered objects.

Documents that no instruction touches stay the very ones that were rendered, comments included, and
what became of the others is remembered: after a change only new documents are patched.
"""

import json
from dataclasses import dataclass, field, replace

from whipstaff.chart import manifests
from whipstaff.chart.manifests import Document as RenderedDocument
from whipstaff.chart.manifests import Hook as RenderedHook
from whipstaff.chart.rendering import Rendered
from whipstaff.errors import ManifestInvalid
from whipstaff.golang import yaml
from whipstaff.postrender.renderer import PostRenderer
from whipstaff.release.revision import JsonObject
from whipstaff.workers import documents
from whipstaff.workers.documents import Document

Part = RenderedDocument | RenderedHook


@dataclass(frozen=True, slots=True)
class _Dressed:
    """What became of one document or hook."""

    source: Part  # kept, so that its identity stays its own
    parts: tuple[Part, ...]
    found: frozenset[str]  # the instructions that were for it


@dataclass(slots=True)
class Dressing:
    """Follows the instructions of one HelmRelease, again and again."""

    _order: str = ""
    _renderer: PostRenderer | None = None
    _dressed: dict[int, _Dressed] = field(default_factory=dict)

    def apply(self, rendered: Rendered, order: JsonObject | None, namespace: str) -> Rendered:
        """Return what was rendered with all instructions followed; PostRenderFailed if one fails.

        What a patch made a hook, or no hook any more, is taken for what it is now.
        """
        self._obey(order, namespace)
        renderer = self._renderer
        if renderer is None:
            return rendered
        dressed: dict[int, _Dressed] = {}
        parts: list[Part] = []
        sources: list[Part] = [*rendered.documents, *rendered.hooks]
        for one in sources:
            if isinstance(one, RenderedHook) and not renderer.with_hooks:
                parts.append(one)
                continue
            known = dressed[id(one)] = self._dressed.get(id(one)) or _dress(one, renderer)
            parts += known.parts
        self._dressed = dressed
        renderer.check_all_found(place for one in dressed.values() for place in one.found)
        hooks, objects = manifests.in_install_order(parts)
        return replace(rendered, hooks=hooks, documents=objects)

    def _obey(self, order: JsonObject | None, namespace: str) -> None:
        text = json.dumps([order, namespace]) if order else ""
        if text != self._order:
            self._dressed = {}
            self._renderer = PostRenderer(order, namespace) if order else None
            self._order = text


def _dress(one: Part, renderer: PostRenderer) -> _Dressed:
    document = Document(one.path, one.text, 0)
    applied = [renderer.apply(body) for body in documents.objects(document, one.body)]
    found = frozenset(place for each in applied for place in each.found)
    if not any(each.changed for each in applied):
        return _Dressed(one, (one,), found)
    text = "---\n".join(yaml.dump(each.body) for each in applied if each.body is not None)
    parts = manifests.read(one.path, text)
    for part in parts:
        # What a patch left out would be found by the API server only, object by object.
        if not any(documents.objects(Document(part.path, part.text, 0), part.body)):
            raise ManifestInvalid(f"{one.path}: a patch left no object", one.path)
    return _Dressed(one, parts, found)

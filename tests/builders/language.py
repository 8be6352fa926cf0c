"""Render small template sets as Helm would a chart named `chart`."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from whipstaff.golang import yaml
from whipstaff.golang.values import ChartValues, GoObject, RenderData, Strings, TypedMap
from whipstaff.template.engine import Engine
from whipstaff.template.errors import TemplateError
from whipstaff.template.functions.catalogue import REGISTRY
from whipstaff.template.scope import Limits, RenderScope

CHART = {
    "APIVersion": "v2",
    "Annotations": TypedMap(),
    "AppVersion": "",
    "Condition": "",
    "Dependencies": [],
    "Deprecated": False,
    "Description": "",
    "Home": "",
    "Icon": "",
    "IsRoot": True,
    "Keywords": Strings(),
    "KubeVersion": "",
    "Maintainers": [],
    "Name": "chart",
    "Sources": Strings(),
    "Tags": "",
    "Type": "",
    "Version": "1.2.3",
}

ENGINE = Engine(REGISTRY)


class NoFiles(GoObject):
    go_type = "engine.files"
    go_kind = "map"

    def underlying(self):
        return {}


FILES = NoFiles()


class FixedRandom:
    def randbytes(self, n):
        return bytes(n)

    def randbelow(self, n):
        return 0


@dataclass(frozen=True)
class FixedEffects:
    moment: datetime = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
    random: FixedRandom = field(default_factory=FixedRandom)
    objects: dict = field(default_factory=dict)

    def now(self):
        return self.moment

    def lookup(self, api_version, kind, namespace, name):
        return self.objects.get((api_version, kind, namespace, name), {})


def a_scope(**changes):
    return RenderScope(FixedEffects(), **changes)


def render(template, values=None, **changes):
    """What one template prints with these values as `.Values`."""
    templates = ENGINE.parse({"chart/templates/t.yaml": template})
    return templates.render("chart/templates/t.yaml", data_of(values or {}), a_scope(**changes))


def data_of(values):
    return RenderData(
        {
            "Capabilities": None,
            "Chart": dict(CHART),
            "Files": FILES,
            "Release": {
                "Name": "rel",
                "Namespace": "ns",
                "Revision": 1,
                "IsInstall": True,
                "IsUpgrade": False,
                "Service": "Helm",
            },
            "Values": ChartValues(values),
            "Subcharts": {},
        }
    )


def in_helms_order(names):
    return sorted(names, key=lambda name: (name.count("/"), name), reverse=True)


def render_case(case):
    """The outputs by template name, and the error's text, of a case as the oracle knows it."""
    sources = {f"chart/{name}": text for name, text in case["templates"].items()}
    order = in_helms_order(sources)
    data = data_of(yaml.load(case.get("values", "")) or {})
    scope = a_scope(strict=case.get("strict", False), limits=Limits())
    out = {}
    try:
        templates = ENGINE.parse(sources, order)
        for name in order:
            if not name.rpartition("/")[2].startswith("_"):
                data["Template"] = ChartValues({"Name": name, "BasePath": "chart/templates"})
                out[name] = templates.render(name, data, scope)
    except TemplateError as error:
        return {"out": {}, "error": str(error)}
    return {"out": out, "error": ""}

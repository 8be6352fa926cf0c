"""Objects of others to convert, and each field that they may have."""

import json
from copy import deepcopy
from pathlib import Path

import yaml
from click.testing import CliRunner

from whipstaff.cli.main import main

# The fields of spec in the definitions of helm-controller 1.6 and source-controller 1.10 of Flux,
# helm-controller 0.17 of k3s, and Argo CD 3.6, with their types; `[]` follows lists of objects.
FIELDS = Path(__file__).parents[1] / "unit" / "cli" / "conversion_fields"
MARK = "leaf-mark"


def an_object(api_version, kind, name, namespace, **spec):
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec}


def a_flux_release(name="blog", namespace="shop", *, version="v2", **spec):
    chart = {
        "chart": "blog",
        "version": "1.0.0",
        "sourceRef": {"kind": "HelmRepository", "name": "charts"},
    }
    spec = {"interval": "5m", **({} if "chartRef" in spec else {"chart": {"spec": chart}}), **spec}
    return an_object(
        f"helm.toolkit.fluxcd.io/{version}", "HelmRelease", name, namespace, **deepcopy(spec)
    )


def a_flux_source(kind, name="charts", namespace="shop", **spec):
    return an_object("source.toolkit.fluxcd.io/v1", kind, name, namespace, **spec)


def an_application(name="blog", **spec):
    source = {"repoURL": "https://charts.example.com", "chart": "blog", "targetRevision": "1.0.0"}
    destination = {"server": "https://kubernetes.default.svc", "namespace": "shop"}
    whole = {"project": "default", "source": source, "destination": destination}
    whole["syncPolicy"] = {"automated": {"prune": True}}
    if "sources" in spec:
        del whole["source"]
    return an_object("argoproj.io/v1alpha1", "Application", name, "argocd", **{**whole, **spec})


def a_helmchart(name="blog", **spec):
    whole = {"chart": "blog", "version": "1.0.0", "repo": "https://charts.example.com", **spec}
    return an_object("helm.cattle.io/v1", "HelmChart", name, "kube-system", **whole)


def a_helmchartconfig(name="blog", **spec):
    return an_object("helm.cattle.io/v1", "HelmChartConfig", name, "kube-system", **spec)


def convert(*objects, flags=()):
    """Convert objects: the objects that came of it, the output, what was told, the exit code."""
    text = "\n---\n".join(json.dumps(one, indent=1) for one in objects)
    told = CliRunner().invoke(main, ["convert", "-", *flags], input=text)
    if told.exception is not None and not isinstance(told.exception, SystemExit):
        raise told.exception
    return Converted(told)


class Converted:
    def __init__(self, told):
        self.output, self.errors, self.code = told.stdout, told.stderr, told.exit_code
        self.objects = [one for one in yaml.safe_load_all(told.stdout) if one]

    def of_kind(self, kind):
        return [one for one in self.objects if one["kind"] == kind]

    @property
    def release(self):
        """The first HelmRelease."""
        return self.of_kind("HelmRelease")[0]

    @property
    def spec(self):
        return self.release["spec"]


def fields(name):
    """Yield each field of a kind, and the values to try."""
    for line in (FIELDS / f"{name}.txt").read_text(encoding="utf-8").splitlines():
        path, kind = line.split(" ", 1)
        for value in _values(kind):
            yield path, value


def _values(kind):
    kind, _, more = kind.partition(":")
    match kind:
        case "string" if more:
            return more.split("|")
        case "string":
            return [MARK]
        case "boolean":
            return [True]
        case "integer" | "either":
            return [7]
        case "list":
            return [[{"integer": 7, "string": MARK}.get(more, {"a": MARK})]]
        case _:
            return [{"example.com/leaf": MARK}]


def with_field(body, path, value):
    """Return an object with a field set; lists on the way have one item at least."""
    body = deepcopy(body)
    table = body
    *around, last = path.split(".")
    for step in around:
        if step.endswith("[]"):
            items = table.setdefault(step.removesuffix("[]"), [])
            if not items:
                items.append({})
            table = items[0]
        else:
            table = table.setdefault(step, {})
    table[last] = value
    return body

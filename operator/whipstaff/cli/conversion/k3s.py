"""The HelmChart and HelmChartConfig of k3s and RKE2."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from whipstaff.chart.values import merge_documents
from whipstaff.cli.conversion import given_layers
from whipstaff.cli.conversion.drafts import NO_EQUAL, Draft
from whipstaff.cli.conversion.originals import Original, Path, copied
from whipstaff.cli.conversion.surroundings import Surroundings, carry_marks, without_login
from whipstaff.helmrelease.names import KIND
from whipstaff.helmrepository.names import KIND as REPOSITORY_KIND
from whipstaff.release.revision import JsonObject

GROUP = "helm.cattle.io"
WHOSE = "cattle.io"

_SPEC: Path = ("spec",)
_CHART: Path = ("spec", "chart")
_VALUES: Path = ("spec", "values")
_PLACES: dict[Path, Path] = {(): ("metadata",), _SPEC: _SPEC}
_OF_JOBS = "was left out: no Job runs helm here"
_FIELDS_OF_JOBS = ("jobImage", "backOffLimit", "podSecurityContext", "securityContext", "bootstrap")
_LOGIN = ("authSecret", "dockerRegistrySecret", "repoCA", "repoCAConfigMap", "authPassCredentials")
_UNCHECKED = ("insecureSkipTLSVerify", "plainHTTP")
_OCI = re.compile(r"oci://[^/]+(?:/[^/]+)*/([^/]+?)/?")
_TRUTHS = ("true", "false", "null")


def helmchart(original: Original, around: Surroundings) -> list[Draft]:
    """Convert a HelmChart, and the HelmChartConfig of its name."""
    name = original.name
    draft = Draft.new(KIND, name, original.namespace, original.subject)
    carry_marks(draft, original, WHOSE)
    config = around.use(f"{GROUP}/HelmChartConfig", original.namespace, name, draft)
    made = _chart(draft, original)
    _placement(draft, original)
    made += _values(draft, [original, *([config] if config is not None else [])])
    _ways(draft, original, config)
    if config is not None:
        config.take("metadata", "name")
    for one in (original, config):
        if one is not None:
            for each in _FIELDS_OF_JOBS:
                if one.at("spec", each) is False:
                    one.take("spec", each)
                draft.lose(one, ("spec", each), _OF_JOBS, place=_SPEC)
            draft.tell_of_rest(one, _PLACES, NO_EQUAL)
    return [*made, draft]


def left_over(original: Original, around: Surroundings) -> list[Draft] | None:
    """Pass over a HelmChartConfig, unless its HelmChart had it."""
    return [] if around.users_of(original) else None


def _placement(draft: Draft, original: Original) -> None:
    """Say where the release is; helm names it as the HelmChart, and so does this."""
    target = original.text("spec", "targetNamespace")
    if target and target != original.namespace:
        origin = (original, ("spec", "targetNamespace"))
        draft.put(("spec", "targetNamespace"), target, origin)
        draft.put(("spec", "releaseName"), original.name)
    draft.move(original, ("spec", "createNamespace"))
    draft.move(original, ("spec", "timeout"))


def _chart(draft: Draft, original: Original) -> list[Draft]:
    draft.put(_CHART, {})
    content = ("spec", "chartContent")
    if original.at(*content):
        return _content(draft, original)
    chart, repo = original.at("spec", "chart"), original.text("spec", "repo")
    if not isinstance(chart, str) or not chart:
        raise original.unconvertible(("spec", "chart"), "is missing, or no text")
    draft.move(original, ("spec", "version"), (*_CHART, "version"))
    packed = _OCI.fullmatch(chart)
    if packed and not repo:
        draft.put((*_CHART, "name"), packed[1], (original, ("spec", "chart")))
        return _repository(draft, original, ("spec", "chart"))
    if "://" in chart:
        text = (
            "is an archive by itself: put it into a repository that spec.chart.repository names, or"
            " into a Secret for spec.chart.archiveFrom"
        )
        draft.lose(original, ("spec", "chart"), text, place=_CHART, shown="@" not in chart)
        return []
    draft.move(original, ("spec", "chart"), (*_CHART, "name"))
    if not repo:
        text = "names no repository: spec.chart.repository has to be written"
        draft.tell(original, ("spec", "chart"), text, place=_CHART)
        return []
    return _repository(draft, original, ("spec", "repo"))


def _content(draft: Draft, original: Original) -> list[Draft]:
    """Put an archive that stands in a field into a Secret."""
    name = f"{original.name}-chart"
    content = original.text("spec", "chartContent")
    secret = Draft.new("Secret", name, original.namespace, original.subject, "v1")
    secret.put(("data",), {"chart.tgz": "".join(content.split())})
    draft.put((*_CHART, "archiveFrom"), {"kind": "Secret", "name": name})
    for field_ in ("chart", "version", "repo"):
        text = "was left out: chartContent is the chart"
        draft.lose(original, ("spec", field_), text, place=_CHART)
    return [secret]


def _repository(draft: Draft, original: Original, source: Path) -> list[Draft]:
    """Name a repository in place, or make a HelmRepository where it asks for more."""
    spec = original.table("spec")
    if not any(spec.get(name) for name in (*_LOGIN, *_UNCHECKED)):
        for name in (*_LOGIN, *_UNCHECKED):
            original.take("spec", name)
        _url(draft, original, source, (*_CHART, "repository"))
        return []
    name = f"{original.name}-repository"
    made = Draft.new(REPOSITORY_KIND, name, original.namespace, original.subject)
    _url(made, original, source, ("spec", "url"))
    draft.put((*_CHART, "repositoryRef"), {"name": name})
    return [*_login(made, original), made]


def _url(draft: Draft, original: Original, source: Path, path: Path) -> None:
    url = without_login(draft, original, source, path)
    if source == ("spec", "chart"):  # it ends in the chart's name
        draft.put(path, url.rstrip("/").rpartition("/")[0], (original, source))


def _login(made: Draft, original: Original) -> list[Draft]:
    chosen = (
        "dockerRegistrySecret" if original.table("spec", "dockerRegistrySecret") else "authSecret"
    )
    made.move(original, ("spec", chosen), ("spec", "secretRef"))
    text = "was left out: a HelmRepository has one Secret with a login"
    made.lose(original, ("spec", "authSecret"), text, place=_SPEC)
    made.move(original, ("spec", "authPassCredentials"), ("spec", "passCredentials"))
    unchecked = [original.flag("spec", name) for name in _UNCHECKED]
    if any(unchecked):
        made.put(("spec", "insecure"), True, (original, ("spec", _UNCHECKED[0])))
    text = "was left out: put ca.crt into a Secret that certSecretRef names"
    made.lose(original, ("spec", "repoCAConfigMap"), text, place=_SPEC)
    authorities = original.text("spec", "repoCA")
    if not authorities:
        return []
    name = f"{original.name}-certificates"
    secret = Draft.new("Secret", name, original.namespace, original.subject, "v1")
    secret.put(("stringData",), {"ca.crt": authorities})
    made.put(("spec", "certSecretRef"), {"name": name}, (original, ("spec", "repoCA")))
    return [secret]


@dataclass(slots=True)
class _Layers:
    """Values in the order in which helm gets them: those written out, and keys of Secrets."""

    references: list[JsonObject] = field(default_factory=list)
    kept: dict[str, JsonObject] = field(default_factory=dict)  # to be stored, by key
    last: JsonObject = field(default_factory=dict)  # above all references so far

    def write_out(self, values: JsonObject) -> None:
        """Lay values over those so far."""
        self.last = merge_documents([self.last, copied(values)])

    def refer(self, reference: JsonObject, holder: str) -> None:
        """Add a key; what was written out below it has to be stored to stay below."""
        if self.last:
            key = f"values-{len(self.kept)}.yaml"
            self.kept[key] = self.last
            self.references.append({"kind": "Secret", "name": holder, "valuesKey": key})
            self.last = {}
        self.references.append(reference)


def _values(draft: Draft, givers: list[Original]) -> list[Draft]:
    """Write values: Secrets stand above what is written out beside them, `set` above all."""
    layers = _Layers()
    holder = f"{draft.body['metadata']['name']}-values"
    for giver in givers:
        if giver.at("spec", "valuesContent"):
            layers.write_out(given_layers.of_text(giver, "spec", "valuesContent"))
        given = giver.at("spec", "values")
        if isinstance(given, dict):
            giver.take("spec", "values")
            layers.write_out(given)
        for reference in _references(draft, giver):
            layers.refer(reference, holder)
    _set(layers.last, givers[0])
    if layers.references:
        draft.put(("spec", "valuesFrom"), layers.references, (givers[0], ("spec", "valuesSecrets")))
    if layers.last:
        draft.put(_VALUES, given_layers.plain_values(layers.last), (givers[0], _VALUES))
    if not layers.kept:
        return []
    home = givers[0].namespace
    secret = Draft.new("Secret", holder, home, draft.subject, "v1")
    texts = {key: given_layers.as_text(values) for key, values in layers.kept.items()}
    secret.put(("stringData",), texts)
    return [secret]


def _references(draft: Draft, giver: Original) -> Iterator[JsonObject]:
    for at, entry in enumerate(giver.items("spec", "valuesSecrets")):
        base: Path = ("spec", "valuesSecrets", at)
        name = giver.text(*base, "name")
        keys = giver.items(*base, "keys")
        giver.take(*base, "keys")
        optional = giver.flag(*base, "ignoreUpdates")
        if not isinstance(entry, dict) or not keys or name == f"chart-values-{giver.name}":
            text = "is not used: it has no keys, or is k3s' own"
            draft.tell(giver, base, text, place=_SPEC, lost=False)
            continue
        if optional:
            text = "is optional, and a change of it is acted on"
            draft.tell(giver, (*base, "ignoreUpdates"), text, place=_SPEC)
        for key in keys:
            reference: JsonObject = {"kind": "Secret", "name": name, "valuesKey": str(key)}
            yield {**reference, "optional": True} if optional else reference


def _set(values: JsonObject, giver: Original) -> None:
    given = giver.table("spec", "set")
    for name in sorted(given):
        path: Path = ("spec", "set", name)
        value = giver.take(*path)
        text = str(value).lower() if isinstance(value, bool) else str(value)
        typed = not isinstance(value, str) or text.lower() in _TRUTHS
        given_layers.assign(values, giver, path, (name, text), typed=typed)


def _ways(draft: Draft, original: Original, config: Original | None) -> None:
    """Say how it is installed; what a HelmChartConfig says counts more."""
    if original.flag("spec", "takeOwnership"):
        for action in ("install", "upgrade"):
            origin = (original, ("spec", "takeOwnership"))
            draft.put(("spec", action, "disableTakeOwnership"), False, origin)
    if original.at("spec", "helmVersion") == "v3":
        original.take("spec", "helmVersion")
    if original.at("spec", "driver") == "secret":
        original.take("spec", "driver")
    text = "was left out: where revisions are stored is a setting of the operator, storage-driver"
    draft.lose(original, ("spec", "driver"), text, place=_SPEC)
    for giver in (config, original):
        if giver is not None:
            _failures(draft, giver, decided=giver is original and _says(config, "failurePolicy"))
            if giver.at("spec", "serverSide") in ("true", "auto"):
                giver.take("spec", "serverSide")
            text = "was left out: objects are always applied server-side"
            draft.lose(giver, ("spec", "serverSide"), text, place=_SPEC)
            giver.flag("spec", "forceConflicts")  # a release has its fields in any case


def _says(config: Original | None, name: str) -> bool:
    return config is not None and config.at("spec", name) is not None


def _failures(draft: Draft, giver: Original, *, decided: bool) -> None:
    path: Path = ("spec", "failurePolicy")
    policy = giver.at(*path)
    if policy == "retry" or decided:  # with each edit, as here
        giver.take(*path)
    elif policy == "abort":
        giver.take(*path)
        for action in ("install", "upgrade"):
            draft.put(("spec", action, "remediation"), {"retries": 0}, (giver, path))
    text = (
        "was left out: nothing that ran is uninstalled for a failure, unless"
        " spec.upgrade.remediation.strategy says so"
    )
    draft.lose(giver, path, text, place=_SPEC)

"""From the JSON of a stored HelmRelease to its types; whatever is wrong is an InvalidSpec."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from whipstaff.errors import InvalidSpec
from whipstaff.helmrelease import post_rendering
from whipstaff.helmrelease.actions import (
    immutable_fields,
    install_options,
    prune_options,
    rollback_options,
    test_options,
    timeout_of,
    uninstall_options,
    upgrade_options,
)
from whipstaff.helmrelease.charts import DIGEST, chart_of, repository_ref
from whipstaff.helmrelease.depends_on import depends_on
from whipstaff.helmrelease.drift_detection import drift_detection
from whipstaff.helmrelease.fields import Fields, TextRule
from whipstaff.helmrelease.health_checks import health_checks, wait_strategy
from whipstaff.helmrelease.of_flux import refuse_what_is_fluxs
from whipstaff.helmrelease.texts import DATA_KEY, NAMESPACE, SECRET_NAME, SUBDOMAIN
from whipstaff.helmrelease.types import (
    DEFAULT_MAX_HISTORY,
    DEFAULT_SECONDS,
    LONGEST_DURATION_SECONDS,
    Approval,
    ChartSpec,
    Head,
    HelmRelease,
    KubeConfigRef,
    Placement,
    RepositoryKey,
    Spec,
)
from whipstaff.helmrelease.values_from import values_from
from whipstaff.release.revision import JsonObject, RevisionNumber


class ReleaseNameInvalid(InvalidSpec):
    """A release name that Helm would refuse."""


class ValuesTooDeep(InvalidSpec):
    """Values nested deeper than anything that a chart reads."""


VALUES_DEPTH_LIMIT = 64  # tables and lists inside each other, the outermost table counted
HIGHEST_REVISION = (1 << 31) - 1
HIGHEST_MAX_HISTORY = 100
_NEVER_LOOKED_AT = -1  # `status.observedGeneration` before the first status, by the definition

RELEASE_NAME = TextRule(
    SUBDOMAIN,
    53,  # Helm's limit: names are made from it that must fit in 63
    "a release name: at most 53 lower-case letters, digits, '-' and '.',"
    " each part beginning and ending with a letter or digit",
    ReleaseNameInvalid,
)
SERVICE_ACCOUNT = TextRule(SUBDOMAIN, 253, "the name of a ServiceAccount")


def parse(
    body: JsonObject, *, history_limit: int = DEFAULT_MAX_HISTORY, service_account: str = ""
) -> HelmRelease:
    """Read a whole HelmRelease; InvalidSpec names the first field that is wrong.

    `history_limit` is what maxHistory means where it is not said, `service_account` who acts for a
    release in this cluster that names nobody.
    """
    head = parse_head(body)
    spec = Fields("", body).table("spec")
    return HelmRelease(**head.facts, spec=_spec(head, spec, history_limit, service_account))


def parse_for_uninstall(body: JsonObject, *, service_account: str = "") -> HelmRelease:
    """Read only what an uninstall needs, so that a wrong chart or values cannot hold a deletion.

    The chart of the result is empty, and so are its values.
    """
    head = parse_head(body)
    spec = Fields("", body).table("spec")
    placement = _placement(head, spec)
    return HelmRelease(
        **head.facts,
        spec=Spec(
            chart=ChartSpec(name="", repository=""),
            release_name=placement.release_name,
            target_namespace=placement.target_namespace,
            storage_namespace=placement.storage_namespace,
            service_account_name=_service_account(spec, service_account),
            kube_config=_kube_config(spec),
            uninstall=uninstall_options(spec.table("uninstall"), timeout_of(spec, DEFAULT_SECONDS)),
        ),
    )


def parse_head(body: JsonObject) -> Head:
    """Read who it is, as the API server wrote it; works on any stored HelmRelease."""
    metadata = body["metadata"]
    return Head(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        generation=metadata.get("generation", 0),
        created_at=metadata.get("creationTimestamp", ""),
        deletion_requested=bool(metadata.get("deletionTimestamp")),
        finalizers=tuple(metadata.get("finalizers") or ()),
        annotations=dict(metadata.get("annotations") or {}),
        status=_written(body.get("status")),
    )


def _written(status: object) -> JsonObject:
    """Return what Whipstaff wrote; before that, the definitions' default has -1 seen of spec."""
    if not isinstance(status, dict) or status.get("observedGeneration") == _NEVER_LOOKED_AT:
        return {}
    return status


def repository_ref_of(body: JsonObject) -> RepositoryKey | None:
    """Return the HelmRepository that a stored HelmRelease names, if it can be read at all."""
    chart = Fields("", body)
    try:
        return repository_ref(parse_head(body).namespace, chart.table("spec").table("chart"))
    except InvalidSpec:
        return None


def chart_name_of(body: JsonObject) -> str:
    """Return the chart that a stored HelmRelease names, empty if that cannot be read."""
    try:
        return str(Fields("", body).table("spec").table("chart").content.get("name", ""))
    except InvalidSpec:
        return ""


def _spec(head: Head, spec: Fields, history_limit: int, service_account: str) -> Spec:
    refuse_what_is_fluxs(spec)
    placement = _placement(head, spec)
    timeout = timeout_of(spec, DEFAULT_SECONDS)
    install, test = spec.table("install"), test_options(spec.table("test"), timeout)
    upgrade = spec.table("upgrade")
    immutable, prune = immutable_fields(upgrade), prune_options(upgrade)
    rollback = rollback_options(spec.table("rollback"), timeout)
    max_history = spec.whole_number("maxHistory", 0, HIGHEST_MAX_HISTORY)
    revision = spec.whole_number("revision", 1, HIGHEST_REVISION)
    return Spec(
        chart=chart_of(head.namespace, spec.table("chart")),
        values=_values(spec),
        values_from=values_from(spec),
        depends_on=depends_on(spec, head.namespace),
        revision=None if revision is None else RevisionNumber(revision),
        approval=spec.choice("approval", Approval.AUTOMATIC),
        approved_plan=spec.text("approvedPlan", "", DIGEST),
        release_name=placement.release_name,
        target_namespace=placement.target_namespace,
        storage_namespace=placement.storage_namespace,
        create_namespace=spec.switch("createNamespace", on=install.flag("createNamespace")),
        interval_seconds=spec.duration_seconds(
            "interval", DEFAULT_SECONDS, LONGEST_DURATION_SECONDS
        ),
        timeout_seconds=timeout,
        suspend=spec.flag("suspend"),
        max_history=history_limit if max_history is None else max_history,
        service_account_name=_service_account(spec, service_account),
        kube_config=_kube_config(spec),
        post_rendering=post_rendering.read(spec),
        health_checks=health_checks(spec),
        wait_strategy=wait_strategy(spec),
        drift_detection=drift_detection(spec),
        stable_generated=spec.table("render").flag("stableGenerated"),
        install=replace(install_options(install, timeout, test), immutable=immutable, prune=prune),
        upgrade=replace(upgrade_options(upgrade, timeout, test), immutable=immutable, prune=prune),
        rollback=replace(rollback, immutable=immutable, prune=prune),
        test=test,
        uninstall=uninstall_options(spec.table("uninstall"), timeout),
    )


def _placement(head: Head, spec: Fields) -> Placement:
    own_target = spec.text("targetNamespace", "", NAMESPACE)
    target = own_target or head.namespace
    name = spec.text("releaseName", "", RELEASE_NAME) or _default_name(head.name, own_target)
    if not RELEASE_NAME.pattern.fullmatch(name):
        raise ReleaseNameInvalid(
            f"the release would be called {name!r}, which Helm does not take: set spec.releaseName",
            "spec.releaseName",
        )
    return Placement(name, target, spec.text("storageNamespace", target, NAMESPACE))


def _service_account(spec: Fields, default: str) -> str:
    """Return who acts; the default is an account of this cluster, and not of others."""
    remote = spec.content.get("kubeConfig") is not None
    return spec.text("serviceAccountName", "" if remote else default, SERVICE_ACCOUNT)


def _kube_config(spec: Fields) -> KubeConfigRef | None:
    if spec.content.get("kubeConfig") is None:
        return None
    given = spec.table("kubeConfig")
    if given.content.get("configMapRef") is not None:
        given.table("configMapRef").text("name", "", SECRET_NAME)
        raise given.refuse(
            "configMapRef",
            "left out: tokens of cloud providers are not supported; write a kubeconfig with a token"
            " or a client certificate into a Secret and name it in secretRef",
        )
    reference = given.table("secretRef")
    key = reference.text("key", "", DATA_KEY)
    return KubeConfigRef(reference.required_text("name", SECRET_NAME), key)


def _default_name(name: str, target_namespace: str) -> str:
    """Name a release as Flux does, so that a release can move between the two."""
    full = f"{target_namespace}-{name}" if target_namespace else name
    if len(full) <= RELEASE_NAME.longest:
        return full
    return f"{full[:40]}-{hashlib.sha256(full.encode()).hexdigest()[:12]}"


def _values(spec: Fields) -> JsonObject:
    values = spec.json("values")
    if depth_exceeds(values, VALUES_DEPTH_LIMIT):
        raise ValuesTooDeep(
            f"{spec.at('values')} is nested deeper than {VALUES_DEPTH_LIMIT} levels",
            spec.at("values"),
        )
    return values


def depth_exceeds(content: Mapping[str, Any], limit: int) -> bool:
    """Whether tables and lists stand more than `limit` deep; does not recurse itself."""
    level: list[Any] = [content]
    for _ in range(limit):
        level = [
            child
            for parent in level
            for child in (parent.values() if isinstance(parent, dict) else parent)
            if isinstance(child, dict | list)
        ]
        if not level:
            return False
    return True

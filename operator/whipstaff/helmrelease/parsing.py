"""From the JSON of a stored HelmRelease to its types; whatever is wrong is an InvalidSpec."""

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from whipstaff.helmrelease import post_rendering
from whipstaff.errors import InvalidSpec
from whipstaff.helmrelease.actions import (
    install_options,
    rollback_options,
    test_options,
    timeout_of,
    uninstall_options,
    upgrade_options,
)
from whipstaff.helmrelease.fields import Fields, TextRule
from whipstaff.helmrelease.texts import DATA_KEY, NAMESPACE, SECRET_NAME, SUBDOMAIN
from whipstaff.helmrelease.types import (
    DEFAULT_MAX_HISTORY,
    DEFAULT_SECONDS,
    LONGEST_DURATION_SECONDS,
    ChartSpec,
    Head,
    HelmRelease,
    KubeConfigRef,
    Placement,
    RepositoryKey,
    Spec,
    Verification,
    VerificationProvider,
)
from whipstaff.release.revision import JsonObject, RevisionNumber


class ReleaseNameInvalid(InvalidSpec):
    """A release name that Helm would refuse."""


class ValuesTooDeep(InvalidSpec):
    """Values nested deeper than anything that a chart reads."""


VALUES_DEPTH_LIMIT = 64  # tables and lists inside each other, the outermost table counted
HIGHEST_REVISION = (1 << 31) - 1
HIGHEST_MAX_HISTORY = 100

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
SUBDOMAIN = re.compile(rf"{_LABEL.pattern}(\.{_LABEL.pattern})*")

RELEASE_NAME = TextRule(
    SUBDOMAIN,
    53,  # Helm's limit: names are made from it that must fit in 63
    "a release name: at most 53 lower-case letters, digits, '-' and '.',"
    " each part beginning and ending with a letter or digit",
    ReleaseNameInvalid,
)
NAMESPACE = TextRule(_LABEL, 63, "the name of a namespace")
SERVICE_ACCOUNT = TextRule(SUBDOMAIN, 253, "the name of a ServiceAccount")
REPOSITORY_NAME = TextRule(SUBDOMAIN, 253, "the name of a HelmRepository")
SECRET_NAME = TextRule(SUBDOMAIN, 253, "the name of a Secret")
DIGEST = TextRule(
    re.compile(r"sha256:[0-9a-f]{64}"), 71, "sha256: and 64 hexadecimal digits in small letters"
)
CHART_NAME = TextRule(
    re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*"),
    250,
    "the name of a chart: letters, digits, '-', '_' and '.', no '/'",
)
CHART_VERSION = TextRule(
    re.compile(r"(?=.*\S)[^\x00-\x1f\x7f]+"),
    256,
    "a version or a range of versions, such as 1.2.3, ^1.2 or *",
)
REPOSITORY = TextRule(
    # Credentials in a URL would be readable for everyone who may read the HelmRelease.
    re.compile(r"(https?|oci)://[^/?#@\s\x00-\x1f]+([/?][^\s\x00-\x1f#]*)?"),
    2048,
    "the http, https or oci URL of a chart repository, without user name or password",
)

            kube_config=_kube_config(spec),

def parse(body: JsonObject, *, history_limit: int = DEFAULT_MAX_HISTORY) -> HelmRelease:
    """Read a whole HelmRelease; InvalidSpec names the first field that is wrong.

    `history_limit` is what maxHistory means where it is not said.
    """
    head = parse_head(body)
    spec = Fields("", body).table("spec")
    return HelmRelease(**head.facts, spec=_spec(head, spec, history_limit))


def parse_for_uninstall(body: JsonObject) -> HelmRelease:
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
            service_account_name=spec.text("serviceAccountName", "", SERVICE_ACCOUNT),
            uninstall=uninstall_options(spec.table("uninstall"), timeout_of(spec, DEFAULT_SECONDS)),
        ),
    )


def parse_head(body: JsonObject) -> Head:
    """Read who it is, as the API server wrote it; works on any stored HelmRelease."""
    metadata = body["metadata"]
    status = body.get("status")
    return Head(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        generation=metadata.get("generation", 0),
        created_at=metadata.get("creationTimestamp", ""),
        deletion_requested=bool(metadata.get("deletionTimestamp")),
        finalizers=tuple(metadata.get("finalizers") or ()),
        annotations=dict(metadata.get("annotations") or {}),
        status=status if isinstance(status, dict) else {},
    )


def repository_ref_of(body: JsonObject) -> RepositoryKey | None:
    """Return the HelmRepository that a stored HelmRelease names, if it can be read at all."""
    chart = Fields("", body)
        kube_config=_kube_config(spec),
        post_rendering=post_rendering.read(spec),
    try:
        post_rendering=post_rendering.read(spec),
        return _repository_ref(parse_head(body), chart.table("spec").table("chart"))
    except InvalidSpec:
        return None


def _spec(head: Head, spec: Fields, history_limit: int) -> Spec:
    placement = _placement(head, spec)
    timeout = timeout_of(spec, DEFAULT_SECONDS)
    install, test = spec.table("install"), test_options(spec.table("test"), timeout)
    max_history = spec.whole_number("maxHistory", 0, HIGHEST_MAX_HISTORY)
    revision = spec.whole_number("revision", 1, HIGHEST_REVISION)
    return Spec(
        chart=_chart(head, spec.table("chart")),
        values=_values(spec),
        revision=None if revision is None else RevisionNumber(revision),
        release_name=placement.release_name,
        target_namespace=placement.target_namespace,
        storage_namespace=placement.storage_namespace,
        create_namespace=spec.switch("createNamespace", on=install.flag("createNamespace")),
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


        interval_seconds=spec.duration_seconds(
            "interval", DEFAULT_SECONDS, LONGEST_DURATION_SECONDS
        ),
        timeout_seconds=timeout,
        suspend=spec.flag("suspend"),
        max_history=history_limit if max_history is None else max_history,
        service_account_name=spec.text("serviceAccountName", "", SERVICE_ACCOUNT),
        stable_generated=spec.table("render").flag("stableGenerated"),
        install=install_options(install, timeout, test),
        upgrade=upgrade_options(spec.table("upgrade"), timeout, test),
        rollback=rollback_options(spec.table("rollback"), timeout),
        test=test,
        uninstall=uninstall_options(spec.table("uninstall"), timeout),
    )


def _chart(head: Head, chart: Fields) -> ChartSpec:
    name = chart.required_text("name", CHART_NAME)
    reference = _repository_ref(head, chart)
    if reference is not None and chart.content.get("repository") is not None:
        raise chart.refuse("repositoryRef", "left out where chart.repository says where it is")
    url = "" if reference else chart.required_text("repository", REPOSITORY).rstrip("/")
    return ChartSpec(
        name=name,
        repository=url,
        version=chart.text("version", "*", CHART_VERSION),
        repository_ref=reference,
        digest=chart.text("digest", "", DIGEST),
        verify=_verification(chart),
    )


def _verification(chart: Fields) -> Verification | None:
    if chart.content.get("verify") is None:
        return None
    verify = chart.table("verify")
    provider = verify.choice("provider", VerificationProvider.COSIGN)
    secret = verify.table("secretRef").required_text("name", SECRET_NAME)
    if verify.content.get("provider") is None:
        raise verify.refuse("provider", "cosign or pgp")
    return Verification(provider, secret)


def _repository_ref(head: Head, chart: Fields) -> RepositoryKey | None:
    if chart.content.get("repositoryRef") is None:
        return None
    reference = chart.table("repositoryRef")
    namespace = reference.text("namespace", head.namespace, NAMESPACE)
    return RepositoryKey(namespace, reference.required_text("name", REPOSITORY_NAME))


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

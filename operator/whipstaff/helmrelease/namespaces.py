"""Refuse what refers to another namespace, for operators whose tenants are to be kept apart."""

from whipstaff.errors import CrossNamespaceForbidden
from whipstaff.helmrelease.types import HelmRelease


def refuse_other_namespaces(release: HelmRelease) -> None:
    """Raise CrossNamespaceForbidden for the first field that refers to another namespace.

    As in Flux, a HelmRelease elsewhere may be waited for: that it is Ready is no secret. Not so
    what an expression asks of it with the operator's own rights, or an object of another kind.
    """
    spec = release.spec
    repository, source = spec.chart.repository_ref, spec.chart.source_ref
    if repository is not None:
        _check(release, repository.namespace, "spec.chart.repositoryRef")
    if source is not None:
        _check(release, source.namespace, "spec.chart.sourceRef")
    if spec.service_account_name:
        return
    for dependency in spec.depends_on:
        if dependency.expression or not dependency.is_helmrelease:
            _check(release, dependency.reference.namespace, dependency.field)


def _check(release: HelmRelease, namespace: str, field: str) -> None:
    if namespace != release.namespace:
        raise CrossNamespaceForbidden(
            f"{field} refers to namespace {namespace}, which this operator does not allow", field
        )

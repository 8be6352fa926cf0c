"""`.Chart`: Chart.yaml as templates see it, a map with the names of Helm's Go fields."""

from whipstaff.chart.model import Dependency, JsonObject, Maintainer, Metadata
from whipstaff.golang.nil_values import NilTypedMap
from whipstaff.golang.values import TypedMap


def metadata_view(metadata: Metadata, *, is_root: bool) -> JsonObject:
    """Return a map of its own for each chart: templates may change it."""
    return {
        "Name": metadata.name,
        "Home": metadata.home,
        "Sources": list(metadata.sources),
        "Version": metadata.version,
        "Description": metadata.description,
        "Keywords": list(metadata.keywords),
        "Maintainers": [_maintainer(one) for one in metadata.maintainers],
        "Icon": metadata.icon,
        "APIVersion": metadata.api_version,
        "Condition": metadata.condition,
        "Tags": metadata.tags,
        "AppVersion": metadata.app_version,
        "Deprecated": metadata.deprecated,
        "Annotations": NilTypedMap()
        if metadata.annotations is None
        else TypedMap(dict(metadata.annotations), "string"),
        "KubeVersion": metadata.kube_version,
        "Dependencies": [_dependency(one) for one in metadata.dependencies or ()],
        "Type": metadata.type,
        "IsRoot": is_root,
    }


def _maintainer(one: Maintainer) -> JsonObject:
    return {"Name": one.name, "Email": one.email, "URL": one.url}


def _dependency(one: Dependency) -> JsonObject:
    return {
        "Name": one.name,
        "Version": one.version,
        "Repository": one.repository,
        "Condition": one.condition,
        "Tags": list(one.tags),
        "Enabled": one.enabled,
        "ImportValues": list(one.import_values),
        "Alias": one.alias,
    }

"""Which of a chart's charts take part: tags, conditions, aliases; what values they hand up."""

from dataclasses import replace

from whipstaff.chart.lock import missing, missing_text
from whipstaff.chart.model import Chart, Dependency, JsonObject
from whipstaff.chart.values import (
    Warn,
    coalesce,
    coalesce_tables,
    copy_table,
    merge,
    table_at,
)
from whipstaff.errors import ChartInvalid, ValuesInvalid
from whipstaff.golang.semver import Constraint, SemverError, Version


def check(chart: Chart) -> None:
    """Raise ChartInvalid when a declared dependency is not in charts/."""
    if absent := missing(chart):
        raise ChartInvalid(
            "an error occurred while checking for chart dependencies. You may need to run "
            f"'helm dependency build' to fetch missing dependencies: {missing_text(absent)}",
            where="Chart.yaml: dependencies",
        )


def process(chart: Chart, values: JsonObject, warn: Warn) -> Chart:
    """Return the chart with those inside that are switched on, aliased, their values imported."""
    try:
        return _import_values(_switch(chart.placed(), values, "", warn), warn)
    except ValuesInvalid as error:
        text = f"chart dependencies processing failed: {error.text}"
        raise replace(error, text=text) from error


def is_compatible(constraint: str, version: str) -> bool:
    """Whether a version is in a range; what cannot be read is not."""
    try:
        return Constraint.parse(constraint).allows(Version.parse(version))
    except SemverError:
        return False


def _switch(chart: Chart, values: JsonObject, path: str, warn: Warn) -> Chart:
    declared = chart.metadata.dependencies
    if declared is None:
        return chart
    subcharts = [one for one in chart.subcharts if not _is_declared(one, declared)]
    subcharts += [found for one in declared if (found := _find(chart, one))]
    dependencies = [replace(one, name=one.alias or one.name, enabled=True) for one in declared]
    chart = _with(chart, subcharts, dependencies)
    own_values = coalesce(chart, values, warn)
    dependencies = [_decide(one, own_values, path, warn) for one in dependencies]
    off = {one.name for one in dependencies if not one.enabled}
    return _with(
        chart,
        [
            _switch(one, own_values, f"{path}{one.name}.", warn)
            for one in subcharts
            if one.name not in off
        ],
        [one for one in dependencies if one.name not in off],
    )


def _is_declared(subchart: Chart, declared: tuple[Dependency, ...]) -> bool:
    return any(
        one.name == subchart.name and is_compatible(one.version, subchart.metadata.version)
        for one in declared
    )


def _find(chart: Chart, wanted: Dependency) -> Chart | None:
    for subchart in chart.subcharts:
        if _is_declared(subchart, (wanted,)):
            name = wanted.alias or subchart.name
            return _renamed(subchart, name, f"{chart.path}/charts/{name}")
    return None


def _renamed(chart: Chart, name: str, path: str) -> Chart:
    """Give a chart its alias. As in Helm, only the charts right inside it hear of the new path."""
    inner = [replace(one, path=f"{path}/charts/{one.name}") for one in chart.subcharts]
    metadata = replace(chart.metadata, name=name)
    return replace(chart, metadata=metadata, path=path, subcharts=tuple(inner))


def _with(chart: Chart, subcharts: list[Chart], dependencies: list[Dependency]) -> Chart:
    metadata = replace(chart.metadata, dependencies=tuple(dependencies) or None)
    return replace(chart, metadata=metadata, subcharts=tuple(subcharts))


def _decide(one: Dependency, values: JsonObject, path: str, warn: Warn) -> Dependency:
    """Tags first, then the first condition that is a boolean, which wins."""
    enabled = _enabled_by_tags(one, values, warn)
    for condition in one.condition.strip().split(","):
        if not condition:
            continue
        value = _value_at(values, path + condition)
        if isinstance(value, bool):
            return replace(one, enabled=value)
        if value is not _NO_VALUE:
            warn(f"returned non-bool value: condition {condition} of chart {one.name}")
    return replace(one, enabled=enabled)


def _enabled_by_tags(one: Dependency, values: JsonObject, warn: Warn) -> bool:
    tags = table_at(values, "tags") or {}
    set_tags = []
    for tag in one.tags:
        if tag in tags:
            value = tags[tag]
            if isinstance(value, bool):
                set_tags.append(value)
            else:
                warn(f"returned non-bool value: tag {tag} of chart {one.name}")
    return any(set_tags) or not set_tags


_NO_VALUE = object()


def _value_at(values: JsonObject, path: str) -> object:
    """The value a dotted path leads to, `_NO_VALUE` where there is none or a table."""
    folder, _, name = path.rpartition(".")
    table = table_at(values, folder) if folder else values
    value = _NO_VALUE if table is None else table.get(name, _NO_VALUE)
    return _NO_VALUE if isinstance(value, dict) else value


def _import_values(chart: Chart, warn: Warn) -> Chart:
    chart = replace(
        chart, subcharts=tuple(_import_values(subchart, warn) for subchart in chart.subcharts)
    )
    dependencies = chart.metadata.dependencies
    if dependencies is None:
        return chart
    own_values = merge(chart, {}, warn)
    imported: JsonObject = {}
    resolved = []
    for one in dependencies:
        wanted = [pair for each in one.import_values if (pair := _import_pair(each))]
        for child, parent in wanted:
            table = table_at(own_values, f"{one.name}.{child}")
            if table is None:
                warn(f"ImportValues missing table from chart {one.name}: {child}")
                continue
            coalesce_tables(imported, _under(parent, table), warn, keep_nulls=True)
        pairs = tuple({"child": child, "parent": parent} for child, parent in wanted)
        resolved.append(replace(one, import_values=pairs))
    # The parent's own values win over what it imports.
    values = copy_table(own_values)
    coalesce_tables(values, imported, warn, keep_nulls=True)
    return replace(
        chart,
        values=values,
        metadata=replace(chart.metadata, dependencies=tuple(resolved)),
    )


def _import_pair(wanted: object) -> tuple[str, str] | None:
    match wanted:
        case str():
            return f"exports.{wanted}", "."
        case dict():
            return _go_text(wanted.get("child")), _go_text(wanted.get("parent"))
        case _:
            return None


def _go_text(value: object) -> str:
    return "<nil>" if value is None else str(value)


def _under(path: str, table: JsonObject) -> JsonObject:
    if path == ".":
        return table
    for name in reversed(path.split(".")):
        table = {name: table}
    return table

"""Merge values as Helm 4 does: the user's over the chart's, globals down, null to delete.

The tables that come out are shared between a chart and the charts inside it wherever Helm shares
them: templates can change them with `set`, and the next template sees it.
"""

from collections.abc import Callable, Iterable

from whipstaff.chart.model import Chart, JsonObject
from whipstaff.errors import ValuesInvalid
from whipstaff.golang.printf import sprintf

GLOBAL = "global"

Warn = Callable[[str], None]


def of_json(value: object) -> object:
    """Turn a JSON value into what Helm's YAML reader would have made: every number is float64."""
    match value:
        case bool() | None | str():
            return value
        case int() | float():
            return float(value)
        case dict():
            return {str(key): of_json(inner) for key, inner in value.items()}
        case list():
            return [of_json(inner) for inner in value]
        case _:
            raise ValuesInvalid(f"values hold a {type(value).__name__}, which is no JSON")


def merge_documents(documents: Iterable[JsonObject]) -> JsonObject:
    """Lay values files over each other, tables merged, later ones winning; null stays null."""
    merged: JsonObject = {}
    for document in documents:
        merged = _overlay(merged, document)
    return merged


def _overlay(below: JsonObject, above: JsonObject) -> JsonObject:
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        both = isinstance(value, dict) and isinstance(old, dict)
        merged[key] = _overlay(old, value) if both else value  # type: ignore[arg-type]  # both says so
    return merged


def coalesce(chart: Chart, values: JsonObject, warn: Warn) -> JsonObject:
    """Lay the user's values over a chart's and those inside it; null removes a key."""
    return _Merge(warn, keep_nulls=False).chart(chart, copy_table(values), "")


def merge(chart: Chart, values: JsonObject, warn: Warn) -> JsonObject:
    """The same with nulls kept, for a later `coalesce` to act on."""
    return _Merge(warn, keep_nulls=True).chart(chart, copy_table(values), "")


def coalesce_tables(above: JsonObject, below: JsonObject, warn: Warn, *, keep_nulls: bool) -> None:
    """Lay one table over another, in `above` itself."""
    _Merge(warn, keep_nulls=keep_nulls).tables(above, below, "", keep_nulls=keep_nulls)


def copy_table(table: JsonObject) -> JsonObject:
    """Copy a JSON object in depth."""
    return {key: _copy(value) for key, value in table.items()}


def _copy(value: object) -> object:
    if isinstance(value, dict):
        return {key: _copy(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_copy(inner) for inner in value]
    return value


def table_at(values: JsonObject, path: str) -> JsonObject | None:
    """The table that a dotted path leads to, None if there is none."""
    table = values
    for name in path.split("."):
        inner = table.get(name)
        if not isinstance(inner, dict):
            return None
        table = inner
    return table


class _Merge:
    """One merge of values; `keep_nulls` is what Helm calls merging, without it it coalesces."""

    def __init__(self, warn: Warn, *, keep_nulls: bool) -> None:
        self._warn = warn
        self._keep_nulls = keep_nulls

    def chart(self, chart: Chart, above: JsonObject, prefix: str) -> JsonObject:
        self._own_values(chart, above, prefix)
        own_prefix = _dotted(prefix, chart.name)
        for subchart in chart.subcharts:
            table = above.setdefault(subchart.name, {})
            if not isinstance(table, dict):
                raise ValuesInvalid(
                    f"type mismatch on {subchart.name}: {sprintf('%t', table)}",
                    where=_dotted(own_prefix, subchart.name),
                )
            self._globals(table, above, own_prefix)
            self.chart(subchart, table, own_prefix)
        return above

    def _own_values(self, chart: Chart, above: JsonObject, prefix: str) -> None:
        own_prefix = _dotted(prefix, chart.name)
        subcharts = {subchart.name for subchart in chart.subcharts}
        for key, default in copy_table(chart.values or {}).items():
            if key not in above:
                if not self._keep_nulls:
                    if default is None:
                        continue
                    if isinstance(default, dict):
                        _drop_nulls(default)
                above[key] = default
                continue
            value = above[key]
            if value is None and not self._keep_nulls:
                del above[key]
            elif isinstance(value, dict):
                # A subchart's own defaults come later, so its nulls must live until then.
                keep_nulls = self._keep_nulls or key in subcharts
                self._over_default(value, default, _dotted(own_prefix, key), keep_nulls=keep_nulls)

    def _over_default(
        self, value: JsonObject, default: object, path: str, *, keep_nulls: bool
    ) -> None:
        if isinstance(default, dict):
            if not keep_nulls:
                _drop_nulls(default)
            self.tables(value, default, path, keep_nulls=keep_nulls)
        elif default is not None:
            self._warn(f"warning: skipped value for {path}: Not a table.")

    def _globals(self, below: JsonObject, above: JsonObject, prefix: str) -> None:
        """Lay a chart's globals over those of a chart inside it."""
        target = below.get(GLOBAL, {})
        if not isinstance(target, dict):
            self._warn("warning: skipping globals because destination global is not a table.")
            return
        source = above.get(GLOBAL, {})
        if not isinstance(source, dict):
            self._warn("warning: skipping globals because source global is not a table.")
            return
        for key, value in source.items():
            old = target.get(key)
            if isinstance(value, dict):
                if key not in target:
                    target[key] = dict(value)
                elif isinstance(old, dict):
                    mixed = dict(value)
                    self.tables(mixed, old, _dotted(prefix, key), keep_nulls=True)
                    target[key] = mixed
                else:
                    self._warn(f'Conflict: cannot merge map onto non-map for "{key}". Skipping.')
            elif isinstance(old, dict):
                self._warn(f"key {key} is table. Skipping")
            else:
                target[key] = value
        below[GLOBAL] = target

    def tables(
        self, above: JsonObject, below: JsonObject, prefix: str, *, keep_nulls: bool
    ) -> None:
        """Lay `above` over `below`, in place; a null over a real default removes the key."""
        had_value = {key for key, value in below.items() if value is not None}
        for key, value in above.items():
            if value is None:
                below[key] = None
        for key, default in below.items():
            if key not in above:
                above[key] = default
                continue
            value = above[key]
            if value is None and not keep_nulls and key in had_value:
                del above[key]
            elif isinstance(default, dict):
                if isinstance(value, dict):
                    self.tables(value, default, _dotted(prefix, key), keep_nulls=keep_nulls)
                else:
                    path = _dotted(prefix, key)
                    self._warn(f"warning: cannot overwrite table with non table for {path}")
            elif isinstance(value, dict) and default is not None:
                path = _dotted(prefix, key)
                self._warn(f"warning: destination for {path} is a table. Ignoring non-table value")


def _drop_nulls(table: JsonObject) -> None:
    for key, value in list(table.items()):
        if value is None:
            del table[key]
        elif isinstance(value, dict):
            _drop_nulls(value)


def _dotted(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name

"""One leaf of a chart's values to change: one that shows in what the chart renders."""

import random
from collections.abc import Callable, Iterator
from typing import Any

Path = tuple[str, ...]
TRIES = 60


def find(values: dict[str, Any], changes: Callable[[Path, object], bool], seed: str) -> Path | None:
    """Return the path of some leaf whose change `changes` what is rendered, None without one."""
    leaves = sorted(path for path, _ in walk(values))
    random.Random(seed).shuffle(leaves)
    for path in leaves[:TRIES]:
        if changes(path, changed(at(values, path), 0)):
            return path
    return None


def walk(value: object, path: Path = ()) -> Iterator[tuple[Path, object]]:
    """Go through all leaves that are texts, numbers or truths, those in lists apart."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from walk(inner, (*path, key))
    elif isinstance(value, str | int | float):
        yield path, value


def changed(value: object, run: int) -> object:
    """Return another value of the same type; each run's differs from the one before it."""
    match value:
        case bool():
            return value is (run % 2 == 1)
        case int() | float():
            return value + 1 + run
        case _:
            return f"{value}x{run}"


def at(values: dict[str, Any], path: Path) -> Any:  # noqa: ANN401 - values are any JSON
    """Return the value at a path."""
    for key in path:
        values = values[key]
    return values


def with_leaf(values: dict[str, Any], path: Path, leaf: object) -> dict[str, Any]:
    """Return a copy of values in which the path leads to the leaf."""
    key, *rest = path
    inner = values.get(key)
    table = inner if isinstance(inner, dict) else {}
    return {**values, key: with_leaf(table, tuple(rest), leaf) if rest else leaf}

"""What is converted, field by field: each is taken, or is left and told of."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from whipstaff.cli.object_files import Found
from whipstaff.helmrelease.strictness import dotted
from whipstaff.release.revision import JsonObject

Path = tuple[str | int, ...]
Json = TypeVar("Json")

# What the API server and controllers write, and nobody's wish.
_NOT_WISHES: tuple[Path, ...] = (
    ("apiVersion",),
    ("kind",),
    ("status",),
    *(
        ("metadata", name)
        for name in (
            *("uid", "resourceVersion", "generation", "selfLink", "managedFields"),
            *("creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"),
            # The controller's own; those of ours are put there by the operator.
            "finalizers",
        )
    ),
)


class Unconvertible(Exception):
    """An object that is none of what it says to be; the text names file, line and field."""


@dataclass(slots=True)
class Original:
    """One object of others, and which of its fields were taken."""

    found: Found
    namespace: str = ""  # where it is; empty where neither it nor anyone says so
    _taken: set[Path] = field(default_factory=set)
    _touched: set[Path] = field(default_factory=set)  # what something was taken out of

    def __post_init__(self) -> None:
        for path in _NOT_WISHES:
            self._mark(path)

    @classmethod
    def of(cls, found: Found, namespace: str) -> "Original":
        """Take up an object; `namespace` counts where it names none."""
        original = cls(found)
        original.namespace = original.text("metadata", "namespace") or namespace
        return original

    @property
    def kind(self) -> str:
        return str(self.found.body.get("kind"))

    @property
    def group(self) -> str:
        version = self.found.body.get("apiVersion")
        return version.partition("/")[0] if isinstance(version, str) and "/" in version else ""

    @property
    def name(self) -> str:
        """Its name; Unconvertible without one."""
        name = self.text("metadata", "name")
        if not name:
            raise self.unconvertible(("metadata", "name"), "is missing, or no text")
        return name

    @property
    def subject(self) -> str:
        metadata = self.at("metadata")
        name = metadata.get("name") if isinstance(metadata, dict) else None
        place = f"{self.namespace}/" if self.namespace else ""
        return f"{self.kind} {place}{name if isinstance(name, str) else 'without a name'}"

    def unconvertible(self, path: Path, text: str) -> Unconvertible:
        return Unconvertible(f"{self.found.at(path)}: {self.subject}: {dotted(path)} {text}")

    def at(self, *path: str | int) -> object:
        """Look at a field without taking it; None where there is no such."""
        return _below(self.found.body, path)

    def table(self, *path: str | int) -> JsonObject:
        """Look at a field that is a table; an empty one in place of anything else."""
        found = self.at(*path)
        return found if isinstance(found, dict) else {}

    def items(self, *path: str | int) -> list[object]:
        """Look at a field that is a list; an empty one in place of anything else."""
        found = self.at(*path)
        return found if isinstance(found, list) else []

    def take(self, *path: str | int) -> object:
        """Take a field, whatever it is, and all that is in it."""
        self._mark(path)
        return self.at(*path)

    def text(self, *path: str | int) -> str:
        """Take a text; anything else is left, and an empty text given."""
        found = self.at(*path)
        if not isinstance(found, str):
            return ""
        self._mark(path)
        return found

    def flag(self, *path: str | int) -> bool | None:
        """Take a switch; anything else is left, and None given."""
        found = self.at(*path)
        if not isinstance(found, bool):
            return None
        self._mark(path)
        return found

    def left(self, base: Path = ()) -> Iterator[tuple[Path, object]]:
        """Yield what was not taken of a field: the outermost of what is left whole, each once."""
        if not any(base[:end] in self._taken for end in range(len(base))):
            yield from self._left(self.at(*base), base)

    def _left(self, value: object, path: Path) -> Iterator[tuple[Path, object]]:
        if value is None or value in ({}, []) or path in self._taken:
            return
        if path not in self._touched:
            yield path, value
        elif isinstance(value, dict):
            for key, inner in value.items():
                yield from self._left(inner, (*path, key))
        elif isinstance(value, list):
            for at, inner in enumerate(value):
                yield from self._left(inner, (*path, at))
        else:
            yield path, value

    def _mark(self, path: Path) -> None:
        self._taken.add(path)
        self._touched.update(path[:end] for end in range(len(path)))


def _below(value: object, path: Path) -> object:
    for step in path:
        if isinstance(step, str) and isinstance(value, dict):
            value = value.get(step)
        elif isinstance(step, int) and isinstance(value, list) and step < len(value):
            value = value[step]
        else:
            return None
    return value


def copied(value: Json) -> Json:
    """Copy JSON; what stood in two places by an alias of YAML is two things then."""
    if isinstance(value, dict):
        return {key: copied(inner) for key, inner in value.items()}  # type: ignore[return-value]  # the same type
    if isinstance(value, list):
        return [copied(inner) for inner in value]  # type: ignore[return-value]  # the same type
    return value

"""Chart.yaml, Chart.lock and their v1 forms: parsed, cleaned and judged as Helm does."""

import re
from dataclasses import replace
from typing import Any

from whipstaff.chart.model import Dependency, Lock, Maintainer, Metadata
from whipstaff.chart.shapes import ListOf, MapOf, Scalar, ShapeError, Struct, read
from whipstaff.errors import ChartInvalid
from whipstaff.golang import yaml
from whipstaff.golang.semver import SemverError, Version
from whipstaff.golang.strconv import quote

MAX_NAME_LENGTH = 250

_ALIAS = re.compile(r"[a-zA-Z0-9_-]+")
_TEXTS = ListOf(Scalar.TEXT)

_DEPENDENCY = Struct(
    "v2.Dependency",
    {
        "name": Scalar.TEXT,
        "version": Scalar.TEXT,
        "repository": Scalar.TEXT,
        "condition": Scalar.TEXT,
        "tags": _TEXTS,
        "enabled": Scalar.BOOL,
        "import-values": ListOf(Scalar.ANY),
        "alias": Scalar.TEXT,
    },
)
_MAINTAINER = Struct(
    "v2.Maintainer", {"name": Scalar.TEXT, "email": Scalar.TEXT, "url": Scalar.TEXT}
)
_LOCK = Struct(
    "v2.Lock",
    {"generated": Scalar.TEXT, "digest": Scalar.TEXT, "dependencies": ListOf(_DEPENDENCY)},
)
METADATA = Struct(
    "v2.Metadata",
    {
        "name": Scalar.TEXT,
        "home": Scalar.TEXT,
        "sources": _TEXTS,
        "version": Scalar.TEXT,
        "description": Scalar.TEXT,
        "keywords": _TEXTS,
        "maintainers": ListOf(_MAINTAINER),
        "icon": Scalar.TEXT,
        "apiVersion": Scalar.TEXT,
        "condition": Scalar.TEXT,
        "tags": Scalar.TEXT,
        "appVersion": Scalar.TEXT,
        "deprecated": Scalar.BOOL,
        "annotations": MapOf(Scalar.TEXT),
        "kubeVersion": Scalar.TEXT,
        "dependencies": ListOf(_DEPENDENCY),
        "type": Scalar.TEXT,
    },
)
_PYTHON_NAMES = {
    "apiVersion": "api_version",
    "appVersion": "app_version",
    "kubeVersion": "kube_version",
}


def parse(text: str, where: str, onto: Metadata | None = None) -> Metadata:
    """Read Chart.yaml, or requirements.yaml onto what Chart.yaml said; else ChartInvalid."""
    found = read_fields(text, where)
    fields = {_PYTHON_NAMES.get(name, name): _plain(name, part) for name, part in found.items()}
    return replace(onto or Metadata(), **fields)


def read_fields(text: str, where: str) -> dict[str, object]:
    """Read the fields of a Chart.yaml that it sets, by their JSON names; else ChartInvalid."""
    return _load(text, where, METADATA)


def parse_lock(text: str, where: str) -> Lock | None:
    """Read Chart.lock or requirements.lock; an empty one is no lock."""
    found = _load(text, where, _LOCK)
    return Lock(**{name: _plain(name, part) for name, part in found.items()}) if found else None


def validate(metadata: Metadata) -> Metadata:
    """Return the metadata without control characters; ChartInvalid has Helm's sentence."""
    cleaned = replace(
        metadata,
        name=printable(metadata.name),
        description=printable(metadata.description),
        home=printable(metadata.home),
        icon=printable(metadata.icon),
        condition=printable(metadata.condition),
        tags=printable(metadata.tags),
        app_version=printable(metadata.app_version),
        kube_version=printable(metadata.kube_version),
        sources=tuple(map(printable, metadata.sources)),
        keywords=tuple(map(printable, metadata.keywords)),
    )
    _check_identity(cleaned)
    return replace(
        cleaned,
        maintainers=tuple(_valid_maintainer(one) for one in cleaned.maintainers),
        dependencies=_valid_dependencies(cleaned.dependencies),
    )


def _check_identity(metadata: Metadata) -> None:
    name = metadata.name
    if not metadata.api_version:
        raise _invalid("apiVersion", "is required")
    if not name:
        raise _invalid("name", "is required")
    if name in {".", ".."}:
        raise _invalid("name", f"{quote(name)} is not allowed")
    if "/" in name or len(name) > MAX_NAME_LENGTH:
        raise _invalid("name", f"{quote(name[:MAX_NAME_LENGTH])} is invalid")
    if not metadata.version:
        raise _invalid("version", "is required")
    try:
        Version.parse(metadata.version)
    except SemverError as error:
        raise _invalid("version", f"{quote(metadata.version)} is invalid") from error
    if metadata.type not in {"", "application", "library"}:
        raise _invalid("type", "must be application or library")


def _valid_maintainer(maintainer: Maintainer) -> Maintainer:
    return Maintainer(
        printable(maintainer.name), printable(maintainer.email), printable(maintainer.url)
    )


def _valid_dependencies(
    dependencies: tuple[Dependency, ...] | None,
) -> tuple[Dependency, ...] | None:
    if dependencies is None:
        return None
    seen: set[str] = set()
    cleaned = []
    for dependency in dependencies:
        one = replace(
            dependency,
            name=printable(dependency.name),
            version=printable(dependency.version),
            repository=printable(dependency.repository),
            condition=printable(dependency.condition),
            tags=tuple(map(printable, dependency.tags)),
        )
        if one.alias and not _ALIAS.fullmatch(one.alias):
            raise ChartInvalid(
                f"validation: dependency {quote(one.name)} has disallowed characters in the alias",
                where="Chart.yaml",
            )
        key = one.alias or one.name
        if key in seen:
            raise ChartInvalid(
                f"validation: more than one dependency with name or alias {quote(key)}",
                where="Chart.yaml",
            )
        seen.add(key)
        cleaned.append(one)
    return tuple(cleaned)


def _invalid(field: str, problem: str) -> ChartInvalid:
    return ChartInvalid(
        f"validation: chart.metadata.{field} {problem}", where=f"Chart.yaml: {field}"
    )


def printable(text: str) -> str:
    """Turn every blank into a space and drop what cannot be printed."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        " " if _is_space(character) else character
        for character in text
        if character.isprintable() or _is_space(character)
    )


def _is_space(character: str) -> bool:
    # The four separators of ASCII are blanks to Python and not to Go.
    return character.isspace() and character not in "\x1c\x1d\x1e\x1f"


def _load(text: str, where: str, shape: Struct) -> dict[str, object]:
    try:
        return read(yaml.load_typed(text), shape)
    except yaml.YAMLError as error:
        raise ChartInvalid(f"cannot load {where}: {error.text}", where=where) from error
    except ShapeError as error:
        raise ChartInvalid(
            f"cannot load {where}: error unmarshaling JSON: while decoding JSON: {error}",
            where=where,
        ) from error


def _plain(name: str, part: object) -> Any:  # noqa: ANN401 - one of the field types of the classes above
    match name, part:
        case "dependencies", list():
            return tuple(_dependency(one) for one in part)
        case "maintainers", list():
            return tuple(_maintainer(one) for one in part)
        case "dependencies" | "annotations", _:
            return part
        case _, None:
            return ()
        case _, list():
            return tuple(part)
        case _:
            return part


def _dependency(fields: object) -> Dependency:
    if not isinstance(fields, dict):
        raise ChartInvalid(
            "validation: dependencies must not contain empty or null nodes", where="Chart.yaml"
        )
    return Dependency(
        **{name.replace("-", "_"): _plain(name, part) for name, part in fields.items()}
    )


def _maintainer(fields: object) -> Maintainer:
    if not isinstance(fields, dict):
        raise ChartInvalid(
            "validation: maintainers must not contain empty or null nodes", where="Chart.yaml"
        )
    return Maintainer(**fields)

"""A stored release as the Go struct that templates of `get all --template` are given."""

import base64
import binascii
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar

import click

from whipstaff.cli import offline
from whipstaff.cli.moments import moment
from whipstaff.golang.values import GoObject, GoSignature, Strings, TypedList, TypedMap
from whipstaff.release.revision import JsonObject
from whipstaff.release.stored import StoredRelease, table
from whipstaff.template.engine import Engine
from whipstaff.template.errors import TemplateError
from whipstaff.template.execution import ExecError
from whipstaff.template.functions.builtin import FAMILY

_TEMPLATE = "_"  # what helm calls it in errors

_Read = Callable[[Any], object]
_Shape = Mapping[str, tuple[str, _Read]]  # by its name in Go: the name in JSON, and how it is read


def rendered(text: str, one: StoredRelease) -> str:
    """Return what a template makes of a release; a ClickException in the words of Go's package."""
    data = {"Release": _Release(one.record, TypedMap(dict(one.labels)))}
    try:
        return Engine(FAMILY).parse({_TEMPLATE: text}).printed(_TEMPLATE, data, offline.scope())
    except TemplateError as error:
        cause = error.__cause__
        words = cause.text if isinstance(cause, ExecError) else str(cause or error)
        raise click.ClickException(words) from error


class _Struct(GoObject):
    """A struct whose fields are those of a JSON object."""

    shape: ClassVar[_Shape] = {}

    def __init__(self, stored: JsonObject) -> None:
        self._stored = stored

    def fields(self) -> Mapping[str, Callable[[], object]]:
        stored = self._stored
        return {name: partial(read, stored.get(key)) for name, (key, read) in self.shape.items()}


class _Nil(GoObject):
    """A nil pointer to a struct."""

    def go_string(self) -> str:
        return "<nil>"

    def __bool__(self) -> bool:
        return False


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def _flag(value: object) -> bool:
    return value is True


def _time(value: object) -> object:
    return moment(_text(value))


def _bytes(value: object) -> bytes:
    try:
        return base64.b64decode(_text(value))
    except binascii.Error:
        return b""


def _json(value: object) -> object:
    return value


def _texts(value: object) -> Strings:
    return Strings(_text(one) for one in value) if isinstance(value, list) else Strings()


def _annotations(value: object) -> TypedMap:
    return TypedMap({name: _text(one) for name, one in table(value).items()})


def _a(kind: type[_Struct]) -> _Read:
    """Read a pointer to a struct, which may be nil."""
    return lambda value: kind(value) if isinstance(value, dict) else _Nil()


def _some(kind: type[_Struct]) -> _Read:
    """Read a slice of pointers to structs."""

    def read(value: object) -> TypedList:
        found = value if isinstance(value, list) else []
        return TypedList([kind(one) for one in found if isinstance(one, dict)], f"*{kind.go_type}")

    return read


class _File(_Struct):
    go_type = "common.File"
    shape: ClassVar[_Shape] = {
        "Name": ("name", _text),
        "ModTime": ("modtime", _time),
        "Data": ("data", _bytes),
    }


class _Maintainer(_Struct):
    go_type = "v2.Maintainer"
    shape: ClassVar[_Shape] = {
        "Name": ("name", _text),
        "Email": ("email", _text),
        "URL": ("url", _text),
    }


class _Dependency(_Struct):
    go_type = "v2.Dependency"
    shape: ClassVar[_Shape] = {
        "Name": ("name", _text),
        "Version": ("version", _text),
        "Repository": ("repository", _text),
        "Condition": ("condition", _text),
        "Tags": ("tags", _texts),
        "Enabled": ("enabled", _flag),
        "ImportValues": ("import-values", _json),
        "Alias": ("alias", _text),
    }


class _Metadata(_Struct):
    go_type = "v2.Metadata"
    shape: ClassVar[_Shape] = {
        "Name": ("name", _text),
        "Home": ("home", _text),
        "Sources": ("sources", _texts),
        "Version": ("version", _text),
        "Description": ("description", _text),
        "Keywords": ("keywords", _texts),
        "Maintainers": ("maintainers", _some(_Maintainer)),
        "Icon": ("icon", _text),
        "APIVersion": ("apiVersion", _text),
        "Condition": ("condition", _text),
        "Tags": ("tags", _text),
        "AppVersion": ("appVersion", _text),
        "Deprecated": ("deprecated", _flag),
        "Annotations": ("annotations", _annotations),
        "KubeVersion": ("kubeVersion", _text),
        "Dependencies": ("dependencies", _some(_Dependency)),
        "Type": ("type", _text),
    }


class _Lock(_Struct):
    go_type = "v2.Lock"
    shape: ClassVar[_Shape] = {
        "Generated": ("generated", _time),
        "Digest": ("digest", _text),
        "Dependencies": ("dependencies", _some(_Dependency)),
    }


class _Chart(_Struct):
    go_type = "v2.Chart"
    shape: ClassVar[_Shape] = {
        "Raw": ("", _some(_File)),
        "Metadata": ("metadata", _a(_Metadata)),
        "Lock": ("lock", _a(_Lock)),
        "Templates": ("templates", _some(_File)),
        "Values": ("values", _json),
        "Schema": ("schema", _bytes),
        "SchemaModTime": ("schemamodtime", _time),
        "Files": ("files", _some(_File)),
        "ModTime": ("modtime", _time),
    }

    def methods(self) -> Mapping[str, tuple[Callable[..., object], GoSignature]]:
        metadata = table(self._stored.get("metadata"))
        return {
            "Name": (lambda: _text(metadata.get("name")), GoSignature()),
            "AppVersion": (lambda: _text(metadata.get("appVersion")), GoSignature()),
        }


class _Execution(_Struct):
    go_type = "v1.HookExecution"
    go_kind = "struct"
    shape: ClassVar[_Shape] = {
        "StartedAt": ("started_at", _time),
        "CompletedAt": ("completed_at", _time),
        "Phase": ("phase", _text),
    }


class _Hook(_Struct):
    go_type = "v1.Hook"
    shape: ClassVar[_Shape] = {
        "Name": ("name", _text),
        "Kind": ("kind", _text),
        "Path": ("path", _text),
        "Manifest": ("manifest", _text),
        "Events": ("events", _texts),
        "LastRun": ("last_run", lambda value: _Execution(table(value))),
        "Weight": ("weight", _number),
        "DeletePolicies": ("delete_policies", _texts),
        "OutputLogPolicies": ("output_log_policies", _texts),
    }


class _Info(_Struct):
    go_type = "v1.Info"
    shape: ClassVar[_Shape] = {
        "FirstDeployed": ("first_deployed", _time),
        "LastDeployed": ("last_deployed", _time),
        "Deleted": ("deleted", _time),
        "Description": ("description", _text),
        "Status": ("status", _text),
        "Notes": ("notes", _text),
        "Resources": ("", _json),
    }


class _Release(_Struct):
    go_type = "v1.Release"
    shape: ClassVar[_Shape] = {
        "Name": ("name", _text),
        "Info": ("info", _a(_Info)),
        "Chart": ("chart", _a(_Chart)),
        "Config": ("config", _json),
        "Manifest": ("manifest", _text),
        "Hooks": ("hooks", _some(_Hook)),
        "Version": ("version", _number),
        "Namespace": ("namespace", _text),
    }

    def __init__(self, stored: JsonObject, labels: TypedMap) -> None:
        super().__init__(stored)
        self._labels = labels

    def fields(self) -> Mapping[str, Callable[[], object]]:
        return {
            **super().fields(),
            "Labels": lambda: self._labels,
            "ApplyMethod": lambda: _text(self._stored.get("apply_method")),
        }

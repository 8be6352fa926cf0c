"""toYaml, toJson, toToml and their kin: Helm's own where Helm replaces sprig's.

Helm's forms without `must` swallow errors: a writer gives an empty text (TOML: the error's), a
reader an `Error` key or a list of one error.
"""

from __future__ import annotations

from whipstaff.golang import json, toml, yaml
from whipstaff.golang.json_reader import PartialJSONError
from whipstaff.golang.nil_values import NilList, NilMap
from whipstaff.template.errors import FunctionError
from whipstaff.template.functions.registry import Function, GoType, function

FAMILY: dict[str, Function] = {}


@function("toYaml", GoType.ANY)
def to_yaml(value: object) -> str:
    """Write YAML without the last line end; what cannot be written gives an empty text."""
    try:
        return yaml.dump(value).removesuffix("\n")
    except yaml.YAMLError:
        return ""


@function("mustToYaml", GoType.ANY)
def must_to_yaml(value: object) -> str:
    """Write YAML without the last line end."""
    try:
        return yaml.dump(value).removesuffix("\n")
    except yaml.YAMLError as error:
        raise FunctionError(error.text) from error


@function("toYamlPretty", GoType.ANY)
def to_yaml_pretty(value: object) -> str:
    """Write YAML with indented sequences."""
    try:
        return yaml.dump_pretty(value).removesuffix("\n")
    except yaml.YAMLError as error:
        raise FunctionError(error.text) from error


@function("fromYaml", GoType.STRING)
def from_yaml(text: str) -> dict[str, object]:
    """Read a YAML map."""
    try:
        return yaml.load_map(text)
    except yaml.YAMLError as error:
        return {"Error": error.text}


@function("fromYamlArray", GoType.STRING)
def from_yaml_array(text: str) -> list[object]:
    """Read a YAML list."""
    try:
        return yaml.load_list(text)
    except yaml.YAMLError as error:
        return [error.text]


@function("toJson", GoType.ANY)
def to_json(value: object) -> str:
    """Write JSON on one line; what cannot be written gives an empty text."""
    try:
        return json.dump(value)
    except json.JSONError:
        return ""


@function("mustToJson", GoType.ANY)
def must_to_json(value: object) -> str:
    """Write JSON on one line."""
    try:
        return json.dump(value)
    except json.JSONError as error:
        raise FunctionError(error.text) from error


@function("toPrettyJson", GoType.ANY)
def to_pretty_json(value: object) -> str:
    """Write indented JSON; what cannot be written gives an empty text."""
    try:
        return json.dump_indent(value)
    except json.JSONError:
        return ""


@function("mustToPrettyJson", GoType.ANY)
def must_to_pretty_json(value: object) -> str:
    """Write indented JSON."""
    try:
        return json.dump_indent(value)
    except json.JSONError as error:
        raise FunctionError(error.text) from error


@function("toRawJson", GoType.ANY)
@function("mustToRawJson", GoType.ANY)
def to_raw_json(value: object) -> str:
    """Write JSON on one line without escapes for HTML; this one fails even without `must`."""
    try:
        return json.dump_raw(value)
    except json.JSONError as error:
        raise FunctionError(error.text) from error


@function("fromJson", GoType.STRING)
def from_json(text: str) -> dict[str, object]:
    """Read a JSON map."""
    try:
        read = json.load_map(text)
        return NilMap() if read is None else read
    except PartialJSONError as error:
        part = error.value if isinstance(error.value, dict) else {}
        return {**part, "Error": error.text}
    except json.JSONError as error:
        return {"Error": error.text}


@function("mustFromJson", GoType.STRING)
def must_from_json(text: str) -> object:
    """Read any JSON value."""
    try:
        return json.load(text)
    except json.JSONError as error:
        raise FunctionError(error.text) from error


@function("fromJsonArray", GoType.STRING)
def from_json_array(text: str) -> list[object]:
    """Read a JSON list."""
    try:
        read = json.load_list(text)
        return NilList() if read is None else read
    except json.JSONError as error:
        return [error.text]


@function("toToml", GoType.ANY)
def to_toml(value: object) -> str:
    """Write TOML; what cannot be written gives the error's text."""
    try:
        return toml.dump(value)
    except toml.TOMLPanic as error:
        raise FunctionError(error.text) from error
    except toml.TOMLError as error:
        return error.text


@function("mustToToml", GoType.ANY)
def must_to_toml(value: object) -> str:
    """Write TOML."""
    try:
        return toml.dump(value)
    except toml.TOMLError as error:
        raise FunctionError(error.text) from error


@function("fromToml", GoType.STRING)
def from_toml(text: str) -> dict[str, object]:
    """Read a TOML document."""
    try:
        return toml.load(text)
    except toml.TOMLError as error:
        return {"Error": error.text}

"""All instructions of a HelmRelease for its rendered objects, in their order."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from whipstaff.errors import PostRenderFailed
from whipstaff.golang import yaml
from whipstaff.postrender import json_patch, merging
from whipstaff.postrender.errors import InstructionError
from whipstaff.postrender.images import Image
from whipstaff.postrender.merge_keys import shape_of
from whipstaff.postrender.targets import Named, Target

_SEPARATOR = re.compile(r"^---[ \t]*$", re.MULTILINE)

JsonObject = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of an object: None if a patch deleted it."""

    body: JsonObject | None
    changed: bool
    found: frozenset[str]  # the instructions that had this object for theirs


@dataclass(frozen=True, slots=True)
class Patch:
    """A strategic merge patch, or the operations of a JSON patch."""

    place: str
    target: Target | None  # None: a strategic merge patch that names its object
    content: JsonObject
    operations: tuple[JsonObject, ...]

    def is_for(self, named: Named, body: JsonObject, namespace: str) -> bool:
        """Whether an object is to be changed."""
        if self.target is not None:
            return self.target.matches(named, body)
        return Named.of(self.content, namespace) == named

    def apply(self, body: JsonObject) -> JsonObject | None:
        """Return the object with its changes; a strategic merge leaves its name and place alone."""
        if self.operations:
            return _with_operations(body, self.operations)
        shape = shape_of(str(body.get("apiVersion", "")), str(body.get("kind", "")))
        merged = merging.merge(body, self.content, shape)
        return None if merged is None else _under_its_name(merged, body)


class PostRenderer:
    """Applies patches, images and metadata to one object after the other."""

    def __init__(self, order: JsonObject, namespace: str) -> None:
        """`order` is what `helmrelease.types.PostRendering` says; PostRenderFailed names a fault.

        `namespace` is that of objects which name none.
        """
        self.with_hooks = order["strategy"] != "nohooks"
        self._namespace = namespace
        self._labels: Mapping[str, str] = order["labels"]
        self._annotations: Mapping[str, str] = order["annotations"]
        self._patches: list[Patch] = []
        self._steps: list[tuple[str, Patch | Image]] = []
        for number, one in enumerate(order["renderers"]):
            place = f"spec.postRenderers[{number}].kustomize"
            for index, patch in enumerate(one["patches"]):
                at = f"{place}.patches[{index}]"
                self._steps += [(at, each) for each in _read_patch(at, patch)]
            for index, image in enumerate(one["images"]):
                at = f"{place}.images[{index}]"
                self._steps.append((at, _read_image(at, image)))

    def apply(self, body: JsonObject) -> Applied:
        """Follow all instructions; the object given stays as it is."""
        found: set[str] = set()
        current: JsonObject | None = body
        for place, step in self._steps:
            if current is None:
                break
            named = Named.of(current, self._namespace)
            try:
                if isinstance(step, Patch) and step.is_for(named, current, self._namespace):
                    found.add(step.place)
                    current = step.apply(current)
                elif isinstance(step, Image) and step.is_for(current):
                    found.add(place)
                    current = step.apply(current)
            except InstructionError as error:
                what = f"{named.kind} {named.name}"
                raise PostRenderFailed(f"{place}: {what}: {error}", place) from error
        if current is not None:
            current = self._marked(current)
        return Applied(current, current != body, frozenset(found))

    def check_all_found(self, found: Iterable[str]) -> None:
        """Refuse a patch that names an object which is not rendered."""
        known = frozenset(found)
        for place, step in self._steps:
            if isinstance(step, Patch) and step.target is None and step.place not in known:
                named = Named.of(step.content, self._namespace)
                what = f"{step.content.get('apiVersion')} {named.kind} {named.name}"
                raise PostRenderFailed(f"{place}: the chart renders no {what} to patch", place)

    def _marked(self, body: JsonObject) -> JsonObject:
        metadata = body.get("metadata") or {}
        for key, marks in (("labels", self._labels), ("annotations", self._annotations)):
            if marks:
                metadata = {**metadata, key: {**(metadata.get(key) or {}), **marks}}
        return {**body, "metadata": metadata}


def _with_operations(body: JsonObject, operations: Sequence[JsonObject]) -> JsonObject:
    """Apply a JSON patch, which finds annotations even where there are none, as in kustomize."""
    before = deepcopy(body)
    metadata = before.get("metadata")
    if isinstance(metadata, dict) and not metadata.get("annotations"):
        metadata["annotations"] = {}
    changed = json_patch.apply(before, operations)
    if not isinstance(changed, dict):
        raise InstructionError("what the patch leaves is no object")
    metadata = changed.get("metadata")
    if isinstance(metadata, dict) and not metadata.get("annotations"):
        metadata.pop("annotations", None)
    return changed


def _under_its_name(merged: JsonObject, before: JsonObject) -> JsonObject:
    """Give an object back what a strategic merge may not change: what it is called."""
    metadata = merged.get("metadata")
    metadata = dict(metadata) if isinstance(metadata, dict) else {}
    for key in ("name", "namespace"):
        metadata.pop(key, None)
        if key in before["metadata"]:
            metadata[key] = before["metadata"][key]
    named = {"apiVersion": before["apiVersion"], "kind": before["kind"], "metadata": metadata}
    return {**merged, **named}


def _read_image(place: str, image: JsonObject) -> Image:
    try:
        return Image.read(image)
    except InstructionError as error:
        raise PostRenderFailed(f"{place}: {error}", place) from error


def _read_patch(place: str, order: JsonObject) -> list[Patch]:
    try:
        target = None if order["target"] is None else Target.read(order["target"])
        documents = _documents(order["patch"], one=target is not None)
        if len(documents) == 1 and isinstance(documents[0], list):
            return [Patch(place, _needed(target), {}, tuple(json_patch.check(documents[0])))]
        return [
            Patch(f"{place} {number}", target, _strategic(document, target), ())
            for number, document in enumerate(documents)
        ]
    except InstructionError as error:
        raise PostRenderFailed(f"{place}: {error}", place) from error


def _needed(target: Target | None) -> Target:
    if target is None:
        raise InstructionError("a JSON patch needs a target")
    return target


def _documents(text: str, *, one: bool) -> list[Any]:
    documents = []
    for part in _SEPARATOR.split(text.strip()):
        try:
            document = yaml.load_yaml_1_2(part)
        except yaml.YAMLError as error:
            line = f"line {error.line}: " if error.line else ""
            raise InstructionError(f"patch: {line}it is no YAML") from error
        if document is not None:
            documents.append(document)
    if not documents:
        raise InstructionError("patch is empty")
    if one and len(documents) > 1:
        raise InstructionError("a patch with a target must be one document")
    return documents


def _strategic(document: object, target: Target | None) -> JsonObject:
    if not isinstance(document, dict):
        raise InstructionError(
            "patch is neither a strategic merge patch (a table) nor a JSON patch (a list)"
        )
    if not _is_json(document):
        raise InstructionError("patch has a key that is no text")
    metadata = document.get("metadata")
    if metadata is not None and not isinstance(metadata, dict):
        raise InstructionError("patch: metadata is no table")
    if target is None:
        for key in ("apiVersion", "kind"):
            if not document.get(key):
                raise InstructionError(f"a patch without a target must say its object's {key}")
        if not (metadata or {}).get("name"):
            raise InstructionError("a patch without a target must say its object's metadata.name")
    return document


def _is_json(document: object) -> bool:
    try:
        json.dumps(document, allow_nan=False)
    except (TypeError, ValueError):
        return False
    return True

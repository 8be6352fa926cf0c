"""Other names, tags and digests for the images of containers."""

from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from whipstaff.golang.regexp import RegexpError, compile_pattern
from whipstaff.postrender.errors import InstructionError

_CONTAINERS = ("containers", "initContainers")
# Where a pod template may be: volumes of images are looked for only there.
_POD_SPECS = (
    ("spec",),
    ("spec", "template", "spec"),
    ("spec", "jobTemplate", "spec", "template", "spec"),
)
_TAG_AND_DIGEST = r"(:[a-zA-Z0-9_.{}-]*)?(@[a-zA-Z0-9]+([.+_-][a-zA-Z0-9]+)*:[a-zA-Z0-9_.{}-]*)?"


@dataclass(frozen=True, slots=True)
class Image:
    """What becomes of an image of one name; empty fields leave their part alone."""

    matches: Callable[[str], bool]
    new_name: str
    new_tag: str
    digest: str

    @classmethod
    def read(cls, image: Mapping[str, str]) -> "Image":
        """Read an instruction; its name is a regular expression, as in kustomize."""
        try:
            regexp = compile_pattern(f"^{image['name']}{_TAG_AND_DIGEST}$")
        except RegexpError as error:
            raise InstructionError("name is no name of an image") from error
        return cls(
            regexp.matches,
            image.get("newName", ""),
            image.get("newTag", ""),
            image.get("digest", ""),
        )

    def is_for(self, body: dict[str, Any]) -> bool:
        """Whether an object has a container or a volume of the image."""
        return any(True for _ in self._found(body))

    def apply(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return the object with its images changed."""
        changed = deepcopy(body)
        for holder, key in self._found(changed):
            holder[key] = self._changed(holder[key])
        return changed

    def _found(self, body: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
        if body.get("kind") == "CustomResourceDefinition":
            return
        for holder, key in (*_in_containers(body), *_in_volumes(body)):
            text = holder[key]
            if not isinstance(text, str):
                raise InstructionError(f"{key} of a container is no text")
            if self.matches(text):
                yield holder, key

    def _changed(self, text: str) -> str:
        name, tag, digest = split(text)
        if self.new_tag or self.digest:
            tag, digest = self.new_tag, self.digest
        changed = self.new_name or name
        return changed + (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")


def split(text: str) -> tuple[str, str, str]:
    """Return name, tag and digest of an image; a port of its registry belongs to the name."""
    rest, _, digest = text.partition("@")
    slash = rest.find("/")
    colon = rest.find(":", max(slash, 0))
    return (rest, "", digest) if colon < 0 else (rest[:colon], rest[colon + 1 :], digest)


def _in_containers(value: object) -> Iterator[tuple[dict[str, Any], str]]:
    """Find containers in lists of that name, at any depth: custom resources have them anywhere."""
    if isinstance(value, list):
        for one in value:
            yield from _in_containers(one)
    if not isinstance(value, dict):
        return
    for key, inner in value.items():
        yield from _in_containers(inner)
        if key in _CONTAINERS and isinstance(inner, list):
            for one in inner:
                if isinstance(one, dict) and one.get("image") is not None:
                    yield one, "image"


def _in_volumes(body: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    for path in _POD_SPECS:
        place: Any = body
        for key in path:
            place = place.get(key) if isinstance(place, dict) else None
        volumes = place.get("volumes") if isinstance(place, dict) else None
        for volume in volumes if isinstance(volumes, list) else ():
            image = volume.get("image") if isinstance(volume, dict) else None
            if isinstance(image, dict) and image.get("reference") is not None:
                yield image, "reference"

"""What a HelmRelease changes in the objects that its chart renders."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from whipstaff.helmrelease.fields import Fields, TextRule
from whipstaff.release.revision import JsonObject

RENDERERS_LIMIT = 32
PATCHES_LIMIT = 200
IMAGES_LIMIT = 200
MARKS_LIMIT = 64
PATCH_CHARACTERS_LIMIT = 64 << 10

_TARGET = ("group", "version", "kind", "name", "namespace", "labelSelector", "annotationSelector")
_IMAGE = ("newName", "newTag", "digest")
_PATCH = TextRule(re.compile(r"[^\x00]*\S[^\x00]*", re.DOTALL), PATCH_CHARACTERS_LIMIT, "a patch")
_WORD = TextRule(re.compile(r"[^\x00-\x1f\x7f]*"), 1024, "a text of one line")
_IMAGE_NAME = TextRule(re.compile(r"[^\s\x00-\x1f\x7f]+"), 1024, "the name of an image")
_MARK_NAME = re.compile(
    r"([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
)
_LABEL_VALUE = TextRule(
    re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?"), 63, "the value of a label"
)
_ANNOTATION = TextRule(re.compile(r"[^\x00]*", re.DOTALL), 64 << 10, "a text")


class PostRenderStrategy(StrEnum):
    """Which objects post-renderers see."""

    COMBINED = "combined"  # all of them, hooks included
    SEPARATE = "separate"  # the same: no object of ours is in the way of another
    NO_HOOKS = "nohooks"


@dataclass(frozen=True, slots=True)
class PostRendering:
    """Patches, images and metadata, in the order in which they apply."""

    renderers: tuple[JsonObject, ...] = ()
    strategy: PostRenderStrategy = PostRenderStrategy.COMBINED
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)

    def order(self) -> JsonObject:
        """Return it as JSON, for whoever applies it and for digests."""
        return {
            "strategy": str(self.strategy),
            "renderers": list(self.renderers),
            "labels": dict(self.labels),
            "annotations": dict(self.annotations),
        }


def read(spec: Fields) -> PostRendering | None:
    """Read all of it; None if a HelmRelease changes nothing."""
    common = spec.table("commonMetadata")
    found = PostRendering(
        renderers=tuple(map(_renderer, spec.tables("postRenderers", RENDERERS_LIMIT))),
        strategy=spec.choice("postRenderStrategy", PostRenderStrategy.COMBINED),
        labels=_marks(common, "labels", _LABEL_VALUE),
        annotations=_marks(common, "annotations", _ANNOTATION),
    )
    return found if found.renderers or found.labels or found.annotations else None


def _renderer(one: Fields) -> JsonObject:
    kustomize = one.table("kustomize")
    return {
        "patches": [_patch(each) for each in kustomize.tables("patches", PATCHES_LIMIT)],
        "images": [_image(each) for each in kustomize.tables("images", IMAGES_LIMIT)],
    }


def _patch(one: Fields) -> JsonObject:
    target = None
    if one.content.get("target") is not None:
        given = one.table("target")
        words = {name: given.text(name, "", _WORD) for name in _TARGET}
        target = {name: word for name, word in words.items() if word}
    return {"patch": one.required_text("patch", _PATCH), "target": target}


def _image(one: Fields) -> JsonObject:
    words = {name: one.text(name, "", _WORD) for name in _IMAGE}
    given = {name: word for name, word in words.items() if word}
    return {"name": one.required_text("name", _IMAGE_NAME), **given}


def _marks(common: Fields, name: str, rule: TextRule) -> dict[str, str]:
    given = common.table(name)
    if len(given.content) > MARKS_LIMIT:
        raise common.refuse(name, f"at most {MARKS_LIMIT} of them")
    for key in given.content:
        if not _MARK_NAME.fullmatch(key):
            raise common.refuse(
                name, "a table whose keys are names such as team or example.com/team"
            )
    return {
        key: given.text(key, "", rule) for key, value in given.content.items() if value is not None
    }

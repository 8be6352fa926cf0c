"""Images as people name them, as values of the operator's chart."""

import re

from whipstaff.release.revision import JsonObject

CANARY = "canary"  # the tag of what was built last
_TAG = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")  # a label's value as well
_IMAGE = re.compile(
    r"(?P<repository>[A-Za-z0-9\[]([A-Za-z0-9._/:\[\]-]*?[A-Za-z0-9])??)(:(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?"
    r"(@(?P<digest>sha256:[0-9a-f]{64}))?"
)


class ImageRefused(Exception):
    """Words that name no image, or two."""


def operator_version(version: str, *, canary: bool) -> str:
    """Return the version that is asked for; empty for that of the package."""
    if canary and version:
        raise ImageRefused("--version and --canary cannot both be set")
    if version and not _TAG.fullmatch(version):
        raise ImageRefused(f'--version "{version}": no tag of an image')
    return CANARY if canary else version


def image_values(image: str, version: str, *, canary: bool) -> JsonObject:
    """Return `image` of the chart's values; empty if nothing is said of it."""
    values: JsonObject = {"pullPolicy": "Always"} if canary else {}
    if not image:
        return values
    found = _IMAGE.fullmatch(image)
    # What looks like a tag may be a port: registry:5000/whipstaff.
    if found is None:
        raise ImageRefused(f'--image "{image}": no name of an image')
    if version and (found["tag"] or found["digest"]):
        flag = "--canary" if canary else "--version"
        raise ImageRefused(f"--image names a version, and {flag} another: leave one out")
    parts = {key: text for key, text in found.groupdict().items() if text}
    return {**values, **parts}

"""sprig's paths, with slashes; the `os…` functions do the same, as Helm's do on Linux."""

from __future__ import annotations

from whipstaff.template.functions.registry import Function, GoType, function

FAMILY: dict[str, Function] = {}


@function("base", GoType.STRING)
@function("osBase", GoType.STRING)
def base(path: str) -> str:
    """The last element: `.` of an empty path, `/` of slashes alone."""
    if not path:
        return "."
    return path.rstrip("/").rpartition("/")[2] or "/"


@function("dir", GoType.STRING)
@function("osDir", GoType.STRING)
def directory(path: str) -> str:
    """All but the last element, cleaned."""
    before, slash, _ = path.rpartition("/")
    return clean(before + slash)


@function("ext", GoType.STRING)
@function("osExt", GoType.STRING)
def extension(path: str) -> str:
    """From the last dot of the last element on."""
    name = path.rpartition("/")[2]
    _, dot, suffix = name.rpartition(".")
    return dot + suffix if dot else ""


@function("clean", GoType.STRING)
@function("osClean", GoType.STRING)
def clean(path: str) -> str:
    """The shortest path of the same meaning."""
    rooted = path.startswith("/")
    kept: list[str] = []
    for element in path.split("/"):
        if element in {"", "."}:
            continue
        if element != "..":
            kept.append(element)
        elif kept and kept[-1] != "..":
            kept.pop()
        elif not rooted:
            kept.append(element)
    return ("/" if rooted else "") + "/".join(kept) or "."


@function("isAbs", GoType.STRING)
@function("osIsAbs", GoType.STRING)
def is_abs(path: str) -> bool:
    """Whether the path starts at the root."""
    return path.startswith("/")

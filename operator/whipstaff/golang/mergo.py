"""Merge maps as dario.cat/mergo 1.0.1 does, in place.

What mergo calls empty (nil, "", 0, false, and empty maps and lists) counts as not set in the
destination. Maps that are set on both sides merge in depth; a map or list that is taken over is
shared with its source, not copied.
"""

from collections.abc import Mapping, MutableMapping

from whipstaff.golang.values import GoObject, TypedMap


class MergeError(ValueError):
    """A value that mergo refuses to merge; the text is mergo's."""


class MergePanic(ValueError):
    """A value that reflection cannot put where mergo wants it; the text is Go's."""


def merge(target: MutableMapping[str, object], source: Mapping[str, object]) -> None:
    """Fill what is empty in `target` from `source`."""
    _merge(target, source, overwrite=False)


def merge_overwrite(target: MutableMapping[str, object], source: Mapping[str, object]) -> None:
    """Let what `source` has win, even an empty value."""
    _merge(target, source, overwrite=True)


def _merge(
    target: MutableMapping[str, object], source: Mapping[str, object], *, overwrite: bool
) -> None:
    # A source that is its own destination, or grows with it, is walked as it was.
    for key, value in tuple(source.items()):
        if value is None:
            if overwrite:
                target[key] = None
            continue
        missing = key not in target
        present = target.get(key) if not missing else None
        if _is_map(value):
            _merge_member(present, value, overwrite=overwrite)
            if _is_map(present) and present:
                continue
        elif _is_list(value):
            # mergo asks whether the whole destination map is empty, not this member.
            if overwrite or not target:
                target[key] = value
            elif missing or present is None:
                target[key] = type(value)()
            if present:
                continue
        if overwrite or missing or not present:
            if isinstance(target, TypedMap) and not isinstance(source, TypedMap):
                raise MergePanic(
                    "reflect.Value.SetMapIndex: value of type interface {} "
                    f"is not assignable to type {target.elem}"
                )
            target[key] = value


def _merge_member(present: object, value: object, *, overwrite: bool) -> None:
    if isinstance(present, MutableMapping) and isinstance(value, Mapping):
        _merge(present, value, overwrite=overwrite)
    elif isinstance(present, GoObject) and present.go_kind == "ptr" and not overwrite:
        raise MergeError("src and dst must be of same type")


def _is_map(value: object) -> bool:
    return isinstance(value, Mapping)


def _is_list(value: object) -> bool:
    return isinstance(value, list | bytes)

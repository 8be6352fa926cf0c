"""reflect.DeepEqual: equal values of the same Go type."""

from collections.abc import Mapping, Sequence

from whipstaff.golang.nil_values import is_nil
from whipstaff.golang.values import GoObject, type_name

_SCALARS = frozenset({str, int, bool, float, bytes, type(None)})


def deep_equal(left: object, right: object) -> bool:
    """Whether both are equal in depth and type; an int64 never equals an int, NaN never itself."""
    if type(left) in _SCALARS and type(right) in _SCALARS:
        return type(left) is type(right) and left == right
    if type_name(left) != type_name(right) or is_nil(left) != is_nil(right):
        return False
    if left is right:
        return True
    if isinstance(left, dict) and isinstance(right, dict):
        return _equal_maps(left, right)
    if isinstance(left, list) and isinstance(right, list):
        return _equal_lists(left, right)
    if isinstance(left, GoObject) and isinstance(right, GoObject):
        return _equal_objects(left, right)
    return left == right


def _equal_maps(left: Mapping[str, object], right: Mapping[str, object]) -> bool:
    return left.keys() == right.keys() and all(
        deep_equal(value, right[key]) for key, value in left.items()
    )


def _equal_lists(left: Sequence[object], right: Sequence[object]) -> bool:
    return len(left) == len(right) and all(map(deep_equal, left, right))


def _equal_objects(left: GoObject, right: GoObject) -> bool:
    fields, others = left.fields(), right.fields()
    if not fields and left.underlying() is None:
        return left == right
    return deep_equal(left.underlying(), right.underlying()) and all(
        deep_equal(getter(), others[name]()) for name, getter in fields.items()
    )

"""The size that no function's result may pass, checked before anything is allocated."""

from whipstaff.template.errors import LimitExceeded

MAX_ELEMENTS = 10_000_000  # of a list, or characters of a string


def check_size(size: int) -> None:
    """Refuse a result that would be larger; Helm itself would try, and end out of memory."""
    if size > MAX_ELEMENTS:
        raise LimitExceeded(f"result of {size} elements is larger than the limit of {MAX_ELEMENTS}")

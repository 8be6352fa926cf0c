"""The order in which Go's YAML libraries write the keys of a map."""

from collections.abc import Iterable
from functools import cmp_to_key


def natural_order(keys: Iterable[str], *, letters_after_digits: bool = False) -> list[str]:
    """Sort keys: digits by their number, letters after everything else.

    `letters_after_digits` is the newer library's order: after digits that both keys share, a letter
    comes first.
    """
    listed = sorted(keys)
    if all(key.isascii() and key.isalpha() for key in listed):
        return listed

    def compare(left: str, right: str) -> int:
        return _compare(left, right, letters_after_digits=letters_after_digits)

    return sorted(listed, key=cmp_to_key(compare))


def _compare(left: str, right: str, *, letters_after_digits: bool) -> int:
    """Compare two keys at their first difference."""
    at = next((i for i, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), None)
    if at is None:
        return len(left) - len(right)
    a, b = left[at], right[at]
    a_letter, b_letter = a.isalpha(), b.isalpha()
    if a_letter and b_letter:
        return -1 if a < b else 1
    if a_letter or b_letter:
        first = a_letter if letters_after_digits and left[at - 1 : at].isdecimal() else b_letter
        return -1 if first else 1
    # Digits that follow a number both keys share weigh in, so that leading zeros do not.
    significant = "0" in (a, b) and _ends_in_number(left[:at])
    a_end, a_number = _number_at(left, at, significant=significant)
    b_end, b_number = _number_at(right, at, significant=significant)
    if a_number != b_number:
        return -1 if a_number < b_number else 1
    if a_end != b_end:
        return a_end - b_end
    return -1 if a < b else 1


def _ends_in_number(text: str) -> bool:
    for character in reversed(text):
        if not character.isdecimal():
            return False
        if character != "0":
            return True
    return False


def _number_at(text: str, start: int, *, significant: bool) -> tuple[int, int]:
    """Read the digits from `start` on, after a 1 if `significant`; wrap as Go's int64 does."""
    number = 1 if significant else 0
    end = start
    while end < len(text) and text[end].isdecimal():
        number = number * 10 + ord(text[end]) - ord("0")
        end += 1
    number &= (1 << 64) - 1
    return end, number - (1 << 64) if number >> 63 else number

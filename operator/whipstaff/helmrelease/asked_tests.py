"""Read which tests somebody asks for: the annotations beside `whipstaff.dev/testAt`."""

import re
from collections.abc import Iterable
from dataclasses import replace

from whipstaff.errors import InvalidSpec
from whipstaff.helmrelease.actions import FILTERS_LIMIT, TEST_NAME, timeout_of
from whipstaff.helmrelease.fields import Fields
from whipstaff.helmrelease.names import TEST_FILTER, TEST_TIMEOUT
from whipstaff.helmrelease.types import HelmRelease, TestFilter, TestOptions

_EXCLUDED = re.compile(r"!\s?name=")


def asked_tests(release: HelmRelease) -> TestOptions:
    """Return which tests run and how long each may take: as `spec.test` where nothing is said.

    InvalidSpec names the annotation that says something odd.
    """
    options = release.spec.test
    given = {name: text for name, text in release.annotations.items() if text}
    if TEST_FILTER in given:
        texts = given[TEST_FILTER].split(",")
        filters = named(texts)
        if len(filters) != len(texts) or len(texts) > FILTERS_LIMIT:
            raise InvalidSpec(
                f"the annotation {TEST_FILTER} must be {FILTERS_LIMIT} of name=TEST and "
                "!name=TEST at most, with commas between them",
                TEST_FILTER,
            )
        options = replace(options, filters=filters)
    if TEST_TIMEOUT in given:
        try:
            seconds = timeout_of(Fields("", {"timeout": given[TEST_TIMEOUT]}), 0)
        except InvalidSpec as error:
            wanted = error.text.partition(" must be ")[2]
            text = f"the annotation {TEST_TIMEOUT} must be {wanted}"
            raise InvalidSpec(text, TEST_TIMEOUT) from error
        options = replace(options, timeout_seconds=seconds)
    return options


def named(texts: Iterable[str]) -> tuple[TestFilter, ...]:
    """Read filters as `helm test --filter` takes them; others are left out, as there."""
    found = []
    for text in texts:
        excluded = _EXCLUDED.match(text)
        name = text[excluded.end() :] if excluded else text.removeprefix("name=")
        told = excluded is not None or text.startswith("name=")
        if told and len(name) <= TEST_NAME.longest and TEST_NAME.pattern.fullmatch(name):
            found.append(TestFilter(name, exclude=excluded is not None))
    return tuple(found)

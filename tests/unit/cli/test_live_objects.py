"""The objects of a release, as `whipstaff status` looks for them."""

from types import SimpleNamespace

import click
import pytest

from whipstaff.cli.live_objects import LiveObjects


def test_a_manifest_that_is_no_yaml_is_refused_in_a_sentence():
    objects = LiveObjects(SimpleNamespace())
    with pytest.raises(click.ClickException, match=r"^error parsing : .*control characters"):
        objects.of("a: b\n# \x1b[2J\n", as_tables=False)

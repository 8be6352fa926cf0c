"""What a Secret holds is in no error, even where a template prints it into its own."""

import pytest

from whipstaff.errors import RenderFailed
from whipstaff.reconcile.masking import masked, masking


def test_secrets_are_masked_wherever_they_are_and_the_longest_first():
    assert masked("bad hunter22: hunter2", ["hunter2", "hunter22"]) == "bad ***: ***"


def test_an_error_keeps_its_kind_and_place():
    with pytest.raises(RenderFailed) as caught, masking(["hunter2"]):
        raise RenderFailed("a.yaml:3:1: hunter2 is too short", "blog", "a.yaml", 3)
    error = caught.value
    assert (error.text, error.template, error.line) == ("a.yaml:3:1: *** is too short", "a.yaml", 3)
    assert error.__cause__ is None


def test_other_errors_pass_as_they_are():
    error = RenderFailed("nothing secret")
    with pytest.raises(RenderFailed) as caught, masking(["hunter2"]):
        raise error
    assert caught.value is error

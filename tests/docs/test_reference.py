"""The reference of a HelmRelease's fields is what its definition says."""

from tools import reference


def test_the_tables_are_those_of_the_definition():
    text = reference.PAGE.read_text(encoding="utf-8")
    assert reference.page(text) == text, "run `make reference`"

"""The reference of each custom resource's fields is what its definition says."""

import pytest

from tools import reference


@pytest.mark.parametrize("path", reference.PAGES, ids=lambda path: path.stem)
def test_the_tables_are_those_of_the_definition(path):
    text = path.read_text(encoding="utf-8")
    assert reference.page(text, reference.PAGES[path]) == text, "run `make reference`"


def test_each_definition_has_a_page():
    definitions = set((reference.ROOT / "crds").glob("*.yaml"))
    assert set(reference.PAGES.values()) == definitions

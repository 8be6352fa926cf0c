"""The documentation's pages can be found, and links lead to headings that there are."""

import re
from pathlib import Path

import pytest

from tests.builders import pages

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
INDEX = DOCS / "README.md"
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "charts" / "whipstaff" / "README.md",
    *sorted(DOCS.rglob("*.md")),
]
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s#]*)#([^)\s]+)\)")


def anchors(page):
    text = FENCED.sub("", page.read_text(encoding="utf-8"))
    return {pages.anchor(heading) for heading in HEADING.findall(text)}


def test_the_index_names_every_page():
    named = set(pages.links(INDEX.read_text(encoding="utf-8")))
    assert {page.name for page in DOCS.glob("*.md")} - {INDEX.name} <= named


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page):
    text = page.read_text(encoding="utf-8")
    assert [link for link in pages.links(text) if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_into_a_page_leads_to_a_heading(page):
    found = LINK.findall(page.read_text(encoding="utf-8"))
    inside = [(path, anchor) for path, anchor in found if "://" not in path]
    links = [(page.parent / path if path else page, anchor) for path, anchor in inside]
    assert [f"{to}#{anchor}" for to, anchor in links if anchor not in anchors(to)] == []

import pytest

from whipstaff.chart.ignore import Rules, without_ignored
from whipstaff.chart.model import File
from whipstaff.errors import ChartInvalid


@pytest.mark.parametrize(
    ("rule", "path", "ignored"),
    [
        ("helm.txt", "helm.txt", True),
        ("helm.*", "helm.txt", True),
        ("helm.*", "rudder.txt", False),
        ("*.txt", "tiller.txt", True),
        ("*.txt", "cargo/a.txt", True),
        ("cargo/*.txt", "cargo/a.txt", True),
        ("cargo/*.*", "cargo/a.txt", True),
        ("cargo/*.txt", "mast/a.txt", False),
        ("ru[c-e]?er.txt", "rudder.txt", True),
        (".*", ".joonix", True),
        (".*", "helm.txt", False),
        ("helm.txt/", "helm.txt", False),
        ("!helm.txt", "helm.txt", False),
        ("!helm.txt", "tiller.txt", True),
        ("!*.txt", "cargo", True),
        ("/a.txt", "a.txt", True),
        ("/a.txt", "cargo/a.txt", False),
        ("/cargo/a.txt", "cargo/a.txt", True),
        ("# a comment", "# a comment", False),
        ("  spaced.txt  ", "spaced.txt", True),
        ("[^a].txt", "b.txt", True),
        ("[^a].txt", "a.txt", False),
        (r"\*.txt", "*.txt", True),
        (r"\*.txt", "a.txt", False),
        ("", "templates/.hidden", True),
        ("", "other/.hidden", False),
    ],
)
def test_a_rule_ignores_what_helm_ignores(rule, path, ignored):
    assert Rules.parse(rule.encode()).ignore(path) is ignored


@pytest.mark.parametrize(
    ("rule", "folder", "ignored"),
    [("cargo/", "cargo", True), ("cargo/", "mast", False), ("!cargo/", "mast", True)],
)
def test_a_rule_with_a_slash_at_its_end_is_about_folders(rule, folder, ignored):
    assert Rules.parse(rule.encode()).ignore(folder, folder=True) is ignored


@pytest.mark.parametrize("rule", ["foo/**/bar", "[z-", "[", "[]", "a[b", "\\"])
def test_a_rule_that_cannot_be_read_is_refused(rule):
    with pytest.raises(ChartInvalid):
        Rules.parse(rule.encode())


def test_an_ignored_folder_takes_its_content_with_it():
    files = [
        File(".helmignore", b"\xef\xbb\xbfdocs/\n"),
        File("docs/a/b.md", b""),
        File("a.md", b""),
    ]
    assert [file.name for file in without_ignored(files)] == [".helmignore", "a.md"]


def test_ten_thousand_rules_are_enough():
    with pytest.raises(ChartInvalid, match="10000"):
        Rules.parse(b"x\n" * 10_001)

import pytest

from whipstaff.chart.files import Files
from whipstaff.chart.model import File


@pytest.fixture
def files():
    return Files.of(
        [
            File("conf/a.txt", b"one\ntwo\n"),
            File("conf/b.bin", b"\xff\x00"),
            File("top.txt", b"x"),
            File("empty", b""),
        ]
    )


def test_a_file_is_text_or_bytes(files):
    assert files.text("top.txt") == "x"
    assert files.content("conf/b.bin") == b"\xff\x00"
    assert files.text("conf/b.bin") == "\udcff\x00"


@pytest.mark.parametrize("name", ["gone", "../../etc/passwd", "/etc/passwd", "conf", ""])
def test_what_is_not_in_the_chart_is_empty(files, name):
    assert files.text(name) == ""
    assert files.content(name) == b""
    assert files.lines(name) == []


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("conf/*", ["conf/a.txt", "conf/b.bin"]),
        ("**.txt", ["conf/a.txt", "top.txt"]),
        ("*.md", []),
        ("[", ["conf/a.txt", "conf/b.bin", "empty", "top.txt"]),
    ],
)
def test_a_pattern_selects_files(files, pattern, names):
    assert sorted(files.glob(pattern).underlying()) == names


def test_lines_lose_one_newline_at_the_end(files):
    assert files.lines("conf/a.txt") == ["one", "two"]


def test_files_become_the_data_of_a_config_map_or_secret(files):
    assert files.glob("conf/a*").as_config() == "a.txt: |\n  one\n  two"
    assert files.glob("conf/*").as_secrets() == "a.txt: b25lCnR3bwo=\nb.bin: /wA="

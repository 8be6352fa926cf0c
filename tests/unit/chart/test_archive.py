import gzip
import io
import tarfile

import pytest

from tests.builders.charts import CHART_YAML, packed, packed_raw
from whipstaff.chart import archive
from whipstaff.errors import (
    ChartInvalid,
    ChartPathIllegal,
    ChartTooDeep,
    ChartTooLarge,
    OperatorError,
)

PARENT = "chart illegally references parent directory"
OUTSIDE = "chart illegally contains content outside the base directory"
ABSOLUTE = "chart illegally contains absolute paths"
ILL_NAMED = "chart contains illegally named files"


def test_a_chart_comes_out_of_its_archive():
    chart = archive.load(
        packed(
            {
                "Chart.yaml": CHART_YAML.format(name="demo"),
                "values.yaml": "a: 1\n",
                "templates/x.yaml": "kind: X\n",
                "crds/c.yaml": "kind: CustomResourceDefinition\n",
                "README.md": "hello",
            }
        )
    )
    assert chart.name == "demo"
    assert chart.values == {"a": 1.0}
    assert [file.name for file in chart.templates] == ["templates/x.yaml"]
    assert [file.name for file in chart.files] == ["crds/c.yaml", "README.md"]
    assert [crd.path for crd in chart.placed().crds()] == ["demo/crds/c.yaml"]
    assert chart.templates[0].modified == "2023-11-14T22:13:20Z"


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("../../malformed-helm-test", PARENT),
        ("/foo/../../malformed-helm-test", PARENT),
        ("/../../malformed-helm-test", PARENT),
        ("./../../malformed-helm-test", PARENT),
        ("\\..\\..\\foo", PARENT),
        ("./.", OUTSIDE),
        ("/./.", OUTSIDE),
        ("missing-leading-slash", OUTSIDE),
        ("//foo", ABSOLUTE),
        ("///foo", ABSOLUTE),
        ("\\\\foo", ABSOLUTE),
        ("\\\\?\\Some\\windows\\magic", ABSOLUTE),
        ("\\.\\c:\\\\foo", ILL_NAMED),
        ("/./c://foo", ILL_NAMED),
        ("demo/c:/foo", ILL_NAMED),
        ("demo/../../etc/passwd", PARENT),
    ],
)
def test_a_path_out_of_the_chart_is_refused_in_helms_words(path, message):
    with pytest.raises(ChartPathIllegal) as refused:
        archive.load(packed_raw((path, "x")))
    assert str(refused.value).startswith(message)
    assert refused.value.reason == "ChartPathIllegal"


@pytest.mark.parametrize("path", ["/missing-leading-slash", "demo/templates/a.yaml"])
def test_an_archive_without_chart_yaml_is_no_chart(path):
    with pytest.raises(ChartInvalid, match=r"^Chart\.yaml file is missing$"):
        archive.load(packed_raw((path, "x")))


def test_chart_yaml_at_the_top_of_the_archive_is_refused():
    with pytest.raises(ChartInvalid, match="chart yaml not in base directory"):
        archive.load(packed_raw(("Chart.yaml/x", "x")))


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        pytest.param(b"", "empty", id="nothing"),
        pytest.param(b"<!DOCTYPE html><p>Sign in", "text/html", id="a web page"),
        pytest.param(b"apiVersion: v2\n", "text/plain", id="YAML"),
        pytest.param(b"PK\x03\x04\x00\x00", "application/octet-stream", id="another archive"),
    ],
)
def test_what_is_no_gzip_archive_is_named(data, kind):
    with pytest.raises(ChartInvalid) as refused:
        archive.load(data)
    assert str(refused.value) == f"not a gzip archive ({kind})"


WHOLE = packed({"Chart.yaml": CHART_YAML.format(name="demo"), "big": bytes(range(256)) * 400})


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(gzip.compress(b""), id="an empty gzip"),
        pytest.param(WHOLE[:-200], id="truncated"),
        pytest.param(WHOLE[:-6] + b"\0\0" + WHOLE[-4:], id="a wrong checksum"),
        pytest.param(WHOLE + b"garbage", id="trailing garbage"),
        pytest.param(WHOLE[:3], id="a header alone"),
        pytest.param(gzip.compress(b"\x01" * 2000), id="no tar inside"),
    ],
)
def test_a_broken_archive_is_refused(data):
    with pytest.raises(ChartInvalid):
        archive.load(data)


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(tarfile.SYMTYPE, id="symbolic link"),
        pytest.param(tarfile.LNKTYPE, id="hard link"),
        pytest.param(tarfile.CHRTYPE, id="device"),
        pytest.param(tarfile.FIFOTYPE, id="fifo"),
    ],
)
def test_only_regular_files_are_taken(kind):
    link = tarfile.TarInfo("demo/Chart.lock")
    link.type = kind
    link.linkname = "/etc/passwd"
    with pytest.raises(ChartInvalid, match="regular file"):
        archive.load(packed_raw(("demo/Chart.yaml", CHART_YAML.format(name="demo")), link))


def test_a_file_that_comes_twice_is_ambiguous():
    chart_yaml = ("demo/Chart.yaml", CHART_YAML.format(name="demo"))
    with pytest.raises(ChartInvalid, match="twice") as refused:
        archive.load(packed_raw(chart_yaml, chart_yaml))
    assert refused.value.where == "Chart.yaml"


def test_a_file_over_five_mebibytes_is_refused():
    with pytest.raises(ChartTooLarge, match="maximum file size 5242880"):
        archive.load(packed({"big": bytes((5 << 20) + 1)}))


def test_more_than_a_hundred_mebibytes_are_refused():
    parts = {f"part-{number}": bytes(5 << 20) for number in range(21)}
    with pytest.raises(ChartTooLarge):
        archive.load(packed(parts))


def test_more_than_ten_thousand_files_are_refused():
    with pytest.raises(ChartTooLarge, match="10000 files"):
        archive.load(packed({f"f{number}": b"" for number in range(10_001)}))


def test_archives_inside_share_the_budget_of_the_outermost():
    inner = packed({"Chart.yaml": CHART_YAML.format(name="sub"), "a": bytes(4 << 20)}, top="sub")
    outer = packed(
        {
            "Chart.yaml": CHART_YAML.format(name="demo"),
            **{f"charts/sub-{number}.tgz": inner for number in range(26)},
        }
    )
    with pytest.raises(ChartTooLarge):
        archive.load(outer)


def test_archives_inside_archives_end_somewhere():
    data = packed({"Chart.yaml": CHART_YAML.format(name="c")}, top="c")
    for _ in range(archive.MAX_NESTING):
        data = packed({"Chart.yaml": CHART_YAML.format(name="c"), "charts/c.tgz": data}, top="c")
    with pytest.raises(ChartTooDeep):
        archive.load(data)


def test_a_sparse_file_is_refused():
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT) as tar:
        info = tarfile.TarInfo("demo/Chart.yaml")
        info.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0"}
        info.size = 512
        tar.addfile(info, io.BytesIO(b"1\n0\n9\n".ljust(512, b"\0")))
    with pytest.raises(OperatorError):
        archive.load(gzip.compress(plain.getvalue()))


def test_a_byte_order_mark_is_dropped():
    files = archive.members(packed({"values.yaml": b"\xef\xbb\xbfa: 1\n"}))
    assert files[0].data == b"a: 1\n"

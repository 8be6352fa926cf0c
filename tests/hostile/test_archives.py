"""Archives that are none, that climb, that lie about their size."""

import gzip
import io
import tarfile

import pytest

from tests.builders.charts import packed, packed_raw
from tests.builders.echo_chart import a_request
from tests.builders.hostile_charts import HEAD, MEBIBYTE, a_chart, incompressible, nothing
from whipstaff.errors import (
    ChartIntegrity,
    ChartInvalid,
    ChartPathIllegal,
    ChartTooDeep,
    ChartTooLarge,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

WHOLE = a_chart("a: " + incompressible(2_000))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        pytest.param(b"", r"not a gzip archive \(empty\)", id="an empty file"),
        pytest.param(b"<html>Sign in", r"not a gzip archive \(text/html\)", id="a web page"),
        pytest.param(b"apiVersion: v2\n", r"not a gzip archive \(text/plain\)", id="YAML"),
        pytest.param(gzip.compress(b""), "broken tar archive", id="a gzip of nothing"),
        pytest.param(WHOLE[:-100], "broken gzip archive after byte", id="truncated"),
        pytest.param(WHOLE[:-6] + b"\0\0" + WHOLE[-4:], "CRC check failed", id="a wrong checksum"),
        pytest.param(WHOLE + b"garbage", "broken gzip archive after byte", id="trailing garbage"),
    ],
)
async def test_what_is_no_archive_is_named(guard, refused, data, why):
    await refused(guard.inspect(data), ChartInvalid, why)


async def test_of_two_archives_in_one_file_the_first_is_the_chart_as_in_helm(guard):
    other = a_chart(**{"Chart.yaml": "apiVersion: v2\nname: other\nversion: 9.9.9\n"})
    assert await guard.inspect(WHOLE + other) == ("echo", "1.0.0")


async def test_names_that_differ_in_case_are_two_files_as_in_helm(guard):
    # Nothing is ever written to a file system, where they might be one.
    head = "apiVersion: v2\nname: other\nversion: 9.9.9\n"
    data = a_chart(**{"chart.yaml": head, "VALUES.yaml": "- a list"})
    assert await guard.inspect(data) == ("echo", "1.0.0")


async def test_an_archive_that_was_exchanged_shows_both_digests(guard, refused, tmp_path):
    request = a_request(tmp_path, a_chart())
    (tmp_path / "echo.tgz").write_bytes(WHOLE)
    job = guard.pool.render(request, nothing)
    await refused(job, ChartIntegrity, rf"sha256:\w+, not {request.chart.digest}")


# Helm's own vectors of pkg/chart/loader/archive: TestLoadInvalidArchive.
@pytest.mark.parametrize(
    ("name", "error", "why"),
    [
        ("illegal-dots/../../malformed-helm-test", ChartPathIllegal, "parent directory"),
        ("illegal-dots/../../a/..\\..\\b", ChartPathIllegal, "illegally"),
        ("illegal-dots2/..\\..\\malformed", ChartPathIllegal, "illegally"),
        ("/foo", ChartInvalid, "Chart.yaml file is missing"),
        ("foo/..", ChartPathIllegal, "illegally"),
        ("foo//bar", ChartPathIllegal, "absolute paths"),
        ("foo/c:/bar", ChartPathIllegal, "illegally named files"),
        ("foo\\c:\\bar", ChartPathIllegal, "illegally named files"),
        ("foo/.", ChartPathIllegal, "outside the base directory"),
        ("foo", ChartPathIllegal, "outside the base directory"),
        ("Chart.yaml/x", ChartInvalid, "not in base directory"),
    ],
)
async def test_no_path_leaves_the_chart(guard, refused, name, error, why):
    await refused(guard.inspect(packed_raw((name, "x"))), error, why)


@pytest.mark.parametrize(
    "kind",
    [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE],
    ids=["symbolic link", "hard link", "character device", "block device", "fifo"],
)
async def test_only_regular_files_are_read(guard, refused, kind):
    member = tarfile.TarInfo("echo/Chart.lock")
    member.type = kind
    member.linkname = "/etc/passwd"
    data = packed_raw(("echo/Chart.yaml", HEAD), member)
    await refused(guard.inspect(data), ChartInvalid, "something else than a regular file")


async def test_a_header_that_lies_about_the_size_is_refused(guard, refused):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        member = tarfile.TarInfo("echo/Chart.yaml")
        member.pax_headers = {"size": "99999999999"}
        tar.addfile(member, io.BytesIO(b""))
    data = gzip.compress(buffer.getvalue())
    await refused(guard.inspect(data), ChartTooLarge, "larger than the maximum size")


async def test_a_negative_size_does_not_loop(guard, refused):
    header = bytearray(tarfile.TarInfo("echo/x").tobuf())
    header[124:136] = b"\xff" * 12
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    await refused(
        guard.inspect(gzip.compress(bytes(header) + bytes(1024))), ChartInvalid, "Chart.yaml"
    )


async def test_a_file_that_comes_twice_is_ambiguous(guard, refused):
    data = packed_raw(("echo/Chart.yaml", HEAD), ("echo/Chart.yaml", HEAD))
    await refused(guard.inspect(data), ChartInvalid, "twice")


@pytest.mark.parametrize(
    ("data", "why"),
    [
        pytest.param(
            lambda: packed_raw(*((f"echo/{i}", "") for i in range(10_001))),
            "more than 10000 files",
            id="members",
        ),
        pytest.param(
            lambda: a_chart(big=incompressible(64 << 10) * 81),
            "maximum file size 5242880",
            id="a file of five mebibytes",
        ),
        pytest.param(
            lambda: a_chart(**{f"f/{i}": incompressible(64 << 10) * 64 for i in range(13)}),
            "more than|larger than",
            id="many large files",
        ),
        pytest.param(
            lambda: gzip.compress(bytes(200 * MEBIBYTE)),
            "200 times its archive|maximum size",
            id="a bomb",
        ),
        pytest.param(
            lambda: a_chart(**{"charts/a.tgz": gzip.compress(bytes(200 * MEBIBYTE))}),
            "200 times its archive|maximum size",
            id="a bomb inside",
        ),
    ],
)
async def test_too_large_an_archive_names_the_limit(guard, refused, data, why):
    await refused(guard.inspect(data()), ChartTooLarge, why)


@pytest.mark.parametrize("form", ["archives", "folders"])
async def test_charts_inside_charts_end_somewhere(guard, refused, form):
    if form == "archives":
        data = a_chart()
        for _ in range(50):
            data = a_chart(**{"charts/echo.tgz": data})
    else:
        data = packed({"charts/echo/" * depth + "Chart.yaml": HEAD for depth in range(50)}, "echo")
    await refused(guard.inspect(data), ChartTooDeep, "nested deeper than 20")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        (".", '"." is not allowed'),
        ("..", '".." is not allowed'),
        ("a/b", '"a/b" is invalid'),
        ("a" * 300, "chart.metadata.name"),
        ("''", "name is required"),
        ("[a]", "name"),
        ("{a: b}", "name"),
    ],
    ids=["here", "above", "a path", "long", "empty", "a list", "a table"],
)
async def test_a_name_that_is_a_path_is_refused(guard, refused, name, why):
    data = a_chart(**{"Chart.yaml": f"apiVersion: v2\nname: {name}\nversion: 1.0.0\n"})
    await refused(guard.inspect(data), ChartInvalid, why)


async def test_control_characters_of_the_metadata_go_nowhere(guard):
    head = 'apiVersion: v2\nname: "a\\e[31mb"\nversion: 1.0.0\n'
    name, _ = await guard.inspect(a_chart(**{"Chart.yaml": head}))
    assert name.isprintable()


async def test_of_two_equal_keys_of_the_metadata_the_last_one_counts_as_in_helm(guard):
    data = a_chart(**{"Chart.yaml": f"{HEAD}version: 2.0.0\n"})
    assert await guard.inspect(data) == ("echo", "2.0.0")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("version: 1.x", "version"),
        ("apiVersion: v9", "unsupported chart version"),
        ("type: other", "type"),
        ("annotations: " + "{a: " * 5_000 + "}" * 5_000, "exceeded max depth"),
        ("keywords: {a: b}", "keywords"),
        ("maintainers: [null]", "maintainers"),
        ("dependencies: [null]", "dependencies"),
        ('dependencies: [{name: a, version: "1", alias: "a\\n/b"}]', "alias"),
    ],
    ids=lambda text: text[:24],
)
async def test_wrong_metadata_says_which(guard, refused, line, why):
    key = line.partition(":")[0]
    kept = [one for one in HEAD.splitlines() if not one.startswith(f"{key}:")]
    data = a_chart(**{"Chart.yaml": "\n".join([*kept, line, ""])})
    await refused(guard.render(data), ChartInvalid, why)

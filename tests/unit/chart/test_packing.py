"""Archives that are the same wherever they are made."""

import gzip
import hashlib
import io
import tarfile

import pytest

from tests.builders.charts import a_chart
from whipstaff.chart import archive, packing
from whipstaff.errors import ChartInvalid

FILES = {
    "Chart.yaml": "apiVersion: v2\nname: demo\nversion: 1.0.0\n# a comment\nicon: i\n",
    "values.yaml": "# how many\nreplicas: 1\n",
    "values.schema.json": "{}",
    "templates/a.yaml": "a: b\n",
    "README.md": "read me\n",
    "charts/db/Chart.yaml": "apiVersion: v2\nname: db\nversion: 2.0.0\n",
    "charts/db/values.yaml": "# of db\nx: 1\n",
}

# Of the archive of FILES, before it is compressed.
DIGEST = "f39cc4a15208228d6e36b4bf27934d94aa26a0c230ae6fefaa890898fe48cddc"


def members(data):
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return list(tar)


def test_the_bytes_are_those_of_every_other_day_and_machine():
    packed = packing.pack(a_chart(FILES))
    plain = gzip.decompress(packed)
    # Of the uncompressed archive: libraries differ in how they compress.
    assert hashlib.sha256(plain).hexdigest() == DIGEST
    assert packed[4:8] == bytes(4), "no time in the header of gzip"
    assert packed == packing.pack(a_chart(FILES))


def test_no_member_tells_who_packed_it_and_when():
    found = {
        (one.mtime, one.uid, one.gid, one.uname, one.gname, one.mode)
        for one in members(packing.pack(a_chart(FILES)))
    }
    assert found == {(packing.MODIFIED_SECONDS, 0, 0, "", "", 0o644)}


def test_another_time_is_taken_if_someone_sets_one():
    found = {one.mtime for one in members(packing.pack(a_chart(FILES), 1_700_000_000))}
    assert found == {1_700_000_000}


def test_what_is_packed_is_what_is_loaded():
    chart = a_chart(FILES)
    found = archive.load(packing.pack(chart))
    assert found.metadata == chart.metadata
    assert found.raw_values == b"# how many\nreplicas: 1\n"
    assert [one.raw_values for one in found.subcharts] == [b"# of db\nx: 1\n"]
    assert packing.pack(found) == packing.pack(chart)


def test_a_long_path_is_kept():
    name = f"files/{'x' * 150}/{'y' * 150}"
    found = archive.load(packing.pack(a_chart({**FILES, name: "z"})))
    assert name in {file.name for file in found.files}


def test_the_dependencies_of_a_chart_of_version_1_stay_in_their_file():
    chart = a_chart(
        {
            "Chart.yaml": "apiVersion: v1\nname: demo\nversion: 1.0.0\n",
            "requirements.yaml": "dependencies: [{name: db, version: 1.x.x}]\n",
            "requirements.lock": "digest: d\n",
        }
    )
    found = archive.load(packing.pack(chart))
    names = [one.name for one in members(packing.pack(chart))]
    assert names == ["demo/Chart.yaml", "demo/requirements.yaml", "demo/requirements.lock"]
    assert packing.chartfile_text(chart.metadata) != b""
    assert found.metadata.dependencies == chart.metadata.dependencies


def test_a_schema_that_is_no_json_is_not_packed():
    with pytest.raises(ChartInvalid, match=r"invalid JSON in values\.schema\.json"):
        packing.pack(a_chart({**FILES, "values.schema.json": "{"}))


@pytest.mark.parametrize("version", ["1.2.3", "0.0.0-rc.1+build.7"])
def test_versions_of_semver_2_are_accepted(version):
    packing.check_version(version)


@pytest.mark.parametrize("version", ["1.2", "v1.2.3", "01.2.3", "1.2.3-01"])
def test_other_versions_are_refused(version):
    with pytest.raises(ChartInvalid) as caught:
        packing.check_version(version)
    assert caught.value.where == "Chart.yaml: version"

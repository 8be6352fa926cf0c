import os

import pytest

from tests.builders.charts import a_chart, packed
from whipstaff.chart import rendering
from whipstaff.chart.capabilities import (
    DEFAULT_API_VERSIONS,
    APIVersions,
    Capabilities,
    KubeVersion,
)
from whipstaff.template import definitions
from whipstaff.template.scope import RenderScope
from whipstaff.workers.compiled import CompiledCharts
from whipstaff.workers.rendering import Charts

DIGEST = "sha256:" + "0" * 64
CHART = a_chart({"templates/a.yaml": "a: 1\n", "values.yaml": "a: {b: 1}"})


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "compiled"


@pytest.fixture
def kept(folder):
    found = CompiledCharts(folder)
    found.store_code(DIGEST, b"code")
    return found


def only_file(folder):
    [path] = folder.iterdir()
    return path


def test_what_was_stored_is_found(kept):
    assert kept.find_code(DIGEST) == b"code"


def test_a_chart_is_found_as_it_was_without_its_code(kept):
    kept.store(DIGEST, CHART)
    assert kept.find(DIGEST) == CHART


def test_another_chart_is_not_found(kept):
    assert kept.find_code("sha256:" + "1" * 64) is None


def test_what_another_version_of_the_operator_wrote_is_not_found(kept, monkeypatch):
    monkeypatch.setattr("whipstaff.workers.compiled._version", lambda: "another")
    assert kept.find_code(DIGEST) is None


def test_folder_and_files_are_closed_to_others(kept, folder):
    assert folder.stat().st_mode & 0o777 == 0o700
    assert only_file(folder).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o755], ids=["group", "others", "readable"])
def test_a_folder_that_is_open_to_others_is_ignored(kept, folder, mode):
    folder.chmod(mode)
    before = only_file(folder).read_bytes()
    kept.store_code(DIGEST, b"other code")
    assert kept.find_code(DIGEST) is None
    assert only_file(folder).read_bytes() == before


def test_a_file_that_is_open_to_others_is_ignored(kept, folder):
    only_file(folder).chmod(0o620)
    assert kept.find_code(DIGEST) is None


def test_what_belongs_to_another_user_is_ignored(kept, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert kept.find_code(DIGEST) is None


def test_a_link_in_place_of_the_folder_is_ignored(kept, folder):
    elsewhere = folder.with_name("elsewhere")
    folder.rename(elsewhere)
    folder.symlink_to(elsewhere)
    assert kept.find_code(DIGEST) is None


def test_a_link_in_place_of_a_file_is_ignored(kept, folder):
    path = only_file(folder)
    elsewhere = folder.with_name("elsewhere")
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    assert kept.find_code(DIGEST) is None


def test_a_pipe_in_place_of_a_file_is_ignored_at_once(kept, folder):
    path = only_file(folder)
    path.unlink()
    os.mkfifo(path, 0o600)
    assert kept.find_code(DIGEST) is None


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda data: b"", id="empty"),
        pytest.param(lambda data: data[:-1], id="cut off"),
        pytest.param(lambda data: data[:-1] + bytes([data[-1] ^ 1]), id="one bit"),
        pytest.param(lambda data: bytes(len(data)), id="zeros"),
    ],
)
def test_a_corrupt_file_is_ignored_and_written_anew(kept, folder, spoil):
    path = only_file(folder)
    path.write_bytes(spoil(path.read_bytes()))
    assert kept.find_code(DIGEST) is None
    kept.store_code(DIGEST, b"code")
    assert kept.find_code(DIGEST) == b"code"


def test_a_kill_while_writing_is_harmless(kept, folder, monkeypatch):
    class Killed(BaseException):
        pass

    def killed(*_, **__):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", killed)
        with pytest.raises(Killed):
            kept.store_code(DIGEST, b"newer code")
    assert kept.find_code(DIGEST) == b"code"
    kept.store_code(DIGEST, b"newest code")
    assert kept.find_code(DIGEST) == b"newest code"
    assert only_file(folder)


def test_what_a_dead_process_left_goes_in_the_end(kept, folder):
    left = folder / ".part-1"
    left.write_bytes(b"half")
    os.utime(left, (1, 1))
    kept.store_code(DIGEST, b"code")
    assert not left.exists()


def test_the_least_recently_used_goes_first(folder):
    first, second, third = (f"sha256:{number:064}" for number in range(3))
    CompiledCharts(folder).store_code(first, b"x" * 1000)
    kept = CompiledCharts(folder, bytes_limit=2 * only_file(folder).stat().st_size)
    kept.store_code(second, b"x" * 1000)
    for path in folder.iterdir():
        os.utime(path, (1, 1))
    assert kept.find_code(first)
    kept.store_code(third, b"x" * 1000)
    assert [bool(kept.find_code(one)) for one in (first, second, third)] == [True, False, True]


def test_what_would_not_fit_is_not_kept(folder):
    kept = CompiledCharts(folder, bytes_limit=100)
    kept.store_code(DIGEST, b"x" * 1000)
    assert kept.find_code(DIGEST) is None


def test_a_folder_that_cannot_be_made_is_no_error(tmp_path):
    kept = CompiledCharts(tmp_path / "absent" / "compiled")
    kept.store_code(DIGEST, b"code")
    assert kept.find_code(DIGEST) is None


# -- as the worker uses it -----------------------------------------------------------------------

TEMPLATES = {
    "templates/a.yaml": '{{ include "name" . }}\n',
    "templates/_helpers.tpl": '{{ define "name" }}a: {{ .Values.a }}{{ end }}',
    "values.yaml": "a: 1\n",
    "Chart.yaml": "apiVersion: v2\nname: demo\nversion: 1.0.0\n",
}
NO_EFFECTS = RenderScope(effects=None)
CAPABILITIES = Capabilities(KubeVersion.parse("1.36.0"), APIVersions(DEFAULT_API_VERSIONS))


def render(chart):
    return rendering.render(
        chart, {}, rendering.ReleaseInfo("demo", "prod"), CAPABILITIES, NO_EFFECTS
    )


def after_a_restart():
    rendering._engine.cache_clear()


@pytest.fixture
def stored(tmp_path, folder):
    """The archive's path and digest, after a worker rendered the chart once and ended."""
    after_a_restart()
    path = tmp_path / "chart.tgz"
    path.write_bytes(packed(TEMPLATES))
    charts = Charts(1 << 20, CompiledCharts(folder))
    chart = charts.load(str(path))
    [digest] = charts._charts
    charts.keep(digest, render(chart).chart)
    after_a_restart()
    return path, digest


def test_a_known_chart_is_neither_read_nor_compiled_again(stored, folder, monkeypatch):
    path, digest = stored
    path.unlink()
    monkeypatch.setattr(definitions.Source, "trees", None)
    monkeypatch.setattr(definitions, "compile_body", None)
    chart = Charts(1 << 20, CompiledCharts(folder)).load(str(path), digest)
    assert render(chart).manifest == "---\n# Source: demo/templates/a.yaml\na: 1\n\n"


def test_what_is_known_is_not_written_again(stored, folder):
    path, digest = stored
    before = [path.stat().st_ino for path in sorted(folder.iterdir())]
    charts = Charts(1 << 20, CompiledCharts(folder))
    charts.keep(digest, render(charts.load(str(path), digest)).chart)
    assert [path.stat().st_ino for path in sorted(folder.iterdir())] == before


def test_a_spoilt_cache_costs_time_alone(stored, folder):
    path, digest = stored
    for spoilt in folder.iterdir():
        spoilt.write_bytes(b"nonsense")
    chart = Charts(1 << 20, CompiledCharts(folder)).load(str(path), digest)
    assert render(chart).manifest == "---\n# Source: demo/templates/a.yaml\na: 1\n\n"

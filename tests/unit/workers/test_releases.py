"""What a worker remembers of releases has a bound, and is of use."""

import hashlib

from tests.builders.echo_chart import echo_archive
from tests.unit.chart.test_incremental import Begun, a_map, a_scope
from whipstaff.workers import rendering
from whipstaff.workers.rendering import Charts, Releases

PLAIN = a_map("plain", "{{ .Release.Name }}{{ .Values.a }}")
REVISION = a_map("r", "{{ .Release.Revision }}")


def an_order(folder, name="web", **changes):
    data = echo_archive(
        **{"templates/objects.yaml": "", "templates/NOTES.txt": ""},
        **{
            "templates/plain.yaml": f"apiVersion: v1\n{PLAIN}",
            "templates/revision.yaml": f"apiVersion: v1\n{REVISION}",
        },
    )
    path = folder / "echo.tgz"
    path.write_bytes(data)
    facts = {
        "path": str(path),
        "digest": f"sha256:{hashlib.sha256(data).hexdigest()}",
        "values": {"a": 1},
        "release_name": name,
        "namespace": "prod",
        "revision": 2,
        "is_upgrade": True,
        "current": {
            "revision": 1,
            "is_upgrade": False,
            "manifest_digest": "other",
            "crds_digest": "",
        },
        "namespace_in_manifest": False,
        "kube_version": "v1.36.0",
        "api_versions": ["v1"],
        "post_rendering": None,
        "skip_schema_validation": False,
        "generated": None,
        "charts_with_values": [],
        "whole_numbers": [],
    }
    return facts | changes


def ran_for(releases, charts, order):
    ran = Begun()
    rendering.render(charts, releases, a_scope(ran), order)
    return [name for name in ran if name not in {"objects", "NOTES.txt"}]


def test_the_second_revision_of_one_upgrade_runs_only_who_reads_it(tmp_path):
    ran = ran_for(Releases(), Charts(1 << 20), an_order(tmp_path))
    assert ran == ["revision", "plain", "revision"]


def test_a_change_of_values_runs_only_who_reads_it(tmp_path):
    releases, charts = Releases(), Charts(1 << 20)
    order = an_order(tmp_path, current=None)
    assert ran_for(releases, charts, order) == ["revision", "plain"]
    assert ran_for(releases, charts, {**order, "values": {"a": 2}}) == ["plain"]


def test_the_release_asked_for_longest_ago_is_forgotten(tmp_path):
    charts = Charts(1 << 20)
    size = Releases()
    order = an_order(tmp_path, current=None)
    ran_for(size, charts, order)
    releases = Releases(bytes_limit=2 * size.take(order).bytes_held)
    for name in ("one", "two", "six"):
        ran_for(releases, charts, {**order, "release_name": name})
    assert ran_for(releases, charts, {**order, "release_name": "six"}) == []
    assert ran_for(releases, charts, {**order, "release_name": "one"}) != []


def test_a_release_too_large_is_not_remembered(tmp_path):
    charts, releases = Charts(1 << 20), Releases(bytes_limit=1)
    order = an_order(tmp_path, current=None)
    assert ran_for(releases, charts, order) == ran_for(releases, charts, order) != []

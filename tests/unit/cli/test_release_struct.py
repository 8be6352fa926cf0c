"""Releases as templates of `get all --template` see them; tests/cluster has helm beside."""

import base64

import pytest
from click import ClickException

from whipstaff.cli.release_struct import rendered
from whipstaff.release.stored import StoredRelease

RECORD = {
    "name": "blog",
    "namespace": "shop",
    "version": 3,
    "config": {"a": 1},
    "info": {"status": "deployed", "last_deployed": "2026-11-21T10:00:00Z"},
    "chart": {
        "metadata": {"name": "x", "version": "1.0.0", "keywords": ["k"], "annotations": {"b": "c"}},
        "templates": [{"name": "a.yaml", "data": base64.b64encode(b"kind: X").decode()}],
    },
    "hooks": [{"name": "h", "events": ["test"], "weight": -1, "last_run": {"phase": "Succeeded"}}],
}
ONE = StoredRelease(RECORD, {"owner": "helm"}, "shop")


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{.Release.Name}}/{{.Release.Namespace}} {{.Release.Version}}", "blog/shop 3"),
        ("{{.Release.Info.Status}} {{.Release.Info.LastDeployed.Year}}", "deployed 2026"),
        ("{{.Release.Chart.Name}}-{{.Release.Chart.Metadata.Version}}", "x-1.0.0"),
        ("{{.Release.Chart.Metadata.Keywords}}{{.Release.Chart.Metadata.Annotations.b}}", "[k]c"),
        (
            "{{range .Release.Chart.Templates}}{{.Name}} {{printf `%s` .Data}}{{end}}",
            "a.yaml kind: X",
        ),
        (
            "{{range .Release.Hooks}}{{.Events}}{{.Weight}}{{.LastRun.Phase}}{{end}}",
            "[test]-1Succeeded",
        ),
        ("{{.Release.Config}}{{.Release.Labels.owner}}{{.Release.Labels.none}}", "map[a:1]helm"),
        ("{{.Nothing}}", "<no value>"),
        ("{{with .Release.Chart.Lock}}x{{end}}", ""),
    ],
    ids=str,
)
def test_fields_are_read_by_their_names_in_go(template, text):
    assert rendered(template, ONE) == text


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{{.Release.Nothing}}", "can't evaluate field Nothing"),
        ("{{toYaml .Release}}", 'function "toYaml" not defined'),
        ("{{.Release", "unclosed action"),
    ],
    ids=str,
)
def test_what_cannot_be_is_told_in_the_words_of_go(template, words):
    with pytest.raises(ClickException, match="template: _:1") as raised:
        rendered(template, ONE)
    assert words in raised.value.message


@pytest.mark.parametrize("odd", [None, "text", 7, ["x"], {"a": None}], ids=str)
def test_an_odd_record_steers_nothing(odd):
    parts = ("info", "chart", "hooks", "manifest", "apply_method")
    one = StoredRelease({"name": "x", "version": 1} | dict.fromkeys(parts, odd), {}, "shop")
    template = "{{.Release.Info}}{{.Release.Chart}}{{.Release.Hooks}}{{.Release.Manifest}}"
    assert isinstance(rendered(template, one), str)

import base64
import gzip
import json
import random
from dataclasses import replace

import pytest

from tests.builders.releases import (
    CONFIG_MAP,
    CONFIG_MAP_TEXT,
    HOOK_BODY,
    a_chart,
    a_hook,
    a_revision,
)
from whipstaff.errors import StorageCorrupt, StorageTooLarge
from whipstaff.release import codec
from whipstaff.release.revision import HookEvent, HookPhase, ReleaseStatus

SECRET = "sh.helm.release.v1.shop.v1"


def stored_json(revision) -> str:
    return gzip.decompress(base64.b64decode(codec.encode(codec.to_record(revision)))).decode()


def pack(data: bytes) -> str:
    return base64.b64encode(gzip.compress(data, 1)).decode()


def test_what_is_written_is_read_back():
    revision = a_revision(hooks=(a_hook(weight=-5, phase=HookPhase.SUCCEEDED),))
    record = codec.decode(codec.encode(codec.to_record(revision)), SECRET)
    assert codec.from_record(record, [CONFIG_MAP], [HOOK_BODY], SECRET) == revision


def test_the_json_is_that_of_go():
    assert stored_json(a_revision(hooks=(), config={"b": 1.0, "a": "<&>"}, notes="")) == (
        '{"name":"shop","info":{"first_deployed":"2026-01-02T03:04:05.123456789Z",'
        '"last_deployed":"2026-01-02T03:04:06.5Z","description":"Install complete",'
        '"status":"deployed"},"chart":{"metadata":{"name":"blog","version":"1.2.3",'
        '"apiVersion":"v2"},"lock":null,"templates":[{"name":"templates/settings.yaml",'
        '"data":"YQ=="}],"values":{"replicas":1},"schema":null,'
        '"schemamodtime":"0001-01-01T00:00:00Z","files":[]},'
        '"config":{"a":"\\u003c\\u0026\\u003e","b":1},'
        '"manifest":"---\\n# Source: blog/templates/settings.yaml\\napiVersion: v1\\n'
        'kind: ConfigMap\\nmetadata:\\n  name: settings\\ndata:\\n  a: \\"1\\"\\n",'
        '"version":1,"namespace":"web","apply_method":"ssa"}'
    )


def test_a_hook_that_never_ran_has_an_empty_last_run():
    text = stored_json(a_revision(hooks=(a_hook(delete_policies=()),)))
    assert '"events":["pre-upgrade"],"last_run":{"phase":""}}' in text


def test_bytes_that_are_not_utf8_become_the_replacement_character():
    assert '"config":{"a":"\\ufffd"}' in stored_json(a_revision(config={"a": "\udcff"}))


def test_times_that_helm_3_left_empty_are_no_times():
    record = codec.to_record(a_revision(hooks=()))
    record["info"] |= {"deleted": "", "first_deployed": "0001-01-01T00:00:00Z"}
    revision = codec.from_record(record, [], [], SECRET)
    assert (revision.deleted, revision.first_deployed) == ("", "")


@pytest.mark.parametrize(
    ("words", "events"),
    [
        pytest.param(["test-success"], (HookEvent.TEST,), id="the old name of test"),
        pytest.param(["crd-install", "post-install"], (HookEvent.POST_INSTALL,), id="of Helm 2"),
    ],
)
def test_hook_events_are_read_as_helm_reads_them(words, events):
    record = codec.to_record(a_revision())
    record["hooks"][0]["events"] = words
    assert codec.from_record(record, [], [HOOK_BODY], SECRET).hooks[0].events == events


def test_a_status_of_a_later_helm_is_unknown():
    record = codec.to_record(a_revision(hooks=()))
    record["info"]["status"] = "pending-something"
    assert codec.from_record(record, [], [], SECRET).status is ReleaseStatus.UNKNOWN


def test_a_release_stored_without_gzip_is_read():
    data = base64.b64encode(b'{"name":"shop","version":1}').decode()
    assert codec.decode(data, SECRET)["name"] == "shop"


def incompressible(size: int) -> str:
    return base64.b64encode(random.Random(1).randbytes(size)).decode()


def test_a_release_that_does_not_fit_loses_templates_and_files():
    chart = a_chart(files=[{"name": "README.md", "data": incompressible(2 << 20)}])
    payload = codec.encode(codec.to_record(a_revision(chart=chart)))
    assert len(payload) <= codec.PAYLOAD_BYTES_LIMIT
    slim = codec.decode(payload, SECRET)["chart"]
    assert (slim["templates"], slim["files"], slim["values"]) == ([], [], {"replicas": 1})


def test_a_release_that_does_not_fit_even_so_loses_its_schema():
    schema = incompressible(1 << 20)
    payload = codec.encode(codec.to_record(a_revision(chart=a_chart(schema=schema))))
    slim = codec.decode(payload, SECRET)["chart"]
    assert (slim["schema"], slim["values"]) == (None, {"replicas": 1})


def test_a_pending_release_leaves_room_for_what_is_recorded_later():
    pending = a_revision(status=ReleaseStatus.PENDING_INSTALL, manifest=incompressible(770_000))
    payload = codec.encode(codec.to_record(pending))
    ended = replace(
        pending,
        status=ReleaseStatus.FAILED,
        description=incompressible(2500),
        manifest=incompressible(770_000),
    )
    assert len(payload) < len(codec.encode(codec.to_record(ended)))
    with pytest.raises(StorageTooLarge, match="with what is recorded later"):
        codec.encode(codec.to_record(replace(pending, manifest=incompressible(774_000))))


def test_a_release_that_does_not_fit_at_all_is_refused_with_its_size():
    revision = a_revision(manifest=incompressible(2 << 20))
    with pytest.raises(StorageTooLarge, match=r"takes \d+ bytes") as refused:
        codec.encode(codec.to_record(revision))
    assert refused.value.size_bytes > codec.PAYLOAD_BYTES_LIMIT


GOOD = json.dumps({"name": "shop", "version": 1}).encode()


@pytest.mark.parametrize(
    ("data", "why"),
    [
        pytest.param("", "illegal JSON", id="empty"),
        pytest.param("%%%", "illegal base64", id="no base64"),
        pytest.param(
            base64.b64encode(gzip.compress(GOOD)[:-9]).decode(), "ends early", id="truncated gzip"
        ),
        pytest.param(
            base64.b64encode(gzip.compress(GOOD) + b"x").decode(), "after the end", id="garbage"
        ),
        pytest.param(
            base64.b64encode(b"\x1f\x8b\x08" + b"x" * 20).decode(), "illegal gzip", id="bad gzip"
        ),
        pytest.param(pack(b"\xff"), "not UTF-8", id="no UTF-8"),
        pytest.param(pack(b"{"), "illegal JSON at byte 1", id="no JSON"),
        pytest.param(pack(b'{"a":NaN}'), "NaN is no JSON", id="not a number"),
        pytest.param(pack(b"[]"), "no JSON object", id="a list"),
        pytest.param(pack(b"null"), "no JSON object", id="null"),
        pytest.param(pack(b"[" * 100_000), "nested too deep", id="deep"),
        pytest.param(pack(b'{"a":' * 300 + b"1" + b"}" * 300), "deeper than 200", id="rather deep"),
        pytest.param(pack(b'{"a":' + b"9" * 5000 + b"}"), "illegal data", id="a huge number"),
        pytest.param(pack(b" " * (65 << 20)), "bytes inflated", id="a gzip bomb"),
    ],
)
def test_what_cannot_be_decoded_is_named_and_not_shown(data, why):
    with pytest.raises(StorageCorrupt, match=why) as refused:
        codec.decode(data, SECRET)
    assert refused.value.name == SECRET
    assert SECRET in refused.value.text


@pytest.mark.parametrize(
    ("change", "why"),
    [
        pytest.param({"name": None}, "name is missing", id="no name"),
        pytest.param({"name": 1}, "name is no string", id="a number for a name"),
        pytest.param({"version": 0}, "no revision number", id="revision 0"),
        pytest.param({"version": True}, "no whole number", id="a boolean for a number"),
        pytest.param({"info": []}, "info is no table", id="a list for a table"),
        pytest.param({"hooks": {}}, "hooks is no list", id="a table for a list"),
        pytest.param({"hooks": ["x"]}, "hooks is no table", id="a string for a hook"),
        pytest.param({"hooks": [{"events": [1]}]}, "events holds", id="a number for an event"),
    ],
)
def test_a_record_of_another_shape_is_corrupt(change, why):
    record = codec.to_record(a_revision(hooks=())) | change
    bodies = [HOOK_BODY] * len(change.get("hooks", []))
    with pytest.raises(StorageCorrupt, match=why):
        codec.from_record(record, [], bodies, SECRET)


def test_the_texts_are_listed_for_parsing():
    record = codec.to_record(a_revision())
    hook = a_hook()
    assert codec.texts(record, SECRET) == (CONFIG_MAP_TEXT, ((hook.path, hook.manifest),))


def test_every_field_may_be_missing_but_name_and_version():
    revision = codec.from_record({"name": "shop", "version": 3}, [], [], SECRET)
    assert (revision.number, revision.apply_method, revision.hooks) == (3, "", ())

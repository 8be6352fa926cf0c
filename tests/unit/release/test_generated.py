import base64
import json

import pytest

from tests.builders.releases import a_chart, a_revision
from whipstaff.errors import StorageCorrupt
from whipstaff.release import codec, generated
from whipstaff.release.marks import Marks

VALUES = {"uuidv4-0.1": "6f1c", "randInt-1.1": 7}


def test_what_is_kept_comes_back():
    chart = generated.with_generated(a_chart(files=[{"name": "a", "data": "YQ=="}]), VALUES)
    assert generated.read(generated.generated_in(chart)) == VALUES
    assert chart["files"][0] == {"name": "a", "data": "YQ=="}


@pytest.mark.parametrize("files", [None, [], "x", [1, {"name": "a"}], [{"name": generated.FILE}]])
def test_a_record_that_keeps_nothing_keeps_nothing(files):
    assert generated.generated_in({"files": files}) == ""
    assert generated.generated_in({}) == ""
    assert generated.read("") == {}


def test_a_chart_cannot_bring_values_along():
    brought = generated.with_generated(a_chart(), VALUES)
    assert generated.with_generated(brought, {})["files"] is None
    again = generated.with_generated(brought, {"a": "b"})
    assert generated.read(generated.generated_in(again)) == {"a": "b"}
    assert len(again["files"]) == 1


@pytest.mark.parametrize("data", ["!", "eA==", base64.b64encode(b"[" * 9999).decode(), "W10="])
def test_what_is_damaged_is_no_reason_for_new_passwords(data):
    with pytest.raises(StorageCorrupt, match="generated values cannot be read"):
        generated.read(data)


def test_a_release_that_has_to_lose_its_files_keeps_what_was_generated():
    chart = generated.with_generated(a_chart(files=[{"name": "a", "data": "YQ=="}]), VALUES)
    slim = codec.slimmed(codec.to_record(a_revision(chart=chart)))["chart"]
    assert [file["name"] for file in slim["files"]] == [generated.FILE]


def test_a_label_says_whether_anything_is_kept():
    labels = Marks(generated=True).labels(2)
    assert labels["whipstaff.dev/generated"] == "true"
    assert json.dumps(labels).count("true") == 1
    assert "whipstaff.dev/generated" not in Marks().labels(2)

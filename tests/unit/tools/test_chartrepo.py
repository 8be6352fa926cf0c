"""The chart repository packs charts reproducibly and fails as it is told."""

import hashlib
import io
import tarfile
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import yaml

from tools.chartrepo import ChartRepository, Fault, pack

PLAIN = Path(__file__).parents[3] / "charts" / "samples" / "plain"


@pytest.fixture
def repository():
    with ChartRepository() as served:
        yield served


def _get(repository, name):
    with urllib.request.urlopen(f"{repository.url}/{name}", timeout=5) as answer:
        return answer.read()


def test_the_same_chart_packs_to_the_same_bytes():
    assert pack(PLAIN) == pack(PLAIN)


def test_a_version_given_while_packing_stands_in_the_chart():
    with tarfile.open(fileobj=io.BytesIO(pack(PLAIN, "9.8.7"))) as archive:
        chart = yaml.safe_load(archive.extractfile("plain/Chart.yaml").read())
    assert chart["version"] == "9.8.7"


def test_the_index_lists_every_version_with_its_digest(repository):
    names = [repository.add(PLAIN, version) for version in ("1.0.0", "1.1.0")]
    entries = yaml.safe_load(_get(repository, "index.yaml"))["entries"]["plain"]
    assert [entry["version"] for entry in entries] == ["1.0.0", "1.1.0"]
    for name, entry in zip(names, entries, strict=True):
        assert entry["digest"] == hashlib.sha256(_get(repository, name)).hexdigest()
    assert repository.requests == ["index.yaml", *names]


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        pytest.param(Fault.NOT_FOUND, 404, id="not found"),
        pytest.param(Fault.SERVER_ERROR, 500, id="server error"),
    ],
)
def test_a_refusal_has_its_status(repository, fault, code):
    repository.faults["index.yaml"] = fault
    with pytest.raises(urllib.error.HTTPError) as refused:
        _get(repository, "index.yaml")
    refused.value.close()
    assert refused.value.code == code


def test_a_page_for_people_can_stand_where_the_index_was(repository):
    repository.faults["*"] = Fault.HTML
    assert _get(repository, "index.yaml").startswith(b"<!DOCTYPE html>")


def test_an_archive_can_be_cut_short(repository):
    name = repository.add(PLAIN)
    repository.faults[name] = Fault.TRUNCATED
    assert _get(repository, name) == pack(PLAIN)[: len(pack(PLAIN)) // 2]


def test_the_index_can_lie_about_a_digest(repository):
    name = repository.add(PLAIN)
    repository.faults[name] = Fault.WRONG_DIGEST
    entry = yaml.safe_load(_get(repository, "index.yaml"))["entries"]["plain"][0]
    assert entry["digest"] != hashlib.sha256(_get(repository, name)).hexdigest()


def test_an_answer_can_be_withheld(repository):
    repository.faults["*"] = Fault.SLOW
    with pytest.raises(TimeoutError):
        urllib.request.urlopen(f"{repository.url}/index.yaml", timeout=0.2)


def test_a_connection_can_end_without_an_answer(repository):
    repository.faults["*"] = Fault.RESET
    with pytest.raises(ConnectionError):
        urllib.request.urlopen(f"{repository.url}/index.yaml", timeout=5)

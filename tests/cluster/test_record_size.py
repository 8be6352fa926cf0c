"""Releases that hardly fit into a Secret, and such as do not."""

import base64
import random

import pytest

from tests.builders.charts import packed
from tests.builders.live_releases import eventually
from tests.builders.small_charts import CONFIG_MAP, a_packed_chart

pytestmark = pytest.mark.cluster

LONG = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: long}
spec:
  replicas: 0
  selector: {matchLabels: {app: long}}
  template:
    metadata: {labels: {app: long}}
    spec:
      containers:
        - {name: a, image: a, args: [{{ repeat (int .Values.kib) (repeat 1024 "x") }}]}
"""
KIB = 1 << 10
PART_BYTES = 64 * KIB
CHART_YAML = "apiVersion: v2\nname: blog\nversion: {version}\n"
PART = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: part-{number}
data:
  text: {text}
"""


def incompressible(size, seed):
    return base64.b64encode(random.Random(seed).randbytes(size)).decode()


def a_chart(version, parts):
    """A chart of ConfigMaps with 64 KiB each that nothing makes smaller, and a long file."""
    templates = {
        f"templates/part-{number}.yaml": PART.format(
            number=number, text=incompressible(PART_BYTES, number)
        )
        for number in range(parts)
    }
    files = {"docs/long.txt": incompressible(400 * KIB, seed=-1)}
    return packed({"Chart.yaml": CHART_YAML.format(version=version), **templates, **files}, "blog")


def payload_bytes(releases, revision):
    name = f"sh.helm.release.v1.blog.v{revision}"
    return len(base64.b64decode(releases.find(releases.core("secrets", name))["data"]["release"]))


def parts(releases):
    names = releases.left_over()
    return sum(name.startswith("configmap/part-") for name in names)


def test_a_release_of_900_kib_is_warned_of_and_helms_to_work_with(releases, repository):
    repository.add(a_chart("1.0.0", parts=11))
    repository.add(a_chart("1.0.1", parts=10))
    releases.create("blog", chart="blog", version="1.0.0")
    releases.settled("blog", revision=1)
    assert 900 * KIB < payload_bytes(releases, 1) <= 1024 * KIB
    assert ("Warning", "RecordLarge") in releases.events("blog")
    releases.choose("blog", "1.0.1")
    releases.settled("blog", revision=2)
    assert parts(releases) == 10
    releases.edit("blog", suspend=True)
    assert "name: part-10" in releases.helm("get", "manifest", "blog", "--revision", "1")
    releases.helm("rollback", "blog", "1")
    assert "Rollback to 1" in releases.helm("history", "blog")
    assert parts(releases) == 11
    releases.helm("uninstall", "blog")
    assert parts(releases) == 0


def test_one_too_large_is_refused_and_what_runs_stays(releases, repository):
    repository.add(a_chart("1.0.0", parts=1))
    repository.add(a_chart("2.0.0", parts=13))
    releases.create("blog", chart="blog", version="1.0.0")
    releases.settled("blog", revision=1)
    releases.choose("blog", "2.0.0")
    assert "fit into a Secret" in releases.refused("blog", "StorageTooLarge")["message"]
    assert releases.stored("blog") == {1: "deployed"}
    assert parts(releases) == 1


def test_an_object_that_no_api_server_reads_is_refused_beforehand(releases, repository):
    repository.add(a_packed_chart("long", values="text: a\nkib: 1\n", a=CONFIG_MAP, b=LONG))
    releases.create("blog", chart="long")
    releases.settled("blog", revision=1)
    releases.edit("blog", values={"text": "b", "kib": 3500})
    message = releases.refused("blog", "RenderLimit")["message"]
    assert "Deployment long takes 3" in message
    assert releases.stored("blog") == {1: "deployed"}
    assert releases.data("blog")["text"] == "a"


def test_an_object_that_the_storage_does_not_take_is_named_and_rolled_back(releases, repository):
    """No dry run tells so: it fails in the middle."""
    repository.add(a_packed_chart("long", values="text: a\nkib: 1\n", a=CONFIG_MAP, b=LONG))
    undo = {"remediation": {"remediateLastFailure": True}}
    releases.create("blog", chart="long", upgrade=undo)
    releases.settled("blog", revision=1)
    releases.edit("blog", values={"text": "b", "kib": 1600})
    undone = {1: "superseded", 2: "failed", 3: "deployed"}
    eventually(lambda: releases.stored("blog") == undone, "it is not rolled back")
    message = releases.refused("blog", "UpgradeFailed")["message"]
    named = f"Deployment {releases.namespace}/long is too large to be stored"
    assert named in message
    assert releases.data("blog")["text"] == "a"


def test_status_has_room_in_a_helmrelease_that_is_nearly_full(releases, repository):
    repository.add(a_packed_chart("long", values="text: a\n", a=CONFIG_MAP))
    releases.create("blog", chart="long", values={"unused": "x" * (1536 * KIB - 4096)})
    release = releases.settled("blog", revision=1)
    assert release["status"]["history"]

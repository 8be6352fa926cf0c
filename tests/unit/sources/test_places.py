"""Charts from wherever a HelmRelease says: Flux's sources, stored archives, and made whole."""

import base64
import hashlib
import math
from dataclasses import replace
from pathlib import Path

import pytest

from tests.builders.charts import packed, packed_raw
from tests.builders.repositories import DirectReader, Repository, an_archive
from whipstaff.chart import archive
from whipstaff.chart.model import Dependency
from whipstaff.chart.wanted import CompleteChart
from whipstaff.errors import (
    ArchiveNotFound,
    ArtifactUnavailable,
    ChartIntegrity,
    ChartInvalid,
    ChartTooLarge,
    ChartVersionNotFound,
    ClusterRefused,
    CrossNamespaceForbidden,
    RepoForbiddenTarget,
    SourceAccessDenied,
    SourceNotFound,
    SourceNotReady,
    ValuesFileNotFound,
)
from whipstaff.helmrelease.types import ArchiveFrom, RepositoryKey
from whipstaff.helmrepository.parsing import parse
from whipstaff.reconcile.ports import OPERATOR, ChartReference, Identity, ObjectReference
from whipstaff.settings import Settings
from whipstaff.sources.cache import ArchiveCache
from whipstaff.sources.charts import Charts
from whipstaff.sources.completion import Completion
from whipstaff.sources.flux import FluxSources
from whipstaff.sources.places import ChartPlaces
from whipstaff.sources.repository import HTTPRepositories
from whipstaff.sources.stored import StoredArchives
from whipstaff.workers import completion

GIT = ObjectReference("source.toolkit.fluxcd.io/v1", "GitRepository", "team", "app")
STORED = ArchiveFrom(ObjectReference("v1", "Secret", "team", "charts"), "blog.tgz")
FILES = {
    "charts/blog/Chart.yaml": "apiVersion: v2\nname: blog\nversion: 1.2.3\n",
    "charts/blog/values-prod.yaml": "a: 1\n",
}


class Cluster:
    """Objects by reference; notes who read."""

    def __init__(self):
        self.objects = {}
        self.readers = []
        self.served = True
        self.refusal = None

    async def refer(self, body, namespace, identity):
        if not self.served:
            raise ClusterRefused("no match for kind", 404, "NoMatchForKind")

    async def read(self, reference, identity):
        self.readers.append(identity)
        if self.refusal:
            raise self.refusal
        return self.objects.get(reference)


class Worker(DirectReader):
    """Does what the worker pool does, in this process; counts."""

    def __init__(self):
        super().__init__()
        self.completions = 0

    async def complete(self, source, target, wanted, fetched=()):
        self.completions += 1
        order = {
            "source": str(source),
            "target": str(target),
            "wanted": {name: getattr(wanted, name) for name in wanted.__slots__},
            "fetched": [
                {
                    "name": one.name,
                    "version": one.version,
                    "repository": one.repository,
                    "path": str(path),
                }
                for one, path in fetched
            ],
        }
        found = completion.complete(order, 20 << 20)
        missing = tuple(Dependency(**one) for one in found["missing"])
        return CompleteChart(found["name"], found["version"], missing, written=found["written"])


class World:
    """All places of charts, the cluster a table, HTTP real."""

    def __init__(self, folder, repository, **changes):
        settings = replace(Settings(cache_folder=folder), **changes)
        self.settings, self.repository = settings, repository
        self.cluster, self.worker = Cluster(), Worker()
        clock = iter(range(10_000))
        http = HTTPRepositories(settings, self.worker, lambda: float(next(clock)))
        self.charts = Charts({"http": http, "https": http}, self, timeout_seconds=5.0)
        cache = ArchiveCache(settings.cache_folder, settings.cache_bytes_limit)
        self.places = ChartPlaces(
            self.charts,
            FluxSources(settings, self.cluster, cache),
            StoredArchives(self.cluster, cache),
            Completion(self.worker, cache, settings.cache_folder),
        )
        self.secrets = {}

    async def secret(self, namespace, name):
        return self.secrets.get(name)

    def publish(self, data, *, digest="", source=GIT, **status):
        """Let a source have an artifact."""
        sha = hashlib.sha256(data).hexdigest()
        self.repository.files[f"/{sha}.tar.gz"] = data
        artifact = {
            "url": f"{self.repository.url}/{sha}.tar.gz",
            "digest": digest or f"sha256:{sha}",
        }
        self.cluster.objects[source] = {
            "metadata": {"uid": "u1", "generation": 2},
            "status": {"observedGeneration": 2, "artifact": artifact, **status},
        }

    def store(self, data):
        text = base64.b64encode(data).decode()
        self.cluster.objects[STORED.place] = {"data": {STORED.key: text}}

    async def resolve(self, max_age_seconds=math.inf, **reference):
        asked = ChartReference(**{"name": "", "version": "*", "namespace": "team", **reference})
        return await self.places.resolve(asked, max_age_seconds=max_age_seconds)

    async def of_source(self, **reference):
        return await self.resolve(**{"source_ref": GIT, "path": "charts/blog", **reference})

    async def of_archive(self, **reference):
        return await self.resolve(archive_from=STORED, **reference)


@pytest.fixture
async def repository():
    served = Repository()
    await served.start()
    yield served
    await served.stop()


@pytest.fixture
async def world(tmp_path, repository):
    world = World(tmp_path / "cache", repository)
    yield world
    await world.places.close()


def loaded(chart):
    data = Path(chart.path).read_bytes()
    assert chart.digest == f"sha256:{hashlib.sha256(data).hexdigest()}"
    return archive.load(data)


def an_artifact(**more):
    return packed_raw(*(FILES | more).items())


async def test_a_chart_in_an_artifact_is_packed_once(world):
    world.publish(an_artifact())

    first, second = await world.of_source(), await world.of_source()

    assert first == second
    assert (first.name, first.version, first.newer) == ("blog", "1.2.3", 0)
    assert loaded(first).name == "blog"
    assert world.worker.completions == 1
    assert len(world.repository.requests) == 1


async def test_another_artifact_with_the_same_chart_has_the_same_digest(world):
    world.publish(an_artifact())
    before = await world.of_source()

    world.publish(an_artifact(README="x"))
    after = await world.of_source()

    assert after.digest == before.digest
    assert len(world.repository.requests) == 2


async def test_what_left_the_cache_is_fetched_again(world, tmp_path):
    world.publish(an_artifact())
    before = await world.of_source()
    for file in (tmp_path / "cache").rglob("*.tgz"):
        file.unlink()

    assert await world.of_source() == before
    assert len(world.repository.requests) == 2


@pytest.mark.parametrize("algorithm", ["sha384", "sha512"])
async def test_the_digest_may_be_of_another_algorithm(world, algorithm):
    data = an_artifact()
    world.publish(data, digest=f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}")

    assert (await world.of_source()).version == "1.2.3"
    await world.of_source()
    assert len(world.repository.requests) == 1


@pytest.mark.parametrize(
    ("digest", "text"),
    [
        pytest.param(f"sha256:{'0' * 64}", "another digest", id="another one"),
        pytest.param("blake3:00", "none of", id="one that we cannot make"),
        pytest.param("sha256:", "none of", id="none"),
        pytest.param("md5:00", "none of", id="a weak one"),
    ],
)
async def test_an_artifact_without_its_digest_is_refused(world, digest, text):
    world.publish(an_artifact(), digest=digest)

    with pytest.raises(ArtifactUnavailable, match=text):
        await world.of_source()


async def test_an_artifact_that_is_not_there_is_named(world):
    world.publish(an_artifact())
    world.repository.files.clear()

    with pytest.raises(ArtifactUnavailable, match="404"):
        await world.of_source()


@pytest.mark.parametrize("url", ["", "ftp://a/b", "file:///etc/passwd", "relative"])
async def test_an_artifact_at_no_url_is_refused(world, url):
    world.publish(an_artifact())
    world.cluster.objects[GIT]["status"]["artifact"]["url"] = url

    with pytest.raises(ArtifactUnavailable, match="no http or https URL"):
        await world.of_source()


async def test_an_artifact_is_nowhere_that_is_forbidden(tmp_path, repository):
    world = World(tmp_path, repository, allow_loopback_repositories=False)
    world.publish(an_artifact())

    with pytest.raises(RepoForbiddenTarget):
        await world.of_source()
    await world.places.close()


async def test_an_artifact_without_an_end_is_refused(tmp_path, repository):
    world = World(tmp_path, repository, source_bytes_limit=100)
    world.publish(an_artifact())

    with pytest.raises(ChartTooLarge):
        await world.of_source()
    await world.places.close()


@pytest.mark.parametrize(
    ("status", "text"),
    [
        pytest.param({"artifact": None}, "no artifact", id="no artifact"),
        pytest.param({"observedGeneration": 1}, "newest spec", id="of an older spec"),
        pytest.param(
            {"conditions": [{"type": "Stalled", "status": "True", "message": "no such branch"}]},
            "no such branch",
            id="stalled",
        ),
        pytest.param(
            {
                "artifact": None,
                "conditions": [{"type": "Ready", "status": "False", "message": "auth failed"}],
            },
            "auth failed",
            id="failed",
        ),
    ],
)
async def test_a_source_that_is_not_ready_is_named_in_its_own_words(world, status, text):
    world.publish(an_artifact(), **status)

    with pytest.raises(SourceNotReady, match=text):
        await world.of_source()


async def test_a_source_that_failed_later_still_has_its_artifact(world):
    failed = {"type": "Ready", "status": "False", "message": "timeout"}
    world.publish(an_artifact(), conditions=[failed])

    assert (await world.of_source()).name == "blog"


async def test_a_source_that_is_not_there_is_told_from_a_kind_that_is_not_served(world):
    with pytest.raises(SourceNotFound, match="there is no"):
        await world.of_source()
    world.cluster.served = False
    with pytest.raises(SourceNotFound, match="is Flux there"):
        await world.of_source()


async def test_a_source_that_we_may_not_read_is_named(world):
    world.cluster.refusal = ClusterRefused("forbidden", 403, "Forbidden")
    with pytest.raises(SourceAccessDenied):
        await world.of_source()
    world.cluster.refusal = ClusterRefused("away", 503, "ServiceUnavailable")
    with pytest.raises(ClusterRefused):
        await world.of_source()


async def test_sources_of_other_namespaces_can_be_forbidden(tmp_path, repository):
    open_world = World(tmp_path / "a", repository)
    shut_world = World(tmp_path / "b", repository, no_cross_namespace_refs=True)
    for world in (open_world, shut_world):
        world.publish(an_artifact())

    assert (await open_world.of_source(namespace="other")).name == "blog"
    assert (await shut_world.of_source()).name == "blog"
    with pytest.raises(CrossNamespaceForbidden):
        await shut_world.of_source(namespace="other")
    await open_world.places.close()
    await shut_world.places.close()


async def test_a_source_is_read_as_the_operator_and_an_archive_as_the_release(world):
    tenant = Identity("tenant", "team")
    world.publish(an_artifact())
    world.store(an_archive("blog", "1.0.0"))

    await world.of_source(identity=tenant)
    await world.of_archive(identity=tenant)

    assert world.cluster.readers == [OPERATOR, tenant]


@pytest.mark.parametrize(
    ("reference", "error"),
    [
        pytest.param({"name": "other"}, ChartInvalid, id="another name"),
        pytest.param({"version": "^2"}, ChartVersionNotFound, id="another version"),
        pytest.param({"digest": f"sha256:{'0' * 64}"}, ChartIntegrity, id="another digest"),
        pytest.param({"values_files": ("x.yaml",)}, ValuesFileNotFound, id="no values file"),
    ],
)
async def test_another_chart_than_the_wanted_one_is_refused(world, reference, error):
    world.publish(an_artifact())
    world.store(an_archive("blog", "1.2.3"))

    for resolve in (world.of_source, world.of_archive):
        with pytest.raises(error):
            await resolve(**reference)


async def test_a_pin_may_be_of_the_chart_or_of_its_source(world):
    data = an_artifact()
    world.publish(data)
    chart = await world.of_source()

    assert await world.of_source(digest=chart.digest) == chart
    assert await world.of_source(digest=f"sha256:{hashlib.sha256(data).hexdigest()}") == chart


async def test_a_stored_archive_is_taken_as_it_is(world):
    data = an_archive("blog", "1.0.0-rc.1")
    world.store(data)

    chart = await world.of_archive(name="blog")

    assert (chart.name, chart.version) == ("blog", "1.0.0-rc.1")
    assert chart.digest == f"sha256:{hashlib.sha256(data).hexdigest()}"
    world.store(an_archive("blog", "1.1.0"))
    assert (await world.of_archive()).version == "1.1.0"


@pytest.mark.parametrize(
    ("body", "error"),
    [
        pytest.param(None, ArchiveNotFound, id="no object"),
        pytest.param({}, ArchiveNotFound, id="no data"),
        pytest.param({"data": {"other": ""}}, ArchiveNotFound, id="another key"),
        pytest.param({"binaryData": {"blog.tgz": "aGk="}}, ArchiveNotFound, id="elsewhere"),
        pytest.param({"data": {"blog.tgz": "?"}}, ChartInvalid, id="no base64"),
        pytest.param({"data": {"blog.tgz": "aGk="}}, ChartInvalid, id="no archive"),
    ],
)
async def test_what_is_no_archive_is_named(world, body, error):
    world.cluster.objects[STORED.place] = body

    with pytest.raises(error):
        await world.of_archive()


def needing(version, url):
    head = "apiVersion: v2\nname: app\nversion: 1.0.0\n"
    return packed(
        {
            "Chart.yaml": f"{head}dependencies:\n"
            f"- {{name: blog, version: {version!r}, repository: {url!r}}}\n"
        },
        top="app",
    )


async def test_what_is_missing_is_fetched_and_counts_in_the_digest(world):
    world.repository.add("1.0.0")
    world.store(needing("^1", f"{world.repository.url}/"))
    before = await world.of_archive()
    [inside] = loaded(before).subcharts
    assert (inside.name, inside.metadata.version) == ("blog", "1.0.0")
    assert await world.of_archive() == before

    world.repository.add("1.1.0")
    after = await world.of_archive(max_age_seconds=0)

    assert after.digest != before.digest
    assert world.repository.asked("/blog-1.0.0.tgz") == 1


async def test_a_chart_of_a_repository_that_lacks_nothing_stays_the_archive_it_is(world):
    data = world.repository.add("1.0.0")

    chart = await world.resolve(name="blog", repository=world.repository.url)

    assert chart.digest == f"sha256:{hashlib.sha256(data).hexdigest()}"
    again = await world.resolve(name="blog", repository=world.repository.url)
    assert (again, world.worker.completions) == (chart, 1)


async def test_a_chart_of_a_repository_can_have_other_values(world):
    data = an_archive("blog", "1.0.0", **{"values-prod.yaml": "a: 1\n"})
    world.repository.add("1.0.0", data=data)
    where = {"name": "blog", "repository": world.repository.url}

    chart = await world.resolve(**where, values_files=("values-prod.yaml",))

    assert chart.digest != (await world.resolve(**where)).digest
    assert loaded(chart).values == {"a": 1.0}


def a_repository(namespace, url, **spec):
    return parse(
        {
            "metadata": {"namespace": namespace, "name": "charts", "uid": f"u-{namespace}"},
            "spec": {"url": url, **spec},
        }
    )


async def test_dependencies_are_fetched_as_the_repository_of_their_url_in_the_namespace(world):
    world.repository.add("1.0.0")
    world.secrets["login"] = {
        "data": {key: base64.b64encode(b"canary").decode() for key in ("username", "password")}
    }
    world.store(needing("^1", world.repository.url))
    key = RepositoryKey("other", "charts")
    foreign = a_repository("other", world.repository.url, secretRef={"name": "login"})
    world.charts.know(key, foreign)

    await world.of_archive()
    assert not any("Authorization" in one.headers for one in world.repository.requests)

    mine = a_repository("team", f"{world.repository.url}/", secretRef={"name": "login"})
    world.charts.know(RepositoryKey("team", "charts"), mine)
    await world.of_archive()
    assert world.repository.requests[-1].headers["Authorization"].startswith("Basic ")


async def test_what_was_fetched_with_a_login_is_kept_apart(world):
    world.repository.add("1.0.0")
    world.secrets["login"] = {
        "data": {key: base64.b64encode(b"canary").decode() for key in ("username", "password")}
    }
    world.store(needing("^1", world.repository.url))
    nobodys = await world.of_archive()
    mine = a_repository("team", world.repository.url, secretRef={"name": "login"})
    world.charts.know(RepositoryKey("team", "charts"), mine)

    with_login = await world.of_archive()

    assert with_login.digest == nobodys.digest
    assert with_login.path != nobodys.path


async def test_a_dependency_that_is_not_there_is_named(world):
    world.repository.add("1.0.0")
    world.store(needing("^9", world.repository.url))

    with pytest.raises(ChartVersionNotFound, match="dependency blog: "):
        await world.of_archive()

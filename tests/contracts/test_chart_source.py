"""What every ChartSource does: the fake, and those that fetch over HTTP and from a registry."""

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest

from tests.builders.oci_registry import HelmClient, OCIRegistry
from tests.builders.repositories import Repository, an_archive
from tests.fakes.chart_source import FakeChartSource
from whipstaff.errors import ChartUnavailable, InvalidSpec
from whipstaff.reconcile.ports import ChartReference
from whipstaff.settings import Settings
from whipstaff.sources.cache import ArchiveCache
from whipstaff.sources.charts import Charts
from whipstaff.sources.completion import Completion
from whipstaff.sources.flux import FluxSources
from whipstaff.sources.oci import OCICharts
from whipstaff.sources.places import ChartPlaces
from whipstaff.sources.repository import HTTPRepositories
from whipstaff.sources.stored import StoredArchives
from whipstaff.workers.pool import WorkerPool


@dataclass
class World:
    """A source, the URL of its repository, and a way to publish there."""

    source: Any
    url: str
    publish: Any  # (version) -> None

    async def resolve(self, version="*", name="blog"):
        reference = ChartReference(name, version, self.url)
        return await self.source.resolve(reference, max_age_seconds=0)


class NoSecrets:
    async def secret(self, namespace, name):
        return None


def everywhere(charts, settings, pool):
    """What the loop asks: repositories are one of the places that charts come from."""
    cache = ArchiveCache(settings.cache_folder, settings.cache_bytes_limit)
    return ChartPlaces(
        charts,
        FluxSources(settings, None, cache),
        StoredArchives(None, cache),
        Completion(pool, cache, settings.cache_folder),
    )


IN_REGISTRY = pytest.param("oci", marks=[pytest.mark.registry, pytest.mark.cluster])


@pytest.fixture(params=["fake", "http", IN_REGISTRY])
async def world(request, tmp_path):
    if request.param == "fake":
        fake = FakeChartSource()
        yield World(fake, "http://r", lambda version: fake.add("http://r", "blog", version))
        return
    settings = Settings(cache_folder=tmp_path, worker_count=1)
    pool = WorkerPool(settings)
    if request.param == "oci":
        helm = HelmClient(tmp_path / "helm")
        oci = OCICharts(settings, pool, asyncio.get_running_loop().time)
        source = everywhere(Charts({"oci": oci}, NoSecrets(), timeout_seconds=30.0), settings, pool)
        with OCIRegistry(tmp_path / "registry") as registry:
            url = registry.url()
            yield World(source, url, lambda version: helm.push(an_archive(version=version), url))
        await source.close()
        await pool.close()
        return
    repository = Repository()
    await repository.start()
    http = HTTPRepositories(settings, pool, asyncio.get_running_loop().time)
    charts = Charts({"http": http, "https": http}, NoSecrets(), timeout_seconds=5.0)
    source = everywhere(charts, settings, pool)
    yield World(source, repository.url, repository.add)
    await source.close()
    await pool.close()
    await repository.stop()


async def test_a_chart_is_resolved_to_its_newest_version_in_range(world):
    for version in ("1.0.0", "1.1.0", "2.0.0-rc.1"):
        world.publish(version)
    charts = [await world.resolve(version) for version in ("*", "1.0.0", ">=2.0.0-0")]
    assert [chart.version for chart in charts] == ["1.1.0", "1.0.0", "2.0.0-rc.1"]
    assert all(chart.digest.startswith("sha256:") for chart in charts)
    assert len({chart.digest for chart in charts}) == 3


async def test_what_is_published_later_is_seen(world):
    world.publish("1.0.0")
    await world.resolve()
    world.publish("1.1.0")
    assert (await world.resolve()).version == "1.1.0"


async def test_the_same_call_gives_the_same_chart(world):
    world.publish("1.0.0")
    assert await world.resolve() == await world.resolve()


async def test_an_unknown_chart_may_appear_later(world):
    world.publish("1.0.0")
    with pytest.raises(ChartUnavailable, match="has no chart named 'wiki'") as refused:
        await world.resolve(name="wiki")
    assert refused.value.retryable
    assert refused.value.reference == f"{world.url}/wiki"


async def test_a_range_without_a_version_names_the_newest(world):
    world.publish("1.0.0")
    with pytest.raises(ChartUnavailable, match=r"in range '\^2'; the newest in .* are 1\.0\.0"):
        await world.resolve("^2")


async def test_a_range_that_cannot_be_read_is_refused(world):
    world.publish("1.0.0")
    with pytest.raises(InvalidSpec, match="no range of versions"):
        await world.resolve("one")

"""Charts from a real registry; helm is the other client."""

import asyncio
import hashlib
import math
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from yarl import URL

from tests.builders.charts import packed
from tests.builders.oci_registry import (
    PASSWORD,
    USER,
    HelmClient,
    OCIRegistry,
    TokenService,
    with_password,
)
from tests.builders.repositories import DirectReader, an_archive
from whipstaff.chart.archive import load
from whipstaff.chart.record import to_record
from whipstaff.errors import (
    ChartInvalid,
    ChartTooLarge,
    ChartUnavailable,
    ChartVersionNotFound,
    InvalidSpec,
    RepoAuthFailed,
)
from whipstaff.reconcile.ports import ChartReference
from whipstaff.settings import Settings
from whipstaff.sources.addresses import AddressPolicy
from whipstaff.sources.credentials import ANONYMOUS, Credentials
from whipstaff.sources.oci import OCICharts
from whipstaff.sources.oci_client import RegistryClient
from whipstaff.sources.oci_manifest import Descriptor
from whipstaff.sources.oci_place import ChartPlace
from whipstaff.sources.oci_push import (
    Packaged,
    digest_of,
    manifest_of,
    push,
    push_blob,
    push_manifest,
)
from whipstaff.sources.oci_repository import tag_of
from whipstaff.sources.place import Place

JO = Credentials(username=USER, password=PASSWORD)

pytestmark = [pytest.mark.registry, pytest.mark.cluster]


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    with OCIRegistry(tmp_path_factory.mktemp("registry")) as registry:
        yield registry


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """A registry that asks for a password."""
    folder = tmp_path_factory.mktemp("guarded")
    with OCIRegistry(folder, with_password(folder)) as registry:
        yield registry


@pytest.fixture
def helm(tmp_path):
    return HelmClient(tmp_path / "helm")


@pytest.fixture
def folder(request):
    """A folder of the registry that no other test has."""
    return hashlib.sha256(request.node.name.encode()).hexdigest()[:12]


class World:
    """A source with a clock of its own."""

    def __init__(self, cache: Path, *, tags_a_page=1000, **settings) -> None:
        self.now = 1000.0
        self.reader = DirectReader()
        self.source = OCICharts(
            Settings(cache_folder=cache, **settings),
            self.reader,
            lambda: self.now,
            tags_a_page=tags_a_page,
        )

    async def resolve(self, url, version="*", name="blog", max_age=0.0, login=None):
        place = Place(URL(url), login or Credentials(), scope="some" if login else "")
        reference = ChartReference(name, version, url)
        return await self.source.resolve(place, reference, max_age_seconds=max_age)


@pytest.fixture
async def make_world(tmp_path):
    made = []

    def make(**settings):
        made.append(World(tmp_path / "cache", **settings))
        return made[-1]

    yield make
    for world in made:
        await world.source.close()


@pytest.fixture
def world(make_world):
    return make_world()


async def test_what_helm_pushes_is_resolved_to_the_newest_version_in_range(
    world, registry, helm, folder
):
    archives = {version: an_archive(version=version) for version in ("1.0.0", "1.1.0", "2.0.0")}
    for archive in archives.values():
        helm.push(archive, registry.url(folder))
    chart = await world.resolve(registry.url(folder), "^1.0")
    assert (chart.name, chart.version, chart.newer) == ("blog", "1.1.0", 1)
    assert stored(chart) == archives["1.1.0"]
    assert chart.digest == f"sha256:{hashlib.sha256(archives['1.1.0']).hexdigest()}"


def stored(chart):
    return Path(chart.path).read_bytes()


async def test_build_metadata_is_written_with_an_underscore(world, registry, helm, folder):
    helm.push(an_archive(version="1.0.0+build.7"), registry.url(folder))
    for wanted in ("1.0.0+build.7", "*"):
        assert (await world.resolve(registry.url(folder), wanted)).version == "1.0.0+build.7"


async def test_tags_are_read_page_by_page(make_world, registry, helm, folder):
    for number in range(5):
        helm.push(an_archive(version=f"1.{number}.0"), registry.url(folder))
    chart = await make_world(tags_a_page=2).resolve(registry.url(folder))
    assert (chart.version, chart.newer) == ("1.4.0", 0)


async def test_what_is_pushed_later_is_seen(world, registry, helm, folder):
    helm.push(an_archive(version="1.0.0"), registry.url(folder))
    await world.resolve(registry.url(folder))
    helm.push(an_archive(version="1.1.0"), registry.url(folder))
    world.now += 10
    assert (await world.resolve(registry.url(folder), max_age=60)).version == "1.0.0"
    assert (await world.resolve(registry.url(folder), "1.1.0", max_age=60)).version == "1.1.0"
    assert (await world.resolve(registry.url(folder))).version == "1.1.0"


async def test_a_tag_that_moves_is_followed(world, registry, helm, folder):
    helm.push(an_archive(), registry.url(folder))
    before = await world.resolve(registry.url(folder))
    assert await world.resolve(registry.url(folder)) == before
    helm.push(an_archive(**{"values.yaml": "a: 1\n"}), registry.url(folder))
    assert (await world.resolve(registry.url(folder))).digest != before.digest


async def test_an_unknown_chart_is_named(world, registry, folder):
    with pytest.raises(ChartUnavailable, match="has no chart named 'wiki'") as refused:
        await world.resolve(registry.url(folder), name="wiki")
    assert refused.value.reference == f"{registry.url(folder)}/wiki"


async def test_an_unknown_version_is_named(world, registry, helm, folder):
    helm.push(an_archive(), registry.url(folder))
    with pytest.raises(ChartVersionNotFound, match=r"has no version 7\.0\.0"):
        await world.resolve(registry.url(folder), "7.0.0")
    with pytest.raises(ChartUnavailable, match=r"in range '\^7'; the newest in .* are 1\.0\.0"):
        await world.resolve(registry.url(folder), "^7")


async def test_a_name_that_no_registry_allows_is_refused(world, registry, folder):
    with pytest.raises(InvalidSpec, match="no registry allows"):
        await world.resolve(registry.url(folder), name="Blog")


async def test_an_archive_that_is_too_large_is_refused(make_world, registry, helm, folder):
    helm.push(an_archive(), registry.url(folder))
    with pytest.raises(ChartTooLarge, match="larger than 100 bytes"):
        await make_world(chart_bytes_limit=100).resolve(registry.url(folder))


async def test_the_archive_must_hold_the_chart_that_is_asked_for(world, registry, helm, folder):
    await pushed(registry, folder, an_archive("wiki"), tag="1.0.0")
    with pytest.raises(ChartInvalid, match="holds the chart 'wiki', not 'blog'"):
        await world.resolve(registry.url(folder))


async def test_the_archive_must_hold_the_version_of_its_tag(world, registry, folder):
    await pushed(registry, folder, an_archive(version="2.0.0"), tag="1.0.0")
    with pytest.raises(ChartInvalid, match=r"holds version 2\.0\.0 of blog, not 1\.0\.0"):
        await world.resolve(registry.url(folder))


async def test_a_repository_without_a_chart_is_said_to_be_none(world, registry, folder):
    place = ChartPlace.of(Place(URL(registry.url(folder))), "blog")
    config = Descriptor("application/vnd.oci.image.config.v1+json", digest_of(b"{}"), 2)
    client = RegistryClient(AddressPolicy(), lambda: 0.0)
    await push_blob(client, place, config.media_type, b"{}")
    await push_manifest(client, place, manifest_of(config, [], {}), "1.0.0")
    await client.close()
    with pytest.raises(ChartInvalid, match=r"is no Helm chart: .*image\.config"):
        await world.resolve(registry.url(folder))


async def test_what_we_push_is_what_helm_pushes(registry, helm, folder, tmp_path):
    """To the byte, where the archive was written at the same time."""
    chart = {
        "description": "Say <hello> & more — ünï",
        "home": "https://example.com",
        "sources": ["https://example.com/a", "https://example.com/b"],
        "maintainers": [{"name": "jo", "email": "jo@example.com"}, {"name": "al"}],
        "annotations": {"b": "2", "a": "1", "org.opencontainers.image.title": "another"},
        "keywords": ["z", "y"],
    }
    head = yaml.safe_dump({"apiVersion": "v2", "name": "blog", "version": "1.0.0+x", **chart})
    archive = packed({"Chart.yaml": head}, top="blog")
    ours = await pushed(registry, f"{folder}-ours", archive, created_at(helm, archive))
    assert ours == helm.push(archive, registry.url(f"{folder}-helms"))
    pulled = tmp_path / "pulled"
    pulled.mkdir()
    source = f"{registry.url(folder)}-ours/blog"
    helm.run("pull", source, "--version", "1.0.0+x", "-d", pulled, "--plain-http")
    assert (pulled / "blog-1.0.0+x.tgz").read_bytes() == archive


async def test_what_is_pushed_twice_is_sent_once(registry, folder):
    first = await pushed(registry, folder, an_archive())
    assert await pushed(registry, folder, an_archive()) == first


async def test_who_may_not_push_is_told(guarded, folder):
    with pytest.raises(RepoAuthFailed, match="wants a login"):
        await pushed(guarded, folder, an_archive())


async def pushed(
    registry, folder, archive, created="2024-01-01T00:00:00Z", tag="", login=ANONYMOUS
):
    """Push an archive as ours does, and return the digest."""
    place = ChartPlace.of(Place(URL(registry.url(folder)), login), "blog")
    metadata = to_record(load(archive))["metadata"]
    client = RegistryClient(AddressPolicy(), lambda: 0.0)
    try:
        chart = Packaged(archive, metadata, created)
        return await push(client, place, chart, tag or tag_of(metadata["version"]))
    finally:
        await client.close()


def created_at(helm, archive):
    """Write the archive where `HelmClient.push` does, and say when, as Helm spells it."""
    file = helm.write(archive)
    return datetime.fromtimestamp(int(file.stat().st_mtime), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


async def test_who_has_the_password_gets_the_chart(world, guarded, helm, folder):
    helm.log_in(guarded.host)
    helm.push(an_archive(), guarded.url(folder))
    assert (await world.resolve(guarded.url(folder), login=JO)).version == "1.0.0"


@pytest.mark.parametrize(
    ("login", "why"),
    [
        pytest.param(None, "wants a login", id="nobody"),
        pytest.param(Credentials(username=USER, password="x"), "401 Unauthorized", id="wrong"),
    ],
)
async def test_who_has_no_password_is_refused(world, guarded, folder, login, why):
    with pytest.raises(RepoAuthFailed, match=why):
        await world.resolve(guarded.url(folder), login=login)


async def test_a_token_service_says_who_may_do_what(make_world, tmp_path_factory, helm, folder):
    """The registry trusts tokens of a service of its own, as Harbor and GitLab have it."""
    place = tmp_path_factory.mktemp("tokens")
    with TokenService() as tokens, OCIRegistry(place, tokens.section(place)) as registry:
        helm.log_in(registry.host)
        helm.push(an_archive(), registry.url(folder))
        world = make_world()
        chart = await world.resolve(registry.url(folder), login=JO)
        assert chart.version == "1.0.0"
        assert tokens.granted[-1] == f"repository:{folder}/blog:pull"
        asked = len(tokens.granted)
        world.now += 10
        assert await world.resolve(registry.url(folder), login=JO) == chart
        assert len(tokens.granted) == asked
        archive = an_archive(version="1.1.0")
        assert await pushed(registry, folder, archive, login=JO)
        assert tokens.granted[-1] in {
            f"repository:{folder}/blog:{actions}" for actions in ("pull,push", "push,pull")
        }
        with pytest.raises(RepoAuthFailed):
            await world.resolve(registry.url(folder), login=Credentials(username="al"))


async def test_a_repository_is_asked_for_the_tags_of_charts_in_use(world, registry, helm, folder):
    place = Place(URL(registry.url(folder)))
    assert not world.source.known(place)
    unused = await world.source.refresh(place)
    helm.push(an_archive(), registry.url(folder))
    await world.resolve(registry.url(folder))
    assert world.source.known(place)
    used = await world.source.refresh(place)
    assert (unused.charts, used.charts) == (0, 1)
    assert used == await world.source.refresh(place)
    helm.push(an_archive(version="1.1.0"), registry.url(folder))
    assert (await world.source.refresh(place)).index_digest != used.index_digest
    assert (await world.resolve(registry.url(folder), max_age=math.inf)).version == "1.1.0"


async def test_a_repository_that_refuses_the_login_says_so(world, guarded, folder):
    with pytest.raises(RepoAuthFailed):
        await world.source.refresh(Place(URL(guarded.url(folder))))
    found = await world.source.refresh(Place(URL(guarded.url(folder)), JO))
    assert found.sentence == "the registry answers"


async def test_calls_at_one_time_share_what_they_fetch(world, registry, helm, folder):
    helm.push(an_archive(), registry.url(folder))
    charts = await asyncio.gather(*(world.resolve(registry.url(folder)) for _ in range(20)))
    assert len(set(charts)) == 1
    assert world.reader.inspections == 1

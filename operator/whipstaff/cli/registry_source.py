"""Charts from OCI registries, as `helm pull` has them."""

import asyncio
import re
from dataclasses import dataclass

from yarl import URL

from whipstaff.cli.chart_options import ChartOptions
from whipstaff.cli.chart_source import Retrieved
from whipstaff.cli.downloads import Bar, shown
from whipstaff.cli.helm_home import HelmHome, Refused
from whipstaff.cli.proxied import registry_client
from whipstaff.cli.registry_login import Access, own_environment, said
from whipstaff.errors import OperatorError
from whipstaff.golang.semver import Constraint, SemverError, Version
from whipstaff.sources.oci_manifest import PROVENANCE, ChartManifest, is_digest
from whipstaff.sources.oci_place import SCHEME, ChartPlace
from whipstaff.sources.oci_repository import MANIFEST_BYTES_LIMIT, OCIRepository, tag_of

_ARCHIVE_BYTES_LIMIT = 1 << 29
_REFERENCE = re.compile(
    r"oci://(?P<host>[^/@]+)/(?P<path>[^:@]+)(?::(?P<tag>[^@/:]+))?(?:@(?P<digest>[^@/]+))?"
)


@dataclass(frozen=True, slots=True)
class Reference:
    """A chart in a registry as people write it."""

    folder: URL
    name: str
    tag: str
    digest: str

    @classmethod
    def read(cls, text: str) -> "Reference":
        """Read `oci://HOST/FOLDER/NAME[:TAG][@DIGEST]`; Refused if it is none."""
        found = _REFERENCE.fullmatch(text)
        if found is None:
            raise Refused(f"invalid chart URL format: {shown(text)}")
        folder, _, name = found["path"].strip("/").rpartition("/")
        digest = found["digest"] or ""
        if digest and not is_digest(digest):
            raise Refused(f"invalid reference: {digest} is no SHA-256 digest")
        return cls(URL(f"oci://{found['host']}/{folder}"), name, found["tag"] or "", digest)


def retrieved(
    reference: str, options: ChartOptions, home: HelmHome, *, provenance: bool
) -> Retrieved:
    """Fetch a chart of a registry; Refused if there is none."""
    wanted = Reference.read(reference)
    if options.wanted and wanted.tag and wanted.tag != options.wanted:
        raise Refused(f"chart reference and version mismatch: {options.wanted} is not {wanted.tag}")
    try:
        place = _place(wanted, options, home)
        version = options.wanted or wanted.tag
        return asyncio.run(_retrieved(place, wanted.digest, version, provenance=provenance))
    except OperatorError as error:
        raise Refused(error.text) from error


def tags(reference: str, options: ChartOptions, home: HelmHome) -> list[str]:
    """List the versions of a chart in a registry, newest first; Refused if there is none."""

    async def listed(place: ChartPlace) -> list[Version]:
        client = registry_client()
        try:
            return _versions(await OCIRepository(client, place).tags())
        finally:
            await client.close()

    try:
        found = asyncio.run(listed(_place(Reference.read(reference), options, home)))
    except OperatorError as error:
        raise Refused(error.text) from error
    return [str(one) for one in sorted(found, key=lambda one: one.key, reverse=True)]


def _place(wanted: Reference, options: ChartOptions, home: HelmHome) -> ChartPlace:
    access = Access(
        options.username,
        options.password,
        options.ca_file,
        options.cert_file,
        options.key_file,
        options.insecure_skip_tls_verify,
        options.plain_http,
    )
    environment = {**own_environment(), "HELM_REGISTRY_CONFIG": str(home.registry_config)}
    return access.place(wanted.folder, wanted.name, environment)


async def _retrieved(
    place: ChartPlace, digest: str, version: str, *, provenance: bool
) -> Retrieved:
    bar = Bar(place.name)
    client = registry_client()
    try:
        repository = OCIRepository(client, place)
        chosen = version if digest else await _version(repository, place, version)
        tag = digest or tag_of(chosen)
        manifest = await _manifest(repository, place, tag)
        if digest and version:
            await _check_tag(repository, version, digest)
        bar.expect(manifest.archive.size)
        archive = await repository.blob(manifest.archive, _ARCHIVE_BYTES_LIMIT, bar.advance)
        beside, problem = None, ""
        if provenance and manifest.provenance is None:
            problem = f"manifest does not contain a layer with mediatype {PROVENANCE}"
        elif provenance and manifest.provenance is not None:
            beside = await repository.blob(manifest.provenance, MANIFEST_BYTES_LIMIT)
    finally:
        bar.clear()
        await client.close()
    reference = f"{place.shown.removeprefix(f'{SCHEME}://')}{'@' if digest else ':'}{tag}"
    notes = said("Pulled", reference, manifest.digest) * (2 if beside is not None else 1)
    named = f"@{digest.replace(':', '-')}" if digest else f"-{chosen}"
    beside_url = f"{place.shown}{'@' if digest else ':'}{digest or chosen}.prov"
    return Retrieved(f"{place.name}{named}.tgz", archive, beside, notes, beside_url, problem)


async def _version(repository: OCIRepository, place: ChartPlace, wanted: str) -> str:
    """Return the version itself, or the newest tag of a range."""
    if wanted:
        try:
            Version.parse(wanted)
        except SemverError:
            pass
        else:
            return wanted
    versions = sorted(_versions(await repository.tags()), key=lambda one: one.key, reverse=True)
    if not versions:
        raise Refused(f"unable to locate any tags in provided repository: {place.shown}")
    if any(str(one) == wanted for one in versions):
        return wanted
    try:
        constraint = Constraint.parse(wanted or "*")
    except SemverError as error:
        raise Refused(str(error)) from error
    found = next((one for one in versions if constraint.allows(one)), None)
    if found is None:
        raise Refused(f"could not locate a version matching provided version string {wanted}")
    return str(found)


def _versions(tags: list[str]) -> list[Version]:
    found = []
    for tag in tags:
        try:
            found.append(Version.parse_strict(tag.replace("_", "+")))
        except SemverError:
            continue
    return found


async def _manifest(repository: OCIRepository, place: ChartPlace, tag: str) -> ChartManifest:
    manifest = await repository.manifest(tag)
    if manifest is None:
        apart = "@" if is_digest(tag) else ":"
        reference = f"{place.shown.removeprefix(f'{SCHEME}://')}{apart}{tag}"
        raise Refused(f'failed to perform "FetchReference" on source: {reference}: not found')
    return manifest


async def _check_tag(repository: OCIRepository, version: str, digest: str) -> None:
    """Refuse a digest that is not the one of the tag beside it; the tag need not be there."""
    tagged = await repository.manifest_bytes(tag_of(version))
    if tagged is not None and tagged[1] != digest:
        raise Refused(f"chart reference digest mismatch: {tagged[1]} is not {digest}")

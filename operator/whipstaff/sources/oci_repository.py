"""Read one repository of a registry: its tags, manifests and blobs, checked against digests."""

import hashlib
import json
import re
from collections.abc import Callable
from http import HTTPStatus

from yarl import URL

from whipstaff.errors import ChartIntegrity, ChartInvalid, ChartTooLarge, ChartUnavailable
from whipstaff.sources.fetch import displayed
from whipstaff.sources.oci_client import Answer, RegistryClient, Request, refused
from whipstaff.sources.oci_manifest import (
    ACCEPTED,
    BUNDLE,
    ChartManifest,
    Descriptor,
    is_digest,
    read_bundle,
    read_manifest,
    read_referrers,
    read_signatures,
)
from whipstaff.sources.oci_place import ChartPlace
from whipstaff.workers.evidence import CosignSignature

MANIFEST_BYTES_LIMIT = 1 << 20
TAGS_A_PAGE = 1000

_TAGS_BYTES_LIMIT = 4 << 20  # of one page: some registries send all tags at once
_PAGES_LIMIT = 100
_SIGNATURES_LIMIT = 32
_PAYLOAD_BYTES_LIMIT = 64 << 10
_BUNDLES_LIMIT = 16
_BUNDLE_BYTES_LIMIT = 128 << 10
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_NEXT = re.compile(r'<([^<>]*)>\s*;[^,]*\brel="?next"?')


def is_tag(text: object) -> bool:
    """Whether a text may be a tag."""
    return isinstance(text, str) and _TAG.fullmatch(text) is not None


def tag_of(version: str) -> str:
    """Return the tag of a version: tags know no `+`, so Helm writes `_`."""
    return version.replace("+", "_")


class OCIRepository:
    """One repository, asked as one login."""

    def __init__(
        self, client: RegistryClient, place: ChartPlace, *, tags_a_page: int = TAGS_A_PAGE
    ) -> None:
        self._client = client
        self._place = place
        self._tags_a_page = tags_a_page

    async def tags(self) -> list[str]:
        """List all tags, page by page; none if there is no such repository."""
        found: list[str] = []
        url = self._place.url("tags", "list").with_query(n=str(self._tags_a_page))
        for _ in range(_PAGES_LIMIT):
            answer = await self._ask("GET", url, _TAGS_BYTES_LIMIT)
            if answer.status == HTTPStatus.NOT_FOUND:
                break
            if answer.status != HTTPStatus.OK:
                raise refused(url, answer)
            found += _listed(answer, url)
            following = _following(answer, url)
            if following is None:
                break
            url = following
        return found

    async def points_to(self, tag: str, digest: str) -> bool:
        """Whether a tag is this manifest still: asked by HEAD, which counts as no pull."""
        url = self._place.url("manifests", tag)
        answer = await self._ask("HEAD", url, MANIFEST_BYTES_LIMIT, ACCEPTED)
        sent = answer.headers.get("Docker-Content-Digest")
        return answer.status == HTTPStatus.OK and sent == digest

    async def manifest(self, reference: str) -> ChartManifest | None:
        """Read the manifest of a tag or digest, None if there is none.

        An index that has one chart alone leads there.
        """
        shown = f"{self._place.shown}{'@' if is_digest(reference) else ':'}{reference}"
        for _ in range(2):
            answered = await self.manifest_bytes(reference)
            if answered is None:
                return None
            found = read_manifest(*answered, shown)
            if isinstance(found, ChartManifest):
                return found
            reference = found.digest
        raise ChartInvalid(f"{shown} is an index of indexes, not a chart", shown)

    async def manifest_bytes(self, reference: str) -> tuple[bytes, str] | None:
        """Return a manifest as it is, and its digest; None if there is none.

        ChartIntegrity if it is not what its digest promises.
        """
        url = self._place.url("manifests", reference)
        answer = await self._ask("GET", url, MANIFEST_BYTES_LIMIT, ACCEPTED)
        if answer.status == HTTPStatus.NOT_FOUND:
            return None
        if answer.status != HTTPStatus.OK:
            raise refused(url, answer)
        sent = answer.headers.get("Docker-Content-Digest")
        promised = reference if is_digest(reference) else sent
        found = _digest_of(answer.body)
        if is_digest(promised) and found != promised:
            raise ChartIntegrity(f"{displayed(url)} has the digest {found}, not {promised}")
        return answer.body, found

    async def signatures(self, digest: str) -> tuple[CosignSignature, ...]:
        """Fetch the signatures that cosign put beside a manifest, which are named after it."""
        answered = await self.manifest_bytes(f"{digest.replace(':', '-')}.sig")
        if answered is None:
            return ()
        listed = read_signatures(answered[0], self._place.shown)[:_SIGNATURES_LIMIT]
        return tuple(
            [
                CosignSignature(await self.blob(payload, _PAYLOAD_BYTES_LIMIT), *annotations)
                for payload, annotations in listed
            ]
        )

    async def bundles(self, digest: str) -> tuple[bytes, ...]:
        """Fetch Sigstore's bundles that refer to a manifest."""
        shown = self._place.shown
        found = []
        listed = read_referrers(await self._referrers(digest), shown)
        for one in listed[-_BUNDLES_LIMIT:]:  # the newest, as cosign adds them
            answered = await self.manifest_bytes(one.digest)
            bundle = read_bundle(answered[0], shown) if answered else None
            if bundle is not None:
                found.append(await self.blob(bundle, _BUNDLE_BYTES_LIMIT))
        return tuple(found)

    async def _referrers(self, digest: str) -> bytes:
        """List what refers to a manifest: registries that cannot say have a tag for it."""
        url = self._place.url("referrers", digest).with_query(artifactType=BUNDLE)
        answer = await self._ask("GET", url, MANIFEST_BYTES_LIMIT, ACCEPTED)
        if answer.status == HTTPStatus.OK:
            return answer.body
        answered = await self.manifest_bytes(digest.replace(":", "-"))
        return answered[0] if answered else b'{"manifests": []}'

    async def blob(
        self,
        wanted: Descriptor,
        bytes_limit: int,
        received: Callable[[int], None] | None = None,
    ) -> bytes:
        """Fetch a blob; ChartIntegrity if it is not what its digest promises.

        `received` is told how many bytes came, piece by piece.
        """
        url = self._place.url("blobs", wanted.digest)
        if wanted.size > bytes_limit:
            raise ChartTooLarge(f"{displayed(url)} is larger than {bytes_limit} bytes")
        answer = await self._ask("GET", url, bytes_limit, received=received)
        if answer.status != HTTPStatus.OK:
            raise refused(url, answer)
        found = _digest_of(answer.body)
        if found != wanted.digest:
            raise ChartIntegrity(
                f"{displayed(url)} has the digest {found}, but its manifest promises "
                f"{wanted.digest}"
            )
        return answer.body

    async def _ask(
        self,
        method: str,
        url: URL,
        bytes_limit: int,
        accept: str = "*/*",
        received: Callable[[int], None] | None = None,
    ) -> Answer:
        place = self._place
        headers = {"Accept": accept}
        request = Request(
            method, url, place.repository, bytes_limit, headers=headers, received=received
        )
        return await self._client.ask(place.registry, request)


def _digest_of(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _listed(answer: Answer, url: URL) -> list[str]:
    try:
        return [tag for tag in json.loads(answer.body)["tags"] or [] if is_tag(tag)]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        where = displayed(url)
        raise ChartUnavailable(f"{where}: the registry sent no list of tags", where) from error


def _following(answer: Answer, url: URL) -> URL | None:
    """Return the next page, which must be of the same registry; None after the last one."""
    found = _NEXT.search(answer.headers.get("Link", ""))
    if found is None:
        return None
    where = displayed(url)
    try:
        following = url.join(URL(found[1]))
    except ValueError as error:
        raise ChartUnavailable(f"{where}: the next page of tags is no URL", where) from error
    if following.origin() != url.origin():
        raise ChartUnavailable(f"{where}: the next page of tags is at another place", where)
    return following

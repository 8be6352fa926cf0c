"""Whether a chart is the one that was pinned, and signed by whom the HelmRelease trusts.

A chart that fails is not returned, so that nothing of it is rendered or applied.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from whipstaff.errors import ChartIntegrity, ChartUnsigned, VerificationKeyInvalid
from whipstaff.helmrelease.types import Verification, VerificationProvider
from whipstaff.helmrepository.status import Fetched
from whipstaff.reconcile.ports import ChartReference, ResolvedChart
from whipstaff.sources.credentials import SecretData
from whipstaff.sources.place import Evidence, Place, PlacedCharts
from whipstaff.workers.evidence import CosignSignature, Trusted

_KEPT = 4096
_KEYS_BYTES_LIMIT = 512 << 10
_KEYS_LIMIT = 64
_COSIGN_KEY = ".pub"
_ROOT = "trusted_root.json"


class Secrets(Protocol):
    """Who reads Secrets: the API server, as the operator."""

    async def secret(self, namespace: str, name: str) -> Mapping[str, Any] | None:
        """Return a Secret as it is stored, None if there is none."""
        ...


class Checker(Protocol):
    """Who checks signatures: the worker pool."""

    async def verify_provenance(
        self, keys: Mapping[str, bytes], text: bytes, file: str, digest: str
    ) -> None:
        """Check a .prov of a chart archive; ChartSignatureInvalid and its kin."""
        ...

    async def verify_cosign(
        self,
        trusted: Trusted,
        signatures: Sequence[CosignSignature],
        bundles: Sequence[bytes],
        digest: str,
    ) -> None:
        """Check signatures of a manifest; ChartSignatureInvalid and its kin."""
        ...


class VerifiedCharts:
    """The PlacedCharts that let no chart pass which fails; one that proved good stays good."""

    def __init__(self, charts: PlacedCharts, secrets: Secrets, checker: Checker) -> None:
        self._charts = charts
        self._secrets = secrets
        self._checker = checker
        self._proved: dict[tuple[object, ...], None] = {}  # the oldest first

    async def close(self) -> None:
        """Stop what is under way and close all connections."""
        await self._charts.close()

    def known(self, place: Place) -> bool:
        """Whether `resolve` can choose without asking the repository for its index."""
        return self._charts.known(place)

    async def refresh(self, place: Place) -> Fetched:
        """Ask the repository now, and say what there is."""
        return await self._charts.refresh(place)

    async def evidence(
        self,
        place: Place,
        reference: ChartReference,
        chart: ResolvedChart,
        provider: VerificationProvider,
    ) -> Evidence:
        """Fetch what was published beside a chart."""
        return await self._charts.evidence(place, reference, chart, provider)

    async def resolve(
        self, place: Place, reference: ChartReference, *, max_age_seconds: float
    ) -> ResolvedChart:
        """Choose a version, have its archive in the cache, and check it.

        ChartIntegrity for another chart than the pinned one, ChartUnsigned and its kin where the
        signature is missing or wrong.
        """
        chart = await self._charts.resolve(place, reference, max_age_seconds=max_age_seconds)
        refuse_unless_pinned(reference, chart)
        await self._verify(place, reference, chart)
        return chart

    async def _verify(self, place: Place, reference: ChartReference, chart: ResolvedChart) -> None:
        if reference.verify is None:
            return
        trusted = await self._trusted(reference.namespace, reference.verify)
        seen = repr((sorted(trusted.keys.items()), trusted.root))
        digest = hashlib.sha256(seen.encode()).digest()
        proof = (place.scope, chart.digest, chart.manifest_digest, reference.verify, digest)
        if proof in self._proved:
            return
        await self._prove(place, reference, chart, reference.verify.provider, trusted)
        self._proved[proof] = None
        if len(self._proved) > _KEPT:
            del self._proved[next(iter(self._proved))]

    async def _prove(
        self,
        place: Place,
        reference: ChartReference,
        chart: ResolvedChart,
        provider: VerificationProvider,
        trusted: Trusted,
    ) -> None:
        found = await self._charts.evidence(place, reference, chart, provider)
        subject = f"{chart.name} {chart.version}"
        match provider:
            case VerificationProvider.PGP:
                if found.provenance is None:
                    raise ChartUnsigned(f"{subject} has no provenance (.prov)", subject)
                file = f"{chart.name}-{chart.version}.tgz"
                await self._checker.verify_provenance(
                    trusted.keys, found.provenance, file, chart.digest
                )
            case VerificationProvider.COSIGN:
                if not found.signatures and not found.bundles:
                    raise ChartUnsigned(f"{subject} has no signature of cosign", subject)
                await self._checker.verify_cosign(
                    trusted, found.signatures, found.bundles, chart.manifest_digest
                )

    async def _trusted(self, namespace: str, verification: Verification) -> Trusted:
        if not verification.identities:
            return Trusted(await self._keys(namespace, verification))
        place, data = await self._secret(namespace, verification.trusted_root_secret)
        root = data.get(_ROOT, b"")
        if not root or len(root) > _KEYS_BYTES_LIMIT:
            what = f"no {_ROOT}" if not root else f"a {_ROOT} that is too large"
            raise VerificationKeyInvalid(f"{place} has {what}", place)
        name = f"{place}: {_ROOT}"
        return Trusted(identities=verification.identities, root=root, root_name=name)

    async def _keys(self, namespace: str, verification: Verification) -> Mapping[str, bytes]:
        """Read the keys of a Secret, by names that errors may say."""
        place, data = await self._secret(namespace, verification.secret)
        wanted = _COSIGN_KEY if verification.provider is VerificationProvider.COSIGN else ""
        keys = {f"{place}: {name}": key for name, key in data.items() if name.endswith(wanted)}
        if not keys:
            what = "no key, which ends in .pub" if wanted else "no key"
            raise VerificationKeyInvalid(f"{place} has {what}", place)
        if len(keys) > _KEYS_LIMIT or sum(map(len, keys.values())) > _KEYS_BYTES_LIMIT:
            raise VerificationKeyInvalid(f"{place} has more keys than can be tried", place)
        return keys

    async def _secret(self, namespace: str, name: str) -> tuple[str, Mapping[str, bytes]]:
        """Return what errors call a Secret, and its data."""
        place = f"Secret {namespace}/{name}"
        found = await self._secrets.secret(namespace, name)
        if found is None:
            raise VerificationKeyInvalid(f"{place} does not exist", place)
        return place, SecretData.of(found, place).data


def refuse_unless_pinned(reference: ChartReference, chart: ResolvedChart) -> None:
    """Raise ChartIntegrity for another chart than `spec.chart.digest` says, if it says any."""
    if not reference.digest or reference.digest in {chart.digest, chart.manifest_digest}:
        return
    manifest = f", its manifest {chart.manifest_digest}" if chart.manifest_digest else ""
    raise ChartIntegrity(
        f"{chart.name} {chart.version} has the digest {chart.digest}{manifest}, "
        f"but spec.chart.digest is {reference.digest}",
        "spec.chart.digest",
    )

"""What a caller may see, in the API server's own words: SelfSubjectAccessReviews.

The cache of releases is read with other rights than the caller's, so nothing goes out of it that
was not asked about here. An answer is kept for seconds.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from whipstaff.gateway.callers import Caller
from whipstaff.kube.client import Request, Requester

KNOWN_SECONDS = 10.0  # how long a right outlives its withdrawal here
KNOWN_LIMIT = 32_768
AT_ONCE = 16  # questions of one request

ELSEWHERE_SECONDS = 3.0  # one question to another cluster

REVIEW = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


@dataclass(frozen=True, slots=True)
class Right:
    """One thing that somebody may do; an empty namespace means all of them."""

    verb: str
    resource: str
    namespace: str
    group: str = ""
    name: str = ""


def list_releases(namespace: str = "") -> Right:
    """Return the right to list HelmReleases."""
    return Right("list", "helmreleases", namespace, "whipstaff.dev")


def get_secret(namespace: str, name: str) -> Right:
    """Return the right to read one Secret."""
    return Right("get", "secrets", namespace, name=name)


class Access:
    """Asks the API server as the caller."""

    def __init__(self, client: Requester, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._clock = clock
        self._known: OrderedDict[tuple[str, Right], tuple[float, bool]] = OrderedDict()

    async def may(self, caller: Caller, right: Right) -> bool:
        """Whether the caller has a right; ClusterRefused if the API server does not say."""
        until, allowed = self._known.get((caller.key, right), (0.0, False))
        if until > self._clock():
            return allowed
        attributes = {
            "verb": right.verb,
            "group": right.group,
            "resource": right.resource,
            "namespace": right.namespace,
            "name": right.name,
        }
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {k: v for k, v in attributes.items() if v}},
        }
        request = Request("POST", REVIEW, caller.identity, body=body, repeatable=True)
        if caller.identity.remote is not None:
            request = replace(request, timeout_seconds=ELSEWHERE_SECONDS, attempts=1)
        answer = await self._client.send(request)
        allowed = (answer.get("status") or {}).get("allowed") is True
        self._known[caller.key, right] = (self._clock() + KNOWN_SECONDS, allowed)
        self._known.move_to_end((caller.key, right))
        if len(self._known) > KNOWN_LIMIT:
            self._known.popitem(last=False)
        return allowed

    async def among(self, caller: Caller, namespaces: Collection[str]) -> frozenset[str] | None:
        """Return those namespaces whose releases the caller may list; None: all there are."""
        if await self.may(caller, list_releases()):
            return None
        places = sorted(namespaces)
        turns = asyncio.Semaphore(AT_ONCE)

        async def allowed(namespace: str) -> bool:
            async with turns:
                return await self.may(caller, list_releases(namespace))

        answers = await asyncio.gather(*(allowed(one) for one in places))
        return frozenset(one for one, yes in zip(places, answers, strict=True) if yes)

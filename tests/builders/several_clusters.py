"""Two or more little API servers: the gateway's own, with Secrets that lead to the others."""

import asyncio
import json
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.builders.little_api_server import OWN_TOKEN, LittleApiServer, a_gateway
from tests.builders.remote_clusters import a_kubeconfig, b64
from whipstaff.gateway.options import CLUSTERS_READER

PLACE = "whipstaff-system"
_PATH = f"/api/v1/namespaces/{PLACE}/secrets"


class Hub(LittleApiServer):
    """The cluster that the gateway runs in; `lead` and `mislead` edit its Secrets."""

    def __init__(self, *releases):
        super().__init__(*releases)
        self.kubeconfigs = {}
        self.groups = {}  # of users
        self._told = asyncio.Queue()
        self._version = 1

    def lead(self, secret, kubeconfig, cluster=None):
        """Store a kubeconfig in a Secret for a cluster, the one of the Secret's name by default."""
        self._version += 1
        found = self.kubeconfigs[secret] = {
            "metadata": {
                "name": secret,
                "namespace": PLACE,
                "uid": f"uid-{secret}",
                "resourceVersion": str(self._version),
                "labels": {"whipstaff.dev/cluster": secret if cluster is None else cluster},
            },
            "data": {"value": b64(kubeconfig)},
        }
        self._told.put_nowait({"type": "MODIFIED", "object": found})

    def mislead(self, secret):
        """Delete a Secret."""
        self._told.put_nowait({"type": "DELETED", "object": self.kubeconfigs.pop(secret)})

    async def handle(self, request):
        if request.path == _PATH and request.method == "GET":
            assert request.headers["Impersonate-User"] == CLUSTERS_READER
            assert request.query["labelSelector"] == "whipstaff.dev/cluster"
            return await self._secrets(request)
        answer = await super().handle(request)
        if request.path.endswith("selfsubjectreviews") and answer.status == 200:
            info = json.loads(answer.text)["status"]["userInfo"]
            groups = [*self.groups.get(info["username"], ()), "system:authenticated"]
            return web.json_response({"status": {"userInfo": {**info, "groups": groups}}})
        return answer

    async def _secrets(self, request):
        if "watch" not in request.query:
            items = list(self.kubeconfigs.values())
            while not self._told.empty():
                self._told.get_nowait()
            return web.json_response({"metadata": {"resourceVersion": "1"}, "items": items})
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(json.dumps(await self._told.get()).encode() + b"\n")


class Spoke(LittleApiServer):
    """Another cluster, which notes what it was sent to prove who asks."""

    def __init__(self, *releases):
        super().__init__(*releases)
        self.tokens = {}  # the people of the hub have no tokens here
        self.proofs = set()
        self.speechless = False  # does not answer, nor hang up
        self.reviews = True  # answers questions about rights
        self.kubeconfig = ""

    async def handle(self, request):
        self.proofs.add(request.headers.get("Authorization"))
        silent = self.speechless
        if "accessreviews" in request.path and not self.reviews:
            silent = True
        if silent:
            await asyncio.Event().wait()
        return await super().handle(request)


@asynccontextmanager
async def spokes(*servers):
    """Have other clusters answer; each knows the kubeconfig that leads to it."""
    serving = []
    try:
        for server in servers:
            app = web.Application()
            app.router.add_route("*", "/{path:.*}", server.handle)
            api = TestServer(app)
            serving.append(api)
            await api.start_server(shutdown_timeout=0.1)
            url = str(api.make_url("")).rstrip("/")
            server.kubeconfig = a_kubeconfig(url, user={"token": OWN_TOKEN})
        yield
    finally:
        for api in serving:
            await api.close()


def several(hub, **options):
    """Serve the releases of a hub and of all clusters that its Secrets lead to."""
    rules = {"allow_loopback_clusters": True, "allow_insecure_clusters": True}
    return a_gateway(hub, clusters_namespace=PLACE, **{**rules, **options})


async def until(ask, path, holds, token="alice-token"):
    """Ask again and again until `holds` of the answer; return it."""
    async with asyncio.timeout(60):
        while True:
            answer = await ask(path, token=token)
            if answer.status == 200 and holds(answer.json):
                return answer.json
            await asyncio.sleep(0.05)


def reachable(*names):
    """Whether these clusters answer, and no others are there."""

    def holds(found):
        return {one["name"] for one in found["items"]} == set(names) and all(
            one["reachable"] for one in found["items"]
        )

    return holds

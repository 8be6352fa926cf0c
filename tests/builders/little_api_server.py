"""An API server with HelmReleases, Secrets and people, as far as the gateway asks for them."""

import asyncio
import base64
import copy
import json
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer
from yarl import URL

from tests.builders.chart_servers import Answer
from tests.builders.stub_api_server import refused
from whipstaff.gateway.options import READER, Options
from whipstaff.gateway.running import end_streams, serving
from whipstaff.kube.connection import Given
from whipstaff.release import codec

OWN_TOKEN = "the-gateway-itself"
EVERYTHING = "*"
EMPTY = " "  # a user without a name
_TELLING = ("Impersonate-Uid", "Impersonate-Extra-", "X-Remote-")
_VERBS = {"POST": "create", "PATCH": "patch", "DELETE": "delete"}


def a_release(name="blog", namespace="web", version="7", **status):
    """A HelmRelease that is Ready unless its status says otherwise."""
    ready = {"type": "Ready", "status": "True", "reason": "UpgradeSucceeded", "message": "fine"}
    history = [{"revision": 2, "chart": "blog", "version": "1.2.3", "appVersion": "9"}]
    return {
        "apiVersion": "whipstaff.dev/v1",
        "kind": "HelmRelease",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": f"uid-{namespace}-{name}",
            "resourceVersion": version,
            "creationTimestamp": "2026-01-02T03:04:05Z",
        },
        "spec": {
            "chart": {"name": "blog", "repository": "https://charts.example", "version": "^1"}
        },
        "status": {
            "conditions": [ready],
            "revision": 2,
            "chartVersion": "1.2.3",
            "history": history,
            "release": {"name": name, "namespace": namespace, "storageNamespace": namespace},
            **status,
        },
    }


class LittleApiServer:
    """Holds what it is given; `rights` says who may do what: (user, verb, resource, namespace)."""

    def __init__(self, *releases):
        self.releases = {
            (one["metadata"]["namespace"], one["metadata"]["name"]): one for one in releases
        }
        self.secrets = {}
        self.events = []
        self.repositories = []
        self.workloads = {}  # by namespace and name
        self.pods = []
        self.tokens = {"alice-token": "alice", "bob-token": "bob"}
        self.rights = {(READER, "list", "helmreleases", "")}
        self.requests = []
        self.url = ""  # once it is served
        self.away = False
        self.writes = []  # bodies of writes that had an effect
        self.lost_answers = 0  # of writes that had their effect
        self.meanwhile = None  # called once before a write, as somebody else who writes
        self._changes = asyncio.Queue()

    def allow(self, user, verb, resource, namespace=""):
        self.rights.add((user, verb, resource, namespace))

    def store(self, revision):
        """Keep a revision as Helm does."""
        payload = base64.b64encode(codec.encode(codec.to_record(revision)).encode()).decode()
        name = f"sh.helm.release.v1.{revision.name}.v{revision.number}"
        self.secrets[revision.namespace, name] = {"data": {"release": payload}, "metadata": {}}

    def change(self, release, kind="MODIFIED"):
        """Tell those who watch."""
        metadata = release["metadata"]
        key = metadata["namespace"], metadata["name"]
        self.releases.pop(key, None)
        if kind != "DELETED":
            self.releases[key] = release
        self._changes.put_nowait(json.dumps({"type": kind, "object": release}) + "\n")

    def asked(self, *ends):
        """Give the requests whose path ends so."""
        return [one for one in self.requests if one["path"].endswith(ends)]

    def may(self, user, verb, resource, namespace):
        return (
            any((user, verb, resource, place) in self.rights for place in ("", namespace))
            or (user, EVERYTHING, EVERYTHING, "") in self.rights
        )

    async def handle(self, request):
        if self.away:
            return refused(503, "ServiceUnavailable", "etcd is away")
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        user = self.tokens.get(token, "")
        if token == OWN_TOKEN:
            user = request.headers.get("Impersonate-User", "the gateway")
        groups = request.headers.getall("Impersonate-Group", [])
        told = [name for name in request.headers if name.startswith(_TELLING)]
        self.requests.append({"path": request.path, "user": user, "groups": groups, "told": told})
        if not user:
            return refused(401, "Unauthorized", "Unauthorized")
        body = await request.json() if request.can_read_body else {}
        if request.path.endswith("selfsubjectreviews"):
            return web.json_response({"status": {"userInfo": {"username": user.strip()}}})
        if request.path.endswith("selfsubjectaccessreviews"):
            asked = body["spec"]["resourceAttributes"]
            allowed = self.may(user, asked["verb"], asked["resource"], asked.get("namespace", ""))
            return web.json_response({"status": {"allowed": allowed}})
        return await self._resource(request, user, body)

    async def _resource(self, request, user, body):
        parts = request.path.partition("/v1/")[2].split("/")
        namespace, parts = (parts[1], parts[2:]) if parts[0] == "namespaces" else ("", parts)
        resource, name = parts[0], "".join(parts[1:2])
        reading = "get" if name else "list"
        verb = _VERBS.get(request.method, reading)
        if not self.may(user, verb, resource, namespace):
            where = f'in the namespace "{namespace}"'
            return refused(
                403, "Forbidden", f'{resource} "{name}" is forbidden: User "{user}" cannot {where}'
            )
        held = {"helmreleases": self.releases, "deployments": self.workloads}.get(
            resource, self.secrets
        )
        if "watch" in request.query:
            return await self._watch(request)
        if request.method != "GET":
            return self._write(request, namespace, name or body["metadata"]["name"], body)
        if name:
            found = held.get((namespace, name))
            missing = refused(404, "NotFound", f'{resource} "{name}" not found')
            return web.json_response(found) if found else missing
        others = {
            "events": self.events,
            "helmrepositories": self.repositories,
            "pods": self.pods,
        }
        own = [one for (place, _), one in held.items() if namespace in ("", place)]
        items = others.get(resource, own)
        return web.json_response({"metadata": {"resourceVersion": "1"}, "items": items})

    def _write(self, request, namespace, name, body):
        """Make, change or delete a HelmRelease, about as an API server does."""
        if self.meanwhile is not None:
            others, self.meanwhile = self.meanwhile, None
            others()
        live = self.releases.get((namespace, name))
        if request.method == "POST" and live is not None:
            return refused(409, "AlreadyExists", f'helmreleases "{name}" already exists')
        if request.method == "POST":
            live, body = {**body, "metadata": {**body["metadata"], "uid": "new"}}, {}
        if live is None:
            return refused(404, "NotFound", f'helmreleases "{name}" not found')
        changed = _changed(request.method, live, body)
        if changed is None:
            return refused(409, "Conflict", "the object has been modified")
        version = live["metadata"].get("resourceVersion", "0")
        changed["metadata"]["resourceVersion"] = str(int(version) + 1)
        options = body if request.method == "DELETE" and body else request.query
        if "dryRun" in options:
            return web.json_response(changed)
        self.writes.append(body)
        self.change(changed)
        if self.lost_answers:
            self.lost_answers -= 1
            request.transport.close()
        return web.json_response(changed)

    async def _watch(self, request):
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write((await self._changes.get()).encode())


def _changed(method, live, body):
    """Give an object after a write, None if the write was for another one."""
    changed = copy.deepcopy(live)
    metadata = changed["metadata"]
    if method == "DELETE":
        metadata["deletionTimestamp"] = "2026-01-02T03:04:05Z"
        wanted = body.get("preconditions", {}).get("uid")
        return changed if wanted in (None, metadata["uid"]) else None
    if isinstance(body, list):
        return changed if _patch(changed, body) else None
    told = body.get("metadata", {})
    if "resourceVersion" in told and told["resourceVersion"] != metadata["resourceVersion"]:
        return None
    if annotations := told.get("annotations"):
        metadata.setdefault("annotations", {}).update(annotations)
    for field, value in body.get("spec", {}).items():
        before = changed["spec"].get(field)
        both = isinstance(before, dict) and isinstance(value, dict)
        changed["spec"][field] = {**before, **value} if both else value
    return changed


def _patch(body, operations):
    """Do a JSON patch; False if it was for another version."""
    for one in operations:
        *path, last = [
            part.replace("~1", "/").replace("~0", "~") for part in one["path"].split("/")[1:]
        ]
        place = body
        for part in path:
            place = place[part]
        if one["path"] == "/metadata/resourceVersion" and place[last] != one["value"]:
            return False
        if one["op"] == "remove":
            del place[last]
        elif one["op"] == "test":
            assert place[last] == one["value"]
        else:
            place[last] = one["value"]
    return True


class Asking:
    """Asks the gateway."""

    def __init__(self, served, session, server):
        self.url = served.url
        self.cache = served.clusters.home.cache
        self.streams = served.streams
        self.server = server
        self._session = session

    async def __call__(self, path, token="alice-token", method="GET", headers=None, **request):
        headers = dict(headers or {})
        if token:
            headers["Authorization"] = f"Bearer {token}"
        # The path goes out as it is: tests spell what a library would tidy.
        url = URL(self.url + path, encoded=True)
        async with self._session.request(
            method, url, headers=headers, allow_redirects=False, **request
        ) as answer:
            return Answer(answer.status, dict(answer.headers), await answer.read())


@asynccontextmanager
async def a_gateway(server, ssl=False, **options):
    """Serve the releases of a LittleApiServer; its cache is filled."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.handle)
    api = TestServer(app)
    await api.start_server(shutdown_timeout=0.1)
    server.url = str(api.make_url("")).rstrip("/")
    connection = Given(server.url, tls=True, token=OWN_TOKEN)
    try:
        async with serving(Options(port=0, **options), connection) as served:
            watching = asyncio.create_task(served.clusters.run())
            ending = asyncio.create_task(end_streams(served))
            answering = asyncio.create_task(served.server.serve([served.socket]))
            async with asyncio.timeout(60):
                while not served.clusters.home.cache.synced:  # noqa: ASYNC110 - it has no event
                    await asyncio.sleep(0.01)
            async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=ssl)) as session:
                yield Asking(served, session, server)
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
            served.server.should_exit = True
            await asyncio.gather(answering, ending)
    finally:
        await api.close()

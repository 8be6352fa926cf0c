"""Commands of the client, sent to an API server and through a gateway to the same one."""

import asyncio
import copy

from aiohttp import web
from aiohttp.test_utils import TestServer
from click.testing import CliRunner

from tests.builders.little_api_server import LittleApiServer
from tests.builders.stub_api_server import refused
from whipstaff.cli.main import main
from whipstaff.helmrelease.names import REQUESTED_AT, TEST_AT, TEST_FILTER

NO_CLUSTER = {"KUBECONFIG": "/nowhere", "HELM_NAMESPACE": "web"}
KINDS = {
    "/api/v1": [("ConfigMap", "configmaps", True), ("Pod", "pods", True)],
    "/apis/whipstaff.dev/v1": [("HelmRelease", "helmreleases", True)],
}


class ShownApiServer(LittleApiServer):
    """One that has all that the client's commands read, and whose operator hears annotations."""

    def __init__(self, *releases):
        super().__init__(*releases)
        self.objects = {}  # by path
        self.logs = {}
        self.namespaces = {"web"}
        self.selections = []  # (path, query) of lists

    def store(self, revision):
        super().store(revision)
        name = f"sh.helm.release.v1.{revision.name}.v{revision.number}"
        self.secrets[revision.namespace, name]["metadata"] = {
            "name": name,
            "namespace": revision.namespace,
            "labels": {
                "owner": "helm",
                "name": revision.name,
                "status": str(revision.status),
                "version": str(revision.number),
                **revision.labels,
            },
        }

    def _write(self, request, namespace, name, body):
        if namespace not in self.namespaces:
            return refused(404, "NotFound", f'namespaces "{namespace}" not found')
        if request.method == "PATCH" and (namespace, name) not in self.releases:  # it is applied
            body["metadata"] |= {"uid": "new", "resourceVersion": "1"}
            if "dryRun" not in request.query:
                self.writes.append(body)
                self.change(body)
            return web.json_response(body)
        return super()._write(request, namespace, name, body)

    def change(self, release, kind="MODIFIED"):
        notes = release["metadata"].get("annotations", {})
        status = release.setdefault("status", {})
        if notes.get(REQUESTED_AT):
            status["lastHandledReconcileAt"] = notes[REQUESTED_AT]
        if notes.get(TEST_AT):
            status["lastHandledTestAt"] = status["testRequest"] = notes[TEST_AT]
            failed = "bad" in notes.get(TEST_FILTER, "")
            told = {"type": "Tested", "status": str(not failed), "message": "the test bad failed"}
            status["conditions"] = [*status["conditions"][:1], told]
        super().change(release, kind)

    async def _resource(self, request, user, body):
        path, query = request.path, request.query
        if path in KINDS:
            kinds = [{"kind": k, "name": n, "namespaced": b} for k, n, b in KINDS[path]]
            return web.json_response({"resources": kinds})
        if request.method != "GET" or "watch" in query:
            return await super()._resource(request, user, body)
        if path in self.logs:
            return web.Response(text=self.logs[path])
        if path in self.objects:
            return web.json_response(self.objects[path])
        parts = path.split("/")[3:]
        if len(parts) == 2 and parts[0] == "namespaces":
            there = parts[1] in self.namespaces
            missing = refused(404, "NotFound", f'namespaces "{parts[1]}" not found')
            return web.json_response({"kind": "Namespace"}) if there else missing
        if path.endswith("/secrets") and self.may(user, "list", "secrets", parts[1]):
            self.selections.append((path, dict(query)))
            return web.json_response(self._selected(query, parts[1:2]))
        return await super()._resource(request, user, body)

    def _selected(self, query, places):
        """Give a page of the stored releases with some labels."""
        found = [
            one
            for (namespace, _), one in sorted(self.secrets.items())
            if places in ([], [namespace]) and _has(one["metadata"]["labels"], query)
        ]
        begin = int(query.get("continue", 0))
        end = begin + int(query.get("limit", 500))
        more = {"continue": str(end)} if end < len(found) else {}
        return {"metadata": more, "items": found[begin:end]}


def _has(labels, query):
    for term in query["labelSelector"].split(","):
        name, _, text = term.partition("=")
        same = labels.get(name.rstrip("!")) == text
        if same == name.endswith("!"):
            return False
    return True


class BothWays:
    """Runs a command at the API server, and through the gateway; each begins with the same."""

    def __init__(self, ask):
        self.server, self.gateway = ask.server, ask.url

    async def directly(self, *words, token="alice-token"):
        return await run(*words, "--kube-apiserver", self.server.url, "--kube-token", token)

    async def through(self, *words, token="alice-token", url="", **environment):
        way = ("--server", url or self.gateway, "--server-token", token)
        return await run(*words, *way, **environment)

    async def both(self, *words, token="alice-token"):
        """Give what each prints, and what becomes of the HelmReleases; nothing stays of it."""
        before = copy.deepcopy((self.server.releases, self.server.secrets))
        ended = []
        for way in (self.directly, self.through):
            self.server.releases, self.server.secrets = copy.deepcopy(before)
            told = await way(*words, token=token)
            assert not told.exception or isinstance(told.exception, SystemExit), told.exception
            ended.append((told, _wanted(self.server.releases)))
        self.server.releases, self.server.secrets = before
        return ended


def _wanted(releases):
    """Give what HelmReleases ask for, without the moments at which somebody asked."""
    return {
        key: (
            one["spec"],
            sorted(
                note
                for note, text in one["metadata"].get("annotations", {}).items()
                if text and not note.endswith("/orders")
            ),
            "deletionTimestamp" in one["metadata"],
        )
        for key, one in releases.items()
    }


async def run(*words, **environment):
    """Run a command beside the event loop that answers it."""
    given = {**NO_CLUSTER, **environment}
    return await asyncio.to_thread(CliRunner().invoke, main, list(words), env=given)


class BreakingLine:
    """Stands before a gateway, and breaks the next connections once it has answered."""

    def __init__(self, url, session):
        self._url, self._session = url, session
        self.breaks = 0
        self.seen = []  # (method, path, headers)
        self.served = None

    async def __aenter__(self):
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._pass_on)
        self.served = TestServer(app)
        await self.served.start_server(shutdown_timeout=0.1)
        self.url = str(self.served.make_url("")).rstrip("/")
        return self

    async def __aexit__(self, *_):
        await self.served.close()

    async def _pass_on(self, request):
        self.seen.append((request.method, request.path, dict(request.headers)))
        headers = {k: v for k, v in request.headers.items() if k.lower() != "host"}
        async with self._session.request(
            request.method,
            f"{self._url}{request.path_qs}",
            headers=headers,
            data=await request.read() or None,
        ) as answer:
            body = await answer.read()
            if request.method != "GET" and self.breaks:
                self.breaks -= 1
                request.transport.close()
            return web.Response(status=answer.status, body=body, content_type=answer.content_type)


def facts(told):
    """Give what a person sees of a command that ended."""
    return told.exit_code, told.stdout, told.stderr

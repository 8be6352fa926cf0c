"""A node that answers for logs: what a kubelet does when somebody runs `kubectl logs`."""

import http.server
import itertools
import ssl
import threading
from urllib.parse import parse_qs, urlsplit

from tests.builders.certificates import Authority

_NAMES = itertools.count(1)


class LoggingNode:
    """A node of the control plane whose containers are as tests say; nothing runs on it.

    Pods come to it by nodeSelector; what their status says is written by the test.
    """

    def __init__(self, control_plane, folder):
        self.logs = {}  # (pod or its beginning, container, previous) -> text
        self._api = control_plane.api
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._server.socket = _context(folder).wrap_socket(self._server.socket, server_side=True)
        self.name = f"logging-{self._server.server_port}-{next(_NAMES)}"

    @property
    def selector(self):
        """The nodeSelector of Pods that belong here."""
        return {"kubernetes.io/hostname": self.name}

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        labels = {"kubernetes.io/hostname": self.name}
        body = {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": self.name, "labels": labels},
            "spec": {"taints": [{"key": "tests", "value": "logs", "effect": "NoSchedule"}]},
        }
        self._api.request("POST", "/api/v1/nodes", body)
        room = {"cpu": "8", "memory": "8Gi", "pods": "100"}
        status = {
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": self._server.server_port}},
            "capacity": room,
            "allocatable": room,
            "conditions": [{"type": "Ready", "status": "True"}],
        }
        self._api.request("PATCH", f"/api/v1/nodes/{self.name}/status", {"status": status})
        return self

    def __exit__(self, *_):
        self._api.request("DELETE", f"/api/v1/nodes/{self.name}")
        self._server.shutdown()
        self._server.server_close()

    def _handler(self):
        logs = self.logs

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                url = urlsplit(self.path)
                query = parse_qs(url.query)
                _, verb, _, pod, container = url.path.split("/")
                previous = query.get("previous") == ["true"]
                text = next(
                    (
                        text
                        for (beginning, *others), text in logs.items()
                        if pod.startswith(beginning) and others == [container, previous]
                    ),
                    None,
                )
                known = verb == "containerLogs" and text is not None
                lines = (text or "no such log").splitlines(keepends=True)
                tail = lines[-int(query.get("tailLines", ["1000"])[0]) :]
                self.send_response(200 if known else 404)
                self.end_headers()
                self.wfile.write("".join(tail).encode())

            def log_message(self, *_):
                pass

        return Handler


def _context(folder):
    certificate, key = Authority().issue()
    files = folder / "kubelet.crt", folder / "kubelet.key"
    files[0].write_text(certificate)
    files[1].write_text(key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)
    return context

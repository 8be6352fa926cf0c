"""A webhook that refuses whatever the API server asks it about, as policy engines do."""

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.builders.certificates import Authority, served_by

PLACE = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"


class DenyingWebhook:
    """Refuses one kind of object of one namespace while it is open."""

    def __init__(self, api, namespace, resource, message, folder):
        self._api = api
        self._name = f"deny-{resource}-{namespace}"
        authority = Authority()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _refusing(message))
        tls = served_by(authority, folder)
        self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        rule = {
            "apiGroups": [""],
            "apiVersions": ["v1"],
            "operations": ["CREATE"],
            "resources": [resource],
        }
        self._webhook = {
            "name": "rules.house.test",
            "admissionReviewVersions": ["v1"],
            "sideEffects": "None",
            "rules": [rule],
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
            "clientConfig": {
                "url": f"https://127.0.0.1:{self._server.server_port}/",
                "caBundle": base64.b64encode(authority.pem.encode()).decode(),
            },
        }

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        body = {"metadata": {"name": self._name}, "webhooks": [self._webhook]}
        self._api.request("POST", PLACE, body)
        return self

    def __exit__(self, *_):
        self._api.request("DELETE", f"{PLACE}/{self._name}")
        self._server.shutdown()
        self._server.server_close()


def _refusing(message):
    class Answer(BaseHTTPRequestHandler):
        def do_POST(self):
            length = int(self.headers["Content-Length"])
            asked = json.loads(self.rfile.read(length))
            response = {
                "uid": asked["request"]["uid"],
                "allowed": False,
                "status": {"message": message},
            }
            body = json.dumps({**asked, "response": response}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    return Answer

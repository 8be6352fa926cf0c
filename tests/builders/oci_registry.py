"""CNCF's registry on a free port, and `helm` as its other client."""

import base64
import json
import os
import re
import subprocess
import threading
import time
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import bcrypt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import NameOID

from tools.controlplane import processes, programs

PATIENCE_SECONDS = 60.0
POLL_SECONDS = 0.05
USER, PASSWORD = "jo", "pass:wörd"


class OCIRegistry:
    """A registry that keeps everything in memory; `auth` is its configuration's section."""

    def __init__(self, folder: Path, auth=None) -> None:
        self.folder = folder
        self.log = folder / "registry.log"
        self.auth = auth
        self.port = 0
        self._process = None
        self._child = None

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def url(self, folder="team") -> str:
        return f"oci://{self.host}/{folder}"

    def start(self) -> "OCIRegistry":
        self.folder.mkdir(parents=True, exist_ok=True)
        config = {
            "version": 0.1,
            "log": {"level": "info", "formatter": "text", "accesslog": {"disabled": True}},
            "storage": {
                "inmemory": {},
                "delete": {"enabled": True},
                "maintenance": {"uploadpurging": {"enabled": False}},
            },
            "http": {"addr": "127.0.0.1:0", "secret": "of tests"},
        }
        if self.auth:
            config["auth"] = self.auth
        file = self.folder / "config.yml"
        file.write_text(json.dumps(config))  # JSON is YAML
        program = programs.find(module=programs.REGISTRY)["registry"]
        environment = {**os.environ, "OTEL_TRACES_EXPORTER": "none"}
        self._process, self._child = processes.spawn(
            "registry", [str(program), "serve", str(file)], self.log, environment
        )
        self.port = self._announced_port()
        return self

    def stop(self) -> None:
        if self._process is not None:
            processes.end([self._process], [self._child])

    def __enter__(self) -> "OCIRegistry":
        return self.start()

    def __exit__(self, *_) -> None:
        self.stop()

    def _announced_port(self) -> int:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            text = self.log.read_text(errors="replace")
            if found := re.search(r"listening on 127\.0\.0\.1:(\d+)", text):
                return int(found[1])
            if time.monotonic() > deadline or not processes.alive(self._process):
                raise AssertionError(f"the registry did not start: {processes.tail(self.log)}")
            time.sleep(POLL_SECONDS)


def with_password(folder: Path, user=USER, password=PASSWORD) -> dict:
    """Write the users' file and return the section that asks for a password."""
    folder.mkdir(parents=True, exist_ok=True)
    hashed = bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()
    file = folder / "htpasswd"
    file.write_text(f"{user}:{hashed}\n")
    return {"htpasswd": {"realm": "tests", "path": str(file)}}


class TokenService:
    """Grants what is asked for to who has the password, in tokens that a registry trusts."""

    def __init__(self, user=USER, password=PASSWORD) -> None:
        self.granted: list[str] = []
        self._login = base64.b64encode(f"{user}:{password}".encode()).decode()
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._certificate = self._certified()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())

    def section(self, folder: Path) -> dict:
        """Return what a registry's configuration says of this service."""
        folder.mkdir(parents=True, exist_ok=True)
        bundle = folder / "tokens.pem"
        bundle.write_bytes(self._certificate.public_bytes(serialization.Encoding.PEM))
        realm = f"http://127.0.0.1:{self._server.server_address[1]}/token"
        names = {"service": "registry", "issuer": "tests"}
        return {"token": {"realm": realm, "rootcertbundle": str(bundle), **names}}

    def __enter__(self) -> "TokenService":
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        ).start()
        return self

    def __exit__(self, *_) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, path: str, authorization: str) -> tuple[int, dict]:
        if authorization != f"Basic {self._login}":
            return 401, {"errors": [{"code": "UNAUTHORIZED", "message": "no"}]}
        scopes = parse_qs(urlsplit(path).query).get("scope", [])
        self.granted += scopes
        return 200, {"token": self._token(scopes), "expires_in": 300}

    def _token(self, scopes: list[str]) -> str:
        now = int(time.time())
        chain = [base64.b64encode(self._certificate.public_bytes(serialization.Encoding.DER))]
        header = {"typ": "JWT", "alg": "ES256", "x5c": [one.decode() for one in chain]}
        access = []
        for scope in scopes:
            kind, name, actions = scope.split(":")
            access.append({"type": kind, "name": name, "actions": actions.split(",")})
        claims = {
            "iss": "tests", "sub": "jo", "aud": "registry", "jti": str(len(self.granted)),
            "iat": now, "nbf": now - 60, "exp": now + 300, "access": access,
        }  # fmt: skip
        signed = f"{_url_safe(json.dumps(header))}.{_url_safe(json.dumps(claims))}"
        signature = self._key.sign(signed.encode(), ec.ECDSA(hashes.SHA256()))
        numbers = [number.to_bytes(32, "big") for number in decode_dss_signature(signature)]
        return f"{signed}.{_url_safe(b''.join(numbers))}"

    def _certified(self) -> x509.Certificate:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tokens of tests")])
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                status, body = service.answer(self.path, self.headers.get("Authorization", ""))
                data = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def do_POST(self):
                # Helm tries the newer way first, and goes on with this one.
                self.send_error(405)

            def log_message(self, *_):
                """Say nothing."""

        return Handler


def _url_safe(data: str | bytes) -> str:
    raw = data.encode() if isinstance(data, str) else data
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


class HelmClient:
    """The helm CLI with a home of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.program = programs.find()["helm"]

    def run(self, *arguments: str, data: str | None = None) -> str:
        homes = {
            f"HELM_{kind}_HOME": str(self.folder / kind) for kind in ("CACHE", "CONFIG", "DATA")
        }
        found = subprocess.run(
            [self.program, *map(str, arguments)],
            env={**os.environ, **homes, "TZ": "UTC", "HOME": str(self.folder)},
            input=data,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        assert found.returncode == 0, found.stderr
        return found.stdout + found.stderr

    def push(self, archive: bytes, target: str, name="chart") -> str:
        """Push an archive and return the digest of its manifest."""
        file = self.write(archive, name)
        said = self.run("push", file, target, "--plain-http")
        return re.search(r"Digest: (sha256:[0-9a-f]{64})", said)[1]

    def write(self, archive: bytes, name="chart") -> Path:
        """Have the archive in a file; one that is there already keeps its time."""
        file = self.folder / f"{name}.tgz"
        self.folder.mkdir(parents=True, exist_ok=True)
        if not file.exists() or file.read_bytes() != archive:
            file.write_bytes(archive)
        return file

    def log_in(self, host: str, user=USER, password=PASSWORD) -> None:
        self.run(
            "registry", "login", host, "-u", user, "--password-stdin", "--plain-http", data=password
        )

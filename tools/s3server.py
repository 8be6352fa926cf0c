"""An S3 server for tests: moto's, in a virtual environment of its own.

boto3, which moto needs, wants an older python-dateutil than the kubernetes package: the two cannot
be installed side by side. `python -m tools.s3server` installs it, once, into the user's cache.
"""

import hashlib
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
import venv
from collections.abc import Mapping
from pathlib import Path
from typing import Self

ROOT = Path(__file__).parents[1]
LOCK = ROOT / "requirements" / "s3.lock"
_START_SECONDS = 60.0
_POLL_SECONDS = 0.05


def folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Say where it is installed: one folder for each lock file, shared by all clones."""
    digest = hashlib.sha256(LOCK.read_bytes()).hexdigest()[:16]
    home = environment.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "whipstaff" / "s3" / digest


def find() -> Path | None:
    """Return the program, None if it is not installed."""
    program = folder() / "bin" / "moto_server"
    return program if program.is_file() else None


def install() -> None:
    """Install the locked packages, if they are not there."""
    if find():
        return
    print("installing the S3 server of tests", flush=True)
    venv.create(folder(), with_pip=True, clear=True)
    pip = (str(folder() / "bin" / "python"), "-m", "pip", "install", "--quiet")
    options = ("--disable-pip-version-check", "--require-hashes", "-r", str(LOCK))
    subprocess.run([*pip, *options], check=True)


class S3Server:
    """A server that forgets everything when it ends; any login is taken."""

    def __init__(self) -> None:
        self.url = ""
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        program = find()
        if program is None:
            raise FileNotFoundError(f"{LOCK.name} is not installed: run make build-s3")
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self._process = subprocess.Popen(
            [str(folder() / "bin" / "python"), str(program), "-H", "127.0.0.1", "-p", str(port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + _START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.__exit__()
                raise RuntimeError("the S3 server did not start")
            time.sleep(_POLL_SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait()

    def make_bucket(self, name: str) -> None:
        """Make an empty bucket."""
        request = urllib.request.Request(f"{self.url}/{name}", method="PUT")
        urllib.request.urlopen(request).close()

    def environment(self) -> dict[str, str]:
        """Return what a client of the server has to be told."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ALLOW_HTTP": "true",
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "false",
        }

    def _answers(self) -> bool:
        try:
            urllib.request.urlopen(f"{self.url}/moto-api/").close()
        except (urllib.error.URLError, OSError):
            return False
        return True


if __name__ == "__main__":
    install()

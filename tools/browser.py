"""The browser that tests of the gateway's pages are done in, and what looks for barriers in them.

Chromium and its driver are Debian's; axe-core is one file of a package of npm's, pinned by its
hash. `python -m tools.browser` gets both, once.
"""

import hashlib
import io
import os
import shutil
import subprocess
import tarfile
import time
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path

PACKAGES = ("chromium", "chromium-driver", "fonts-dejavu-core")
ATTEMPTS = 4
PAUSE_SECONDS = 10.0

AXE = "https://registry.npmjs.org/axe-core/-/axe-core-4.14.1.tgz"
AXE_SHA512 = (
    "1477dafa598d8d065f273d6af302aa203c02e83131707b7fa648cd41bd3d6b73"
    "4f8c22a0dab86ee6a6f64b8afbe804b214d36db85a2826965edfb3a0b9d546b5"
)
_AXE_FILE = "package/axe.min.js"
_CONNECT_SECONDS = 60.0


def chromium() -> str:
    """Return the path of the browser, empty if there is none."""
    return shutil.which("chromium") or ""


def driver() -> str:
    """Return the path of the program that drives it, empty if there is none."""
    return shutil.which("chromedriver") or ""


def axe(environment: Mapping[str, str] = os.environ) -> Path:
    """Say where axe-core's script is, or is to be."""
    home = environment.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "whipstaff" / "axe" / f"{AXE_SHA512[:16]}.js"


def missing() -> str:
    """Name what is not there; empty if nothing is missing."""
    found = {"chromium": chromium(), "chromedriver": driver(), "axe-core": axe().is_file()}
    return ", ".join(name for name, there in found.items() if not there)


def install() -> None:
    """Get what is missing; RuntimeError if that cannot be."""
    if not (chromium() and driver()):
        print(f"installing {' '.join(PACKAGES)}", flush=True)
        _again(_install_packages)
    if not axe().is_file():
        print("downloading axe-core", flush=True)
        _again(_download_axe)


def _install_packages() -> None:
    if not shutil.which("apt-get"):
        raise RuntimeError("this is no Debian: install chromium and chromedriver by other means")
    sudo = () if os.geteuid() == 0 else ("sudo", "--non-interactive")
    apt = (*sudo, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "--quiet", "--yes")
    apt += ("-o", "DPkg::Lock::Timeout=300", "-o", "Acquire::Retries=3")
    subprocess.run([*apt, "update"], check=True, stdout=subprocess.DEVNULL)
    command = [*apt, "install", "--no-install-recommends", *PACKAGES]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def _download_axe() -> None:
    with urllib.request.urlopen(AXE, timeout=_CONNECT_SECONDS) as answer:
        data = answer.read()
    if hashlib.sha512(data).hexdigest() != AXE_SHA512:
        raise RuntimeError(f"{AXE} is not what it was: its hash is another")
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        member = archive.extractfile(_AXE_FILE)
        if member is None:
            raise RuntimeError(f"{AXE} has no {_AXE_FILE}")
        script = member.read()
    place = axe()
    place.parent.mkdir(parents=True, exist_ok=True)
    whole = place.with_suffix(f".{os.getpid()}")
    whole.write_bytes(script)
    whole.replace(place)


def _again(step: Callable[[], None]) -> None:
    """Try a step several times: mirrors and networks have bad minutes."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            step()
        except (OSError, RuntimeError, subprocess.CalledProcessError) as error:
            if attempt == ATTEMPTS:
                raise
            print(f"{error}; trying again", flush=True)
            time.sleep(PAUSE_SECONDS)
        else:
            return


if __name__ == "__main__":
    install()

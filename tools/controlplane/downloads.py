"""Programs from a mirror, by default the projects' own release pages, and their checksums.

A program without a checksum is not used.
"""

import hashlib
import io
import json
import re
import tarfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tools.controlplane import programs

CONNECT_SECONDS = 4.0  # a network that says nothing must not hold up the build from source
Progress = Callable[[str], None]


class DownloadRefused(Exception):
    """The mirror has no such file, does not answer, or sent something else than promised."""


@dataclass(frozen=True, slots=True)
class Release:
    """One program on a release page."""

    program: str
    url: str
    checksum_url: str
    member: str | None = None  # its path inside the archive; None: the file is the program


@dataclass(frozen=True, slots=True)
class Origins:
    """Where the projects publish their releases."""

    kubernetes: str = "https://dl.k8s.io/release"
    etcd: str = "https://github.com/etcd-io/etcd/releases/download"
    kwok: str = "https://github.com/kubernetes-sigs/kwok/releases/download"
    kwok_checksums: str = "https://api.github.com/repos/kubernetes-sigs/kwok/releases/tags"
    helm: str = "https://get.helm.sh"


OFFICIAL = Origins()


def official(origins: Origins = OFFICIAL) -> list[Release]:
    """List the official downloads in the versions of go.mod."""
    wanted, machine = programs.versions(), f"linux-{programs.architecture()}"
    kubernetes = f"{origins.kubernetes}/{wanted.kubernetes}/bin/{machine.replace('-', '/')}"
    etcd = f"etcd-{wanted.etcd}-{machine}"
    helm = f"{origins.helm}/helm-{wanted.helm}-{machine}.tar.gz"
    releases = [
        Release(name, f"{kubernetes}/{name}", f"{kubernetes}/{name}.sha256")
        for name in programs.PACKAGES
        if name.startswith("kube")
    ]
    return [
        *releases,
        Release(
            "etcd",
            f"{origins.etcd}/{wanted.etcd}/{etcd}.tar.gz",
            f"{origins.etcd}/{wanted.etcd}/SHA256SUMS",
            member=f"{etcd}/etcd",
        ),
        Release("helm", helm, f"{helm}.sha256sum", member=f"{machine}/helm"),
        Release(
            "kwok",
            f"{origins.kwok}/{wanted.kwok}/kwok-{machine}",
            f"{origins.kwok_checksums}/{wanted.kwok}",
        ),
    ]


def mirrored(mirror: str) -> list[Release]:
    """List the downloads of a mirror: a folder with the seven programs and their SHA256SUMS."""
    base = mirror.rstrip("/")
    return [Release(name, f"{base}/{name}", f"{base}/SHA256SUMS") for name in programs.PACKAGES]


def fetch(releases: Iterable[Release], into: Path, progress: Progress) -> None:
    """Download programs into a folder; the first failure ends it, with what was done kept."""
    into.mkdir(parents=True, exist_ok=True)
    for release in releases:
        expected = checksum_of(release, _get(release.checksum_url))
        progress(f"downloading {release.program} from {release.url}")
        data = _get(release.url)
        if hashlib.sha256(data).hexdigest() != expected:
            raise DownloadRefused(f"{release.url} does not have the checksum {expected}")
        program = data if release.member is None else _unpacked(data, release)
        # A program appears under its name only when it is whole.
        part = into / f"{release.program}.part"
        part.write_bytes(program)
        part.chmod(0o755)
        part.rename(into / release.program)


def checksum_of(release: Release, listing: bytes) -> str:
    """Find a release's sha256 in its checksum file.

    The file is a bare sum, a list of sums, or what GitHub's API says of a release.
    """
    text = listing.decode("utf-8", errors="replace").strip()
    name = release.url.rsplit("/", 1)[-1]
    if re.fullmatch(r"[0-9a-f]{64}", text):
        return text
    sums = _sums_of_release(text) if text.startswith("{") else _sums_of_list(text)
    if name not in sums:
        raise DownloadRefused(f"{release.checksum_url} has no checksum of {name}")
    return sums[name]


def _sums_of_list(text: str) -> Mapping[str, str]:
    lines = re.findall(r"^([0-9a-f]{64})[ \t]+\*?(\S+)[ \t]*$", text, re.MULTILINE)
    return {path.rsplit("/", 1)[-1]: digest for digest, path in lines}


def _sums_of_release(text: str) -> Mapping[str, str]:
    try:
        assets = json.loads(text).get("assets", [])
    except ValueError as error:
        raise DownloadRefused("the checksum file is neither a list nor JSON") from error
    return {
        asset["name"]: str(asset["digest"]).removeprefix("sha256:")
        for asset in assets
        if str(asset.get("digest", "")).startswith("sha256:")
    }


def _get(url: str) -> bytes:
    try:
        with urllib.request.urlopen(url, timeout=CONNECT_SECONDS) as answer:
            data: bytes = answer.read()
    except (OSError, urllib.error.URLError) as error:
        raise DownloadRefused(f"{url}: {error}") from error
    return data


def _unpacked(data: bytes, release: Release) -> bytes:
    try:
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            member = archive.extractfile(release.member or "")
            if member is None:
                raise DownloadRefused(f"{release.url} has no file {release.member}")
            return member.read()
    except (tarfile.TarError, KeyError) as error:
        raise DownloadRefused(f"{release.url}: {error}") from error

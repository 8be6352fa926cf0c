"""Programs are downloaded with their checksums, from the official layout or a mirror's."""

import functools
import hashlib
import http.server
import io
import json
import tarfile
import threading

import pytest

from tools.controlplane import downloads, obtain, programs


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def site(tmp_path):
    """A folder that is served over HTTP, and its URL."""
    folder = tmp_path / "site"
    folder.mkdir()
    handler = functools.partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield folder, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def _publish_mirror(folder, names=tuple(programs.PACKAGES), spoil=""):
    sums = []
    for name in names:
        data = f"#!/bin/sh\necho {name}\n".encode()
        sums.append(f"{hashlib.sha256(data).hexdigest()}  {name}")
        (folder / name).write_bytes(b"something else" if name == spoil else data)
    (folder / "SHA256SUMS").write_text("\n".join(sums) + "\n")


def test_a_mirror_gives_every_program(site, tmp_path):
    folder, url = site
    _publish_mirror(folder)
    environment = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "WHIPSTAFF_MIRROR": url}
    found = obtain.obtain(lambda _: None, environment)
    assert sorted(found) == sorted(programs.PACKAGES)
    assert found["kwok"].read_text() == "#!/bin/sh\necho kwok\n"
    assert found["kwok"].stat().st_mode & 0o111


def test_a_program_that_does_not_match_its_checksum_is_not_kept(site, tmp_path):
    folder, url = site
    _publish_mirror(folder, spoil="etcd")
    with pytest.raises(downloads.DownloadRefused, match="etcd does not have the checksum"):
        downloads.fetch(downloads.mirrored(url), tmp_path / "got", lambda _: None)
    assert sorted(path.name for path in (tmp_path / "got").iterdir()) == ["helm"]


def test_a_program_without_a_checksum_is_refused(site, tmp_path):
    folder, url = site
    _publish_mirror(folder, names=["helm"])
    with pytest.raises(downloads.DownloadRefused, match="no checksum of etcd"):
        downloads.fetch(downloads.mirrored(url), tmp_path / "got", lambda _: None)


def test_a_network_that_says_no_is_refused_at_once(tmp_path):
    releases = downloads.mirrored("http://127.0.0.1:9")
    with pytest.raises(downloads.DownloadRefused, match=r"127\.0\.0\.1:9"):
        downloads.fetch(releases, tmp_path / "got", lambda _: None)


def test_what_no_mirror_has_is_built(site, tmp_path, monkeypatch):
    folder, url = site
    _publish_mirror(folder, spoil="kubectl")
    built = []

    def build(names, into, _progress):
        for name in names:
            built.append(name)
            (into / name).write_text("built")
            (into / name).chmod(0o755)

    monkeypatch.setattr(obtain.gobuild, "build", build)
    environment = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "WHIPSTAFF_MIRROR": url}
    found = obtain.obtain(lambda _: None, environment)
    assert sorted(found) == sorted(programs.PACKAGES)
    assert "kubectl" in built
    assert "helm" not in built


def test_programs_at_hand_win_over_the_cache(tmp_path):
    assets = tmp_path / "assets"
    environment = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "KUBEBUILDER_ASSETS": str(assets)}
    cached = programs.cache_folder(environment)
    for folder, names in ((cached, programs.PACKAGES), (assets, ["etcd", "kubectl"])):
        folder.mkdir(parents=True)
        for name in names:
            (folder / name).touch(mode=0o755)
    found = programs.find(environment)
    assert {name for name, path in found.items() if path.parent == assets} == {"etcd", "kubectl"}
    assert not programs.missing(found)


def test_the_official_layout_is_understood(site, tmp_path):
    folder, url = site
    origins = downloads.Origins(
        kubernetes=f"{url}/kubernetes",
        etcd=f"{url}/etcd",
        kwok=f"{url}/kwok",
        kwok_checksums=f"{url}/api",
        helm=f"{url}/helm",
    )
    _publish_official(folder, downloads.official(origins), url)
    got = tmp_path / "got"
    downloads.fetch(downloads.official(origins), got, lambda _: None)
    assert {path.name: path.read_text() for path in got.iterdir()} == {
        name: f"program {name}" for name in programs.PACKAGES
    }


def _publish_official(folder, releases, url):
    for release in releases:
        program = f"program {release.program}".encode()
        published = program if release.member is None else _tgz(release.member, program)
        digest = hashlib.sha256(published).hexdigest()
        name = release.url.rsplit("/", 1)[-1]
        listing = {
            "kwok": json.dumps({"assets": [{"name": name, "digest": f"sha256:{digest}"}]}),
            "etcd": f"{'0' * 64}  other.zip\n{digest}  {name}\n",
            "helm": f"{digest}  {name}\n",
        }.get(release.program, digest)
        for address, data in ((release.url, published), (release.checksum_url, listing.encode())):
            path = folder / address.removeprefix(url).lstrip("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)


def _tgz(member, data):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        entry = tarfile.TarInfo(member)
        entry.size = len(data)
        archive.addfile(entry, io.BytesIO(data))
    return packed.getvalue()

"""Signatures of charts; helm signs where it is at hand."""

import base64

import pytest

from tests.builders.oci_registry import HelmClient
from tests.builders.signatures import Signer
from whipstaff.errors import ChartIntegrity, ChartSignatureInvalid, VerificationKeyInvalid
from whipstaff.sources.oci_push import digest_of
from whipstaff.workers import verifying

FILE = "blog-1.0.0.tgz"
DIGEST = "sha256:" + "ab" * 32
OTHER = "sha256:" + "cd" * 32
HEAD = "apiVersion: v2\nname: blog\nversion: 1.0.0\n"


@pytest.fixture(scope="module")
def signer():
    return Signer()


@pytest.fixture(scope="module")
def stranger():
    return Signer("al <al@example.com>")


def packed(data):
    return base64.b64encode(data).decode()


def a_provenance(signer, file=FILE, digest=DIGEST):
    return signer.sign(f"{HEAD}\n...\nfiles:\n  {file}: {digest}\n")


def check(keys, text, file=FILE, digest=DIGEST):
    named = {f"Secret a/keys: {number}": packed(key) for number, key in enumerate(keys)}
    return verifying.provenance(named, packed(text), file, digest)


@pytest.mark.cluster
def test_what_helm_signs_is_taken(signer, stranger, tmp_path):
    helm = HelmClient(tmp_path / "helm")
    chart = tmp_path / "blog"
    chart.mkdir()
    (chart / "Chart.yaml").write_text(HEAD)
    archive, provenance = signer.package(helm, chart)
    keys = [stranger.public, signer.public]
    assert check(keys, provenance, digest=digest_of(archive))["signer"]
    with pytest.raises(ChartIntegrity, match="was signed"):
        check(keys, provenance, digest=OTHER)


def test_one_ring_may_hold_many_keys(signer, stranger):
    assert check([stranger.public + signer.public], a_provenance(signer))


@pytest.mark.parametrize(
    ("change", "error", "text"),
    [
        pytest.param(lambda text: text, None, "", id="nothing"),
        pytest.param(
            lambda text: text.replace(b"ab" * 32, b"cd" * 32),
            ChartSignatureInvalid,
            "none of the keys",
            id="the text",
        ),
        pytest.param(
            lambda text: text[text.index(b"...") :], ChartSignatureInvalid, "none", id="the head"
        ),
        pytest.param(lambda _: b"files: {}", ChartSignatureInvalid, "none", id="no signature"),
        pytest.param(lambda _: b"", ChartSignatureInvalid, "none", id="nothing left"),
    ],
)
def test_a_provenance_that_was_changed_is_refused(signer, change, error, text):
    changed = change(a_provenance(signer))
    if error is None:
        check([signer.public], changed)
        return
    with pytest.raises(error, match=text):
        check([signer.public], changed)


def test_another_key_is_not_enough(signer, stranger):
    with pytest.raises(ChartSignatureInvalid, match="signed by none of the keys"):
        check([stranger.public], a_provenance(signer))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param(f"{HEAD}\n...\nfiles:\n  wiki-1.0.0.tgz: {DIGEST}\n", "speak of", id="other"),
        pytest.param(HEAD, "speak of", id="no files"),
        pytest.param(f"{HEAD}\n...\n[\n", "lists no files", id="no YAML"),
        pytest.param(f"{HEAD}\n...\nfiles: 1\n", "speak of", id="no table"),
    ],
)
def test_a_provenance_must_speak_of_the_archive(signer, text, why):
    with pytest.raises(ChartSignatureInvalid, match=why):
        check([signer.public], signer.sign(text))


@pytest.mark.parametrize("key", [b"", b"no key", b"\x99\x01\x00"], ids=["empty", "text", "cut"])
def test_what_is_no_openpgp_key_is_named(signer, key):
    with pytest.raises(VerificationKeyInvalid, match="Secret a/keys: 0 holds no OpenPGP key"):
        check([key], a_provenance(signer))

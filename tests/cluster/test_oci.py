"""Charts from an OCI registry, with helm pushing to it."""

import asyncio
import base64
import hashlib

import pytest

from tests.builders.cosigned import annotated, attached
from tests.builders.live_releases import LiveReleases, condition
from tests.builders.live_repositories import LiveRepositories
from tests.builders.oci_registry import HelmClient, OCIRegistry
from tests.builders.signatures import Signer
from tests.builders.sigstore_lab import ISSUER, SUBJECT, Sigstore
from tests.builders.small_charts import settings_chart

pytestmark = pytest.mark.registry


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    with OCIRegistry(tmp_path_factory.mktemp("registry")) as registry:
        yield registry


@pytest.fixture
def helm(tmp_path):
    return HelmClient(tmp_path / "helm")


@pytest.fixture
def url(registry, namespace):
    return registry.url(namespace)


@pytest.fixture
def releases(operator, namespace, url):
    return LiveReleases(operator.cluster, namespace, url)


def test_a_chart_is_installed_and_upgraded_when_a_newer_tag_is_in_range(releases, helm, url):
    helm.push(settings_chart("1.0.0"), url)
    releases.create("shop", version="^1.0", interval="1s")
    releases.settled("shop", 1)
    helm.push(settings_chart("2.0.0"), url)
    helm.push(settings_chart("1.1.0+build.3"), url)
    upgraded = releases.settled("shop", 2)
    assert upgraded["status"]["chartVersion"] == "1.1.0+build.3"
    assert "settings-1.1.0+build.3" in releases.helm("ls")


def test_a_chart_that_no_registry_has_is_named(releases, registry):
    releases.create("shop", chart="absent")
    message = releases.refused("shop", "ChartUnavailable")["message"]
    assert "has no chart named 'absent'" in message


def test_only_a_chart_that_is_signed_is_applied(releases, helm, url):
    """Unsigned, signed by another, changed: each has a name, and what runs goes on running."""
    signer, stranger = Signer(), Signer("al <al@example.com>")
    keep(releases, "keys", "ring.gpg", signer.public)
    verify = {"provider": "pgp", "secretRef": {"name": "keys"}}
    source = {"name": "settings", "repository": url, "version": "*", "verify": verify}

    push_signed(helm, url, "1.0.0", signer)
    releases.create("shop", interval="1s")
    releases.edit("shop", chart=source)
    releases.settled("shop", 1)

    helm.push(settings_chart("1.1.0"), url)
    assert "no provenance" in releases.refused("shop", "ChartUnsigned")["message"]
    push_signed(helm, url, "1.2.0", stranger)
    assert "none of the keys" in releases.refused("shop", "ChartSignatureInvalid")["message"]
    push_signed(helm, url, "1.3.0", signer, of=settings_chart("1.3.0", name="wiki"))
    assert "was signed" in releases.refused("shop", "ChartIntegrity")["message"]
    assert releases.stored("shop") == {1: "deployed"}
    assert releases.data("shop")["chart"] == "1.0.0"

    push_signed(helm, url, "1.4.0", signer)
    releases.answered("shop")
    assert releases.settled("shop", 2)["status"]["chartVersion"] == "1.4.0"


@pytest.mark.parametrize("generation", [2, 3])
def test_only_a_chart_that_a_trusted_identity_signed_is_applied(releases, helm, url, generation):
    """Nobody, someone else, another manifest, an unknown authority: each has a name."""
    sigstore, stranger = Sigstore(), Sigstore()
    keep(releases, "sigstore", "trusted_root.json", sigstore.trusted_root())
    verify = {
        "provider": "cosign",
        "matchOIDCIdentity": [{"issuer": f"^{ISSUER}$", "subject": f"^{SUBJECT}$"}],
        "trustedRootSecretRef": {"name": "sigstore"},
    }
    source = {"name": "settings", "repository": url, "version": "*", "verify": verify}

    def sign(digest, by=sigstore, of="", **who):
        if generation == 2:
            made = annotated(url, "settings", digest, by.sign(of or digest, **who))
        else:
            made = attached(url, "settings", digest, by.bundle(of or digest, **who))
        asyncio.run(made)

    first = helm.push(settings_chart("1.0.0"), url)
    sign(first)
    releases.create("shop", interval="1s")
    releases.edit("shop", chart=source)
    releases.settled("shop", 1)

    second = helm.push(settings_chart("1.1.0"), url)
    assert "no signature" in releases.refused("shop", "ChartUnsigned")["message"]
    sign(second, subject="al@example.com")
    said = releases.refused("shop", "ChartSignatureInvalid")["message"]
    assert "it is by al@example.com" in said
    sign(helm.push(settings_chart("1.2.0"), url), of=first)
    assert first in releases.refused("shop", "ChartIntegrity")["message"]
    third = helm.push(settings_chart("1.3.0"), url)
    sign(third, by=stranger)
    said = releases.refused("shop", "ChartSignatureInvalid")["message"]
    assert "of no authority in the trusted root" in said
    assert releases.stored("shop") == {1: "deployed"}
    assert releases.data("shop")["chart"] == "1.0.0"

    sign(third)
    releases.ask("shop")
    assert releases.settled("shop", 2)["status"]["chartVersion"] == "1.3.0"


def test_a_new_tag_is_rolled_out_within_the_interval_of_the_repository(
    operator, namespace, helm, url
):
    repositories = LiveRepositories(operator.cluster, namespace)
    helm.push(settings_chart("1.0.0"), url)
    repositories.create("charts", url, interval="1s")
    repositories.use("shop", "charts", version="^1", interval="1h")
    repositories.releases.settled("shop", 1)
    helm.push(settings_chart("2.0.0"), url)
    helm.push(settings_chart("1.1.0"), url)
    upgraded = repositories.releases.settled("shop", 2)
    assert upgraded["status"]["chartVersion"] == "1.1.0"
    said = condition(repositories.ready("charts"), "Ready")["message"]
    assert said == "the registry answers; 1 of its charts is in use"


def test_a_pinned_chart_stays_when_a_newer_one_is_pushed(releases, helm, url):
    pin = helm.push(settings_chart("1.0.0"), url)
    releases.create("shop", version="^1.0", interval="1s")
    releases.edit("shop", chart={"digest": pin})
    releases.settled("shop", 1)
    helm.push(settings_chart("1.1.0"), url)
    releases.answered("shop")
    assert releases.settled("shop")["status"]["chartVersion"] == "1.0.0"
    releases.edit("shop", chart={"digest": "sha256:" + "0" * 64})
    assert "spec.chart.digest" in releases.refused("shop", "ChartIntegrity")["message"]
    assert releases.stored("shop") == {1: "deployed"}


def keep(releases, name, key, data):
    body = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name},
        "data": {key: base64.b64encode(data).decode()},
    }
    releases.api.request("POST", releases.core("secrets"), body)


def push_signed(helm, url, version, signer, of=None):
    """Push a chart with a provenance, which may be that of another archive."""
    archive = settings_chart(version)
    digest = hashlib.sha256(of or archive).hexdigest()
    file = helm.write(archive, f"settings-{version}")
    text = f"name: settings\n\n...\nfiles:\n  settings-{version}.tgz: sha256:{digest}\n"
    file.with_name(f"{file.name}.prov").write_bytes(signer.sign(text))
    helm.run("push", file, url, "--plain-http")

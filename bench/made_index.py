"""A repository's index as large as the largest ones, made up: always the same bytes."""

import hashlib
from collections.abc import Iterator
from random import Random

CHARTS = 160
VERSIONS = 40
IMAGES = 18  # what an entry says at length


def text(charts: int = CHARTS, versions: int = VERSIONS, images: int = IMAGES) -> str:
    """Return index.yaml as Helm writes it: 26 MB with 6,400 versions, unless told otherwise."""
    random = Random(23)
    lines = ["apiVersion: v1", "entries:"]
    for number in range(charts):
        name = f"chart-{number:03}"
        lines.append(f"  {name}:")
        for version in range(versions, 0, -1):
            lines += _entry(name, f"{number % 7 + 1}.{version}.{version % 5}", images, random)
    lines.append('generated: "2026-01-02T03:04:05.678901234Z"')
    return "\n".join(lines) + "\n"


def _entry(name: str, version: str, images: int, random: Random) -> Iterator[str]:
    yield "  - annotations:"
    yield "      category: Infrastructure"
    yield "      images: |"
    for image in range(images):
        digest = hashlib.sha256(random.randbytes(8)).hexdigest()
        yield f"        - name: {name}-part-{image}"
        yield f"          image: registry.example.com/charts/{name}@sha256:{digest}"
    yield "      licenses: Apache-2.0"
    yield "    apiVersion: v2"
    yield f"    appVersion: {version}"
    yield '    created: "2026-01-02T03:04:05.678901234Z"'
    yield "    dependencies:"
    for dependency in ("common", "database", "cache", "queue"):
        yield f"    - condition: {dependency}.enabled"
        yield f"      name: {dependency}"
        yield "      repository: https://charts.example.com"
        yield "      version: 1.x.x"
    yield f"    description: {name} does what {name} does, and it does so for everyone who asks."
    yield f"    digest: {hashlib.sha256(random.randbytes(8)).hexdigest()}"
    yield f"    home: https://example.com/{name}"
    yield "    icon: https://example.com/icon.svg"
    yield "    keywords:"
    yield from (f"    - {word}" for word in ("harbour", "helm", "tiller", "keel"))
    yield "    kubeVersion: '>=1.25.0-0'"
    yield "    maintainers:"
    yield "    - email: crew@example.com"
    yield "      name: The crew"
    yield f"    name: {name}"
    yield "    sources:"
    yield f"    - https://example.com/{name}/source"
    yield "    urls:"
    yield f"    - https://charts.example.com/{name}-{version}.tgz"
    yield f"    version: {version}"

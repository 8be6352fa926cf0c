"""Where the files are that the package carries: beside its modules, or in a checkout."""

from pathlib import Path

_PACKED = Path(__file__).parents[1] / "manifests"  # in a wheel
_CHECKOUT = Path(__file__).parents[3]

NAMESPACE_FILE = "namespace.yaml"
DEFINITIONS = "crds"
CHART = "chart"

_IN_CHECKOUT = {
    NAMESPACE_FILE: "deploy/namespace.yaml",
    DEFINITIONS: "deploy/crds",
    CHART: "charts/whipstaff",
}


def packed(name: str) -> Path:
    """Return the file or folder of one of the names above."""
    return _PACKED / name if _PACKED.is_dir() else _CHECKOUT / _IN_CHECKOUT[name]

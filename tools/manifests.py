"""Write what is made from other files: `make manifests`.

`crds/` is the source of the chart's and of deploy/'s definitions; `charts/whipstaff` is the source
of deploy/'s manifests.
"""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
CRDS = ROOT / "crds"
CHART = ROOT / "charts" / "whipstaff"
DEPLOY = ROOT / "deploy"
NAME, NAMESPACE = "whipstaff", "whipstaff-system"
HEADER = "# Made from charts/whipstaff by `make manifests`.\n"
HELMS_LABELS = ("app.kubernetes.io/managed-by", "helm.sh/chart")


def main() -> None:
    """Write all of it anew."""
    for folder in (CHART / "files" / "crds", DEPLOY / "crds"):
        copy_definitions(folder)
    (DEPLOY / "operator.yaml").write_text(operator_manifests(), encoding="utf-8")
    admission = DEPLOY / "admission" / "admission.yaml"
    admission.write_text(added_manifests("admission.enabled=true"), encoding="utf-8")
    gateway = DEPLOY / "gateway" / "gateway.yaml"
    gateway.write_text(added_manifests("gateway.enabled=true"), encoding="utf-8")


def copy_definitions(folder: Path) -> None:
    """Make a folder hold the definitions of crds/ and no other."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for path in sorted(CRDS.glob("*.yaml")):
        shutil.copyfile(path, folder / path.name)


def operator_manifests() -> str:
    """Give what installs the operator."""
    return written(chart_objects())


def added_manifests(*settings: str) -> str:
    """Give what other values add to that."""
    known = set(map(name_of, chart_objects()))
    return written([body for body in chart_objects(*settings) if name_of(body) not in known])


def chart_objects(*settings: str) -> list[dict[str, Any]]:
    """Render the chart with its own values, without what says that Helm installed it.

    `settings` are other values, as `--set` takes them.
    """
    flags = [flag for setting in ("crds.install=false", *settings) for flag in ("--set", setting)]
    command = [sys.executable, "-m", "whipstaff", "template", NAME, str(CHART), "-n", NAMESPACE]
    rendered = subprocess.run([*command, *flags], capture_output=True, text=True, check=True).stdout
    return [plain(body) for body in yaml.safe_load_all(rendered) if body]


def written(bodies: list[dict[str, Any]]) -> str:
    """Give the text of a file with these objects."""
    return HEADER + yaml.safe_dump_all(bodies, sort_keys=False, width=120)


def name_of(body: dict[str, Any]) -> tuple[str, str]:
    """Tell an object of the chart from the others."""
    return body["kind"], body["metadata"]["name"]


def plain(body: dict[str, Any]) -> dict[str, Any]:
    """Take Helm's labels off an object, and off its pods; changes the object itself."""
    template = body.get("spec", {}).get("template", {})
    for metadata in (body["metadata"], template.get("metadata", {})):
        for label in HELMS_LABELS:
            metadata.get("labels", {}).pop(label, None)
    return body


if __name__ == "__main__":
    main()

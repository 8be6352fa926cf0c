"""Definitions of other projects' kinds, from their Go modules."""

import json
import subprocess
from pathlib import Path

import yaml


def module_folder(module, tmp_path):
    """Download a module (`path@version`), once a machine; give its folder."""
    (tmp_path / "go.mod").write_text("module definitions\n\ngo 1.24\n", encoding="utf-8")
    told = subprocess.run(
        ["go", "mod", "download", "-json", module],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    )
    return Path(json.loads(told.stdout)["Dir"])


def define(cluster, module, paths, tmp_path, only=()):
    """Give a control plane the definitions in files of a module, those of some names or all."""
    folder = module_folder(module, tmp_path)
    found = [folder / path for path in paths]
    if only:
        found = [_chosen(found, only, tmp_path / "chosen.yaml")]
    files = [argument for path in found for argument in ("-f", str(path))]
    cluster.kubectl("apply", "--server-side", *files)
    cluster.await_definitions(*files)


def _chosen(paths, names, path):
    bodies = [
        body
        for each in paths
        for body in yaml.load_all(each.read_text(encoding="utf-8"), yaml.CSafeLoader)
        if body and body["metadata"]["name"] in names
    ]
    path.write_text(yaml.safe_dump_all(bodies), encoding="utf-8")
    return path

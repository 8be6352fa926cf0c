"""Definitions of other projects' kinds, from their Go modules."""

import json
import subprocess
from pathlib import Path


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


def define(cluster, module, paths, tmp_path):
    """Give a control plane the definitions in files of a module."""
    folder = module_folder(module, tmp_path)
    files = [argument for path in paths for argument in ("-f", str(folder / path))]
    cluster.kubectl("apply", "--server-side", *files)
    cluster.await_definitions(*files)

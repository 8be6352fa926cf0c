"""Ask helm again: `python record.py HELM template.json` writes its answers into the file."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path


def lay_out(files, folder):
    for name, text in files.items():
        path = folder / name
        if name.endswith("/"):
            path.mkdir(parents=True, exist_ok=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def answer(helm, command, case, folder):
    found = subprocess.run(
        [helm, command, *case["arguments"]], cwd=folder, capture_output=True, check=False
    )
    for name, data in (("stdout", found.stdout), ("stderr", found.stderr)):
        text = data.decode().replace(str(folder), "ROOT")
        case[name] = text.replace(f"helm {command}", f"whipstaff {command}")
    case["code"] = found.returncode


def main(helm, file):
    oracle = json.loads(file.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        lay_out(oracle["files"], folder)
        for case in oracle["cases"]:
            answer(helm, file.stem, case, folder)
    text = json.dumps(oracle, indent=1, ensure_ascii=False)
    file.write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))

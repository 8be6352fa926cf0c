"""Cases of tests/oracle/cli: files, arguments, and what Helm printed."""

import json
from pathlib import Path

from click.testing import CliRunner

from whipstaff.cli.main import main

FOLDER = Path(__file__).parent.parent / "oracle" / "cli"
ROOT = "ROOT"  # where Helm printed the folder of the files


def oracle(command):
    return json.loads((FOLDER / f"{command}.json").read_text(encoding="utf-8"))


def lay_out(files, folder):
    """Write files, and folders where the name ends with a slash."""
    for name, text in files.items():
        path = folder / name
        if name.endswith("/"):
            path.mkdir(parents=True, exist_ok=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def run(*arguments):
    """Run a subcommand in this process: standard output, standard error, exit code."""
    result = CliRunner().invoke(main, arguments)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return (
        result.stdout_bytes.decode("utf-8", "surrogateescape"),
        result.stderr_bytes.decode("utf-8", "surrogateescape"),
        result.exit_code,
    )


def expected(case, folder):
    root = str(folder)
    return (case["stdout"].replace(ROOT, root), case["stderr"].replace(ROOT, root), case["code"])


def name_of(case):
    return " ".join(case["arguments"]) or "nothing"

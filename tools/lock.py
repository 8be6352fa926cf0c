"""Write requirements/*.lock anew from pyproject.toml: `make lock`."""

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
LOCKS = ROOT / "requirements"
COMPILE = (
    *(sys.executable, "-m", "piptools", "compile", "--quiet", "--upgrade"),
    *("--generate-hashes", "--allow-unsafe", "--strip-extras", "--no-header"),
    # The locks say what to install; where from is the business of each machine's own settings.
    *("--no-emit-index-url", "--no-emit-find-links", "--no-emit-trusted-host"),
    "--no-emit-options",
)


def main() -> None:
    """Lock what the operator runs on, what builds it, and both with the tools of development."""
    runtime = LOCKS / "runtime.lock"
    _compile("pyproject.toml", "--output-file", str(runtime))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    build = "\n".join(project["build-system"]["requires"])
    _compile("-", "--output-file", str(LOCKS / "build.lock"), stdin=build)
    wanted = "\n".join(project["dependency-groups"]["dev"])
    constraint = ("--constraint", str(runtime.relative_to(ROOT)))
    _compile("pyproject.toml", "-", *constraint, "-o", str(LOCKS / "dev.lock"), stdin=wanted)
    s3 = "\n".join(project["dependency-groups"]["s3"])
    _compile("-", "-o", str(LOCKS / "s3.lock"), stdin=s3)


def _compile(*arguments: str, stdin: str = "") -> None:
    subprocess.run([*COMPILE, *arguments], cwd=ROOT, input=stdin, text=True, check=True)


if __name__ == "__main__":
    main()

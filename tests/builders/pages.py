"""Pages of the documentation as something to run.

A page is run from top to bottom in a folder of its own. What runs:

    ```console            a line with `$ ` is a command, `> ` goes on with it; the lines below are
    $ kubectl get pods    what it prints, blanks aside: `…` stands for anything
    ```
    ```yaml blog.yaml     writes the file
"""

import re
import subprocess
from dataclasses import dataclass, field

_FENCE = re.compile(r"^```(\w*) ?(\S*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_AGES = re.compile(r"(?<!\S)\d+[smhd](\d+[smh])?(?!\S)")
ELLIPSIS = "…"


@dataclass(frozen=True)
class Block:
    """One fenced block: `language` and `file` stand behind the fence."""

    language: str
    file: str
    text: str
    line: int  # of the page


@dataclass
class Command:
    """A command, and the lines that it should print."""

    line: int
    text: str
    printed: list = field(default_factory=list)


def blocks(page):
    """List the fenced blocks of a page."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(found[1], found[2], found[3], text.count("\n", 0, found.start()) + 1)
        for found in _FENCE.finditer(text)
    ]


def links(text):
    """List the files that a page links to, without anchors."""
    found = (link.partition("#")[0] for link in _LINK.findall(text))
    return [link for link in found if link and "://" not in link]


def anchor(heading):
    """The name that GitHub gives to a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def commands(block):
    """List the commands of a console block."""
    found = []
    for number, line in enumerate(block.text.splitlines(), block.line + 1):
        if line.startswith("$ "):
            found.append(Command(number, line[2:]))
        elif found and line.startswith("> "):
            found[-1].text += "\n" + line[2:]
        elif found:
            found[-1].printed.append(line)
    return found


def run_page(page, folder, environment, replaced, after_each):
    """Run a page; `replaced` maps what it says to what is meant here. Yields what went wrong."""
    for block in blocks(page):
        if block.language == "yaml" and block.file:
            (folder / block.file).parent.mkdir(parents=True, exist_ok=True)
            (folder / block.file).write_text(meant(block.text, replaced), encoding="utf-8")
        elif block.language == "console":
            for command in commands(block):
                yield from _problems(page, command, folder, environment, replaced)
                after_each()


def meant(text, replaced):
    for said, here in replaced.items():
        text = text.replace(said, here)
    return text


def _problems(page, command, folder, environment, replaced):
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", meant(command.text, replaced)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    where = f"{page.name}:{command.line}: {command.text}"
    if done.returncode != 0:
        yield f"{where}\ncode {done.returncode}: {done.stderr}{done.stdout}"
    elif command.printed and not _matches(command.printed, meant_back(done.stdout, replaced)):
        yield f"{where}\nprinted:\n{done.stdout}"


def meant_back(text, replaced):
    for said, here in replaced.items():
        text = text.replace(here, said)
    return text


def _matches(expected, printed):
    pattern = "\n".join(_words(line) for line in expected)
    pattern = ".*".join(re.escape(part) for part in pattern.split(ELLIPSIS))
    found = "\n".join(_words(line) for line in printed.splitlines())
    return re.fullmatch(pattern, found, re.DOTALL) is not None


def _words(line):
    return " ".join(_AGES.sub("AGE", line).split())

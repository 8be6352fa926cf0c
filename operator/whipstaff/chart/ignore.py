""".helmignore: which files of a chart's folder Helm does not load."""

import posixpath
import re
from collections.abc import Iterable
from dataclasses import dataclass

from whipstaff.chart.globs import BadPattern, path_pattern
from whipstaff.chart.model import File
from whipstaff.errors import ChartInvalid

FILE_NAME = ".helmignore"
MAX_RULES = 10_000

# Helm always ignores the dot files of templates/, whatever the chart says.
_ALWAYS = "templates/.?*"


@dataclass(frozen=True, slots=True)
class _Rule:
    pattern: re.Pattern[str]
    whole_path: bool  # else only the base name is compared
    negated: bool
    folders_only: bool

    def matches(self, path: str) -> bool:
        name = path if self.whole_path else posixpath.basename(path)
        return self.pattern.fullmatch(name) is not None


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of one .helmignore, asked in their order."""

    rules: tuple[_Rule, ...]

    @classmethod
    def parse(cls, data: bytes = b"") -> "Rules":
        """Read a .helmignore; `**` and broken patterns raise ChartInvalid."""
        text = data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")
        lines = (line.strip() for line in text.split("\n"))
        wanted = [line for line in lines if line and not line.startswith("#")]
        if len(wanted) > MAX_RULES:
            raise ChartInvalid(f"more than {MAX_RULES} rules", where=FILE_NAME)
        return cls(tuple(_parse_rule(line) for line in [*wanted, _ALWAYS]))

    def ignore(self, path: str, *, folder: bool = False) -> bool:
        """Whether Helm skips this file or folder; a folder's content goes with it."""
        for rule in self.rules:
            if rule.negated:
                # As in Helm: what a negated rule does not name is ignored.
                if (rule.folders_only and not folder) or not rule.matches(path):
                    return True
            elif (folder or not rule.folders_only) and rule.matches(path):
                return True
        return False


def without_ignored(files: Iterable[File]) -> list[File]:
    """Drop the files that the .helmignore among them names, as if they lay in a folder."""
    listed = list(files)
    rules = Rules.parse(next((file.data for file in listed if file.name == FILE_NAME), b""))
    ignored = Ignored(rules)
    return [file for file in listed if not ignored.has(file.name)]


class Ignored:
    """Says of each file of a chart's folder whether Helm skips it, or a folder that it is in."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._folders: dict[str, bool] = {}

    def has(self, path: str) -> bool:
        """Whether Helm skips this file."""
        end = path.find("/")
        while end != -1:
            folder = path[:end]
            if folder not in self._folders:
                self._folders[folder] = self._rules.ignore(folder, folder=True)
            if self._folders[folder]:
                return True
            end = path.find("/", end + 1)
        return self._rules.ignore(path)


def _parse_rule(line: str) -> _Rule:
    if "**" in line:
        raise ChartInvalid("double-star (**) syntax is not supported", where=FILE_NAME)
    rule = line.removeprefix("!")
    bare = rule.removesuffix("/")
    try:
        pattern = path_pattern(bare.removeprefix("/"))
    except BadPattern as error:
        raise ChartInvalid(str(error), where=FILE_NAME) from error
    return _Rule(pattern, whole_path="/" in bare, negated=rule != line, folders_only=bare != rule)

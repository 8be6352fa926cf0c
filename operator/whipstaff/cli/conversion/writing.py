"""Objects as YAML with comments in it, which our own writer of YAML knows nothing of."""

from collections.abc import Mapping, Sequence

from whipstaff.cli.conversion.originals import Path
from whipstaff.golang import yaml
from whipstaff.golang.yaml_keys import natural_order
from whipstaff.release.revision import JsonObject


def written(body: JsonObject, comments: Mapping[Path, Sequence[str]]) -> str:
    """Return an object as one document; each comment stands at the head of its table."""
    return "\n".join(_table(body, comments, ())) + "\n"


def _table(table: JsonObject, comments: Mapping[Path, Sequence[str]], path: Path) -> list[str]:
    indent = "  " * len(path)
    lines = [f"{indent}# {text}" for text in comments.get(path, ())]
    for key in natural_order(table):
        inner = (*path, key)
        if any(place[: len(inner)] == inner for place in comments):
            lines.append(indent + yaml.dump({key: {}}).removesuffix(" {}\n"))
            lines += _table(table[key], comments, inner)
        else:
            text = yaml.dump({key: table[key]}).removesuffix("\n")
            lines += [f"{indent}{line}" if line else line for line in text.split("\n")]
    return lines

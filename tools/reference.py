"""Write the tables of the custom resources' pages from their definitions: `make reference`."""

from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
# The page that explains each definition.
PAGES = {
    ROOT / "docs" / "helmrelease.md": ROOT / "crds" / "helmreleases.yaml",
    ROOT / "docs" / "helmrepository.md": ROOT / "crds" / "helmrepositories.yaml",
}
PARTS = ("spec", "status")
_WORDS = {"boolean": "switch", "integer": "number", "string": "text", "array": "list"}


def main() -> None:
    """Write the pages anew."""
    for path, definition in PAGES.items():
        path.write_text(page(path.read_text(encoding="utf-8"), definition), encoding="utf-8")


def page(text: str, definition: Path) -> str:
    """Return a page with its tables as the definition has them."""
    (version,) = yaml.safe_load(definition.read_text(encoding="utf-8"))["spec"]["versions"]
    parts = version["schema"]["openAPIV3Schema"]["properties"]
    for part in PARTS:
        start, end = f"<!-- {part}: made by `make reference` -->\n", f"<!-- end of {part} -->"
        before, found, rest = text.partition(start)
        _, closed, after = rest.partition(end)
        if not (found and closed):
            raise SystemExit(f"the page of {definition.name} has no place for the table of {part}")
        text = before + start + "\n" + _table(parts[part]) + "\n" + end + after
    return text


def _table(part: dict[str, Any]) -> str:
    rows = ["| field | type | meaning |", "|---|---|---|", *_rows(part, "")]
    return "\n".join(rows) + "\n"


def _rows(node: dict[str, Any], prefix: str) -> list[str]:
    rows = []
    for name, field in node.get("properties", {}).items():
        text = " ".join(field["description"].split()).replace("|", "\\|")
        required = ", required" if name in node.get("required", ()) else ""
        rows.append(f"| `{prefix}{name}` | {_type(field)}{required} | {text} |")
        rows += _rows(field.get("items", field), f"{prefix}{name}.")
    return rows


def _type(field: dict[str, Any]) -> str:
    if "enum" in field:
        return " or ".join(f"`{word}`" for word in field["enum"])
    if field.get("format") == "date-time":
        return "time"
    kind = str(field.get("type", "integer or string"))
    return _WORDS.get(kind, kind)


if __name__ == "__main__":
    main()

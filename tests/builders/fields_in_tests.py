"""Which fields of a kind the texts of tests write or read: found by reading, nothing is run."""

import ast
from functools import cache
from pathlib import Path

import yaml


def builders_of(tests):
    """Give the files beside this one that tests take something from."""
    names = set()
    for path in tests:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module.rpartition(".")[2])
    return [path for path in Path(__file__).parent.glob("*.py") if path.stem in names]


@cache
def written(path):
    """Give the (parent, field) pairs of tables, keywords and manifests in the text of a file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    reader = _Reader(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            for keyword in node.keywords:
                reader.under("", keyword.arg or "", keyword.value)
        elif isinstance(node, ast.Dict):
            reader.table("", node)
        elif isinstance(node, ast.Constant) and "kind: HelmRelease" in str(node.value):
            reader.manifests(node.value)
    return reader.pairs


@cache
def read(path):
    """Give the names that the text of a file asks a table for: `a["b"]`, `a.get("b")`, `.b`."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Subscript(slice=ast.Constant(value=str(name))):
                found.add(name)
            case ast.Call(func=ast.Attribute(attr="get"), args=[ast.Constant(value=str(name)), *_]):
                found.add(name)
            case ast.Compare(left=ast.Constant(value=str(name)), ops=[ast.In() | ast.NotIn()]):
                found.add(name)
            case ast.Dict():
                found |= {str(key.value) for key in node.keys if isinstance(key, ast.Constant)}
            case ast.Constant(value=str(text)) if ".status." in text:
                found |= set(text.replace("}", ".").replace("=", ".").split("."))
    return found


class _Reader:
    """Follows tables through names of the same file, as far as they are written out."""

    def __init__(self, tree):
        self.pairs = set()
        self._names = {}
        self._seen = set()
        for node in ast.walk(tree):
            match node:
                case ast.Assign(targets=[ast.Name(id=name)], value=value):
                    self._names.setdefault(name, []).append(value)
                case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Tuple(elts=values)):
                    for name, value in zip(names, values, strict=False):
                        if isinstance(name, ast.Name):
                            self._names.setdefault(name.id, []).append(value)

    def under(self, parent, field, value):
        """Note a field, and what is in it."""
        self.pairs.add((parent, field))
        self.table(field, value)

    def table(self, parent, value):
        match value:
            case ast.Dict(keys=keys, values=values):
                for key, child in zip(keys, values, strict=True):
                    if isinstance(key, ast.Constant):
                        self.under(parent, str(key.value), child)
                    elif key is None:
                        self.table(parent, child)
            case ast.BinOp(left=left, right=right):
                self.table(parent, left)
                self.table(parent, right)
            case ast.List(elts=items) | ast.Tuple(elts=items):
                for item in items:
                    self.table(parent, item)
            case ast.Name(id=name) if (parent, name) not in self._seen:
                self._seen.add((parent, name))
                for assigned in self._names.get(name, ()):
                    self.table(parent, assigned)

    def manifests(self, text):
        try:
            documents = list(yaml.safe_load_all(text))
        except yaml.YAMLError:  # a template, or part of one
            return
        for document in documents:
            self._manifest("", document)

    def _manifest(self, parent, value):
        if isinstance(value, dict):
            for field, child in value.items():
                self.pairs.add((parent, field))
                if parent == "spec":
                    self.pairs.add(("", field))
                self._manifest(field, child)
        elif isinstance(value, list):
            for item in value:
                self._manifest(parent, item)

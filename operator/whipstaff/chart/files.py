"""`.Files`: the files of a chart that are neither templates nor values nor charts of their own."""

import base64
import posixpath
from collections.abc import Callable, Iterable, Mapping

from whipstaff.chart.globs import BadPattern, files_pattern
from whipstaff.chart.model import File
from whipstaff.golang import yaml_writer
from whipstaff.golang.values import GoObject, GoSignature, GoType, Strings, TypedMap, go_text


class Files(GoObject):
    """A map from path to content, with Helm's methods; nothing beyond the chart can be reached."""

    __slots__ = ("_contents",)

    go_type = "engine.files"
    go_kind = "map"

    def __init__(self, contents: Mapping[str, bytes]) -> None:
        self._contents = TypedMap(contents, "[]uint8")

    @classmethod
    def of(cls, files: Iterable[File]) -> "Files":
        return cls({file.name: file.data for file in files})

    def methods(self) -> Mapping[str, tuple[Callable[..., object], GoSignature]]:
        one_text = GoSignature((GoType.STRING,))
        return {
            "Get": (self.text, one_text),
            "GetBytes": (self.content, one_text),
            "Glob": (self.glob, one_text),
            "Lines": (self.lines, one_text),
            "AsConfig": (self.as_config, GoSignature()),
            "AsSecrets": (self.as_secrets, GoSignature()),
        }

    def underlying(self) -> dict[str, object]:
        return self._contents

    def content(self, name: str) -> bytes:
        """The content of a file, empty if there is none."""
        content = self._contents[name]
        return content if isinstance(content, bytes) else b""

    def text(self, name: str) -> str:
        return go_text(self.content(name))

    def glob(self, pattern: str) -> "Files":
        """The files whose path matches; a pattern that cannot be read matches everything."""
        try:
            matches = files_pattern(pattern).fullmatch
        except BadPattern:
            return self
        return Files({name: self.content(name) for name in self._contents if matches(name)})

    def lines(self, name: str) -> Strings:
        content = self.text(name)
        if not content:
            return Strings()
        return Strings(content.removesuffix("\n").split("\n"))

    def as_config(self) -> str:
        """The files as the YAML of a ConfigMap's data, by base name."""
        return _to_yaml({self._key(name): self.text(name) for name in self._contents})

    def as_secrets(self) -> str:
        """The files as the YAML of a Secret's data, by base name."""
        return _to_yaml(
            {
                self._key(name): base64.b64encode(self.content(name)).decode("ascii")
                for name in self._contents
            }
        )

    @staticmethod
    def _key(name: str) -> str:
        return posixpath.basename(name)


def _to_yaml(data: dict[str, object]) -> str:
    return yaml_writer.dump(data).removesuffix("\n")

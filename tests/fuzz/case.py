"""One case: a chart's files and how it is to be rendered; and what became of it."""

import base64
from dataclasses import dataclass, field

from whipstaff.golang.values import go_bytes, go_text

CHART = "fuzz"


@dataclass(frozen=True, slots=True)
class Case:
    """A chart in memory; texts hold bytes that are no UTF-8 as lone surrogates."""

    files: dict[str, str]
    values: tuple[str, ...] = ()  # values files of the user, YAML
    set: tuple[str, ...] = ()  # texts of --set
    kube_version: str = "v1.36.0"
    api_versions: tuple[str, ...] = ()
    is_upgrade: bool = False

    def order(self):
        """What the Go program is asked."""
        return self.as_record() | {
            "files": [{"name": name, "data": _base64(text)} for name, text in self.files.items()],
            "values": [_base64(text) for text in self.values],
        }

    def as_record(self):
        return {
            "files": self.files,
            "values": list(self.values),
            "set": list(self.set),
            "kube_version": self.kube_version,
            "api_versions": list(self.api_versions),
            "is_upgrade": self.is_upgrade,
        }

    @classmethod
    def of(cls, record):
        return cls(
            files=record["files"],
            values=tuple(record.get("values", ())),
            set=tuple(record.get("set", ())),
            kube_version=record.get("kube_version", "v1.36.0"),
            api_versions=tuple(record.get("api_versions", ())),
            is_upgrade=record.get("is_upgrade", False),
        )

    def __str__(self):
        parts = [f"=== {name}\n{text}" for name, text in self.files.items()]
        parts += [f"=== values {number}\n{text}" for number, text in enumerate(self.values)]
        parts.append(f"=== {self.set} {self.kube_version} {self.api_versions} {self.is_upgrade}")
        return "\n".join(parts)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What `helm template` prints, the notes, or the refusal; `crashed` is Helm's own panic."""

    output: str = ""
    notes: str = ""
    error: str = ""
    crashed: bool = field(default=False, compare=False)

    @classmethod
    def of(cls, answer):
        output, notes, error = (
            go_text(base64.b64decode(answer[part] or "")) for part in ("output", "notes", "error")
        )
        return cls(output, notes, in_order(error), crashed=answer["panic"])

    @classmethod
    def of_record(cls, record):
        return cls(*(record.get(part, "") for part in ("output", "notes", "error")))

    def as_record(self):
        return {"error": self.error} if self.error else {"output": self.output, "notes": self.notes}


def in_order(error):
    """A text of Helm's with what it lists in no order sorted: the violations of a schema."""
    if not error.startswith("values don't meet"):
        return error
    return "\n".join(sorted(error.split("\n")))


def _base64(text):
    return base64.b64encode(go_bytes(text)).decode()

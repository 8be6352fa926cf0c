"""What Kubernetes says of an object's name: which kinds want which form, and in what words."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from whipstaff.golang.strconv import quote

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_OLD_LABEL = r"[a-z]([-a-z0-9]*[a-z0-9])?"

_UNNAMED_KIND = "certificatesigningrequest"
_ROLES = frozenset({"role", "clusterrole", "rolebinding", "clusterrolebinding"})


def problem_with(kind: str, name: str) -> str:
    """Return what is wrong with a name, empty if nothing is; kinds compare without case."""
    problems = [
        f"metadata.name: Invalid value: {quote(name)}: {problem}"
        for problem in _judge_of(kind.lower())(name)
    ]
    if not problems:
        return ""
    listed = problems[0] if len(problems) == 1 else f"[{', '.join(problems)}]"
    return (
        f"object name does not conform to Kubernetes naming requirements: {quote(name)}: {listed}"
    )


def _judge_of(kind: str) -> Callable[[str], list[str]]:
    match kind:
        case "service":
            return _old_label
        case "namespace":
            return _label
        case _ if kind == _UNNAMED_KIND:
            return lambda _: []
        case _ if kind in _ROLES:
            return _path_segment
        case _:
            return _SUBDOMAIN_FORM.problems


@dataclass(frozen=True, slots=True)
class _Form:
    """A form that names may have to have, as Kubernetes describes it."""

    pattern: str
    longest: int
    description: str
    examples: tuple[str, ...]

    def problems(self, name: str) -> list[str]:
        found = []
        if len(name.encode("utf-8", "surrogateescape")) > self.longest:
            found.append(f"must be no more than {self.longest} characters")
        if not re.fullmatch(self.pattern, name):
            examples = " or ".join(f"'{example}', " for example in self.examples)
            found.append(
                f"{self.description} (e.g. {examples}regex used for validation is '{self.pattern}')"
            )
        return found


_SUBDOMAIN_FORM = _Form(
    _SUBDOMAIN,
    253,
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.',"
    " and must start and end with an alphanumeric character",
    ("example.com",),
)
_LABEL_FORM = _Form(
    _LABEL,
    63,
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-',"
    " and must start and end with an alphanumeric character",
    ("my-name", "123-abc"),
)
_OLD_LABEL_FORM = _Form(
    _OLD_LABEL,
    63,
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-',"
    " start with an alphabetic character, and end with an alphanumeric character",
    ("my-name", "abc-123"),
)


def _label(name: str) -> list[str]:
    problems = _LABEL_FORM.problems(name)
    if problems and "." in name and re.fullmatch(_SUBDOMAIN, name):
        problems[-1] = "must not contain dots"
    return problems


def _old_label(name: str) -> list[str]:
    return _OLD_LABEL_FORM.problems(name)


def _path_segment(name: str) -> list[str]:
    if name in {".", ".."}:
        return [f"may not be '{name}'"]
    return [f"may not contain '{character}'" for character in "/%" if character in name]

"""What lint says of a Chart.yaml, rule by rule, in Helm's words."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from whipstaff.chart import metadata as chartfile
from whipstaff.chart.findings import Finding, Severity
from whipstaff.chart.shapes import ListOf, Shape, Struct
from whipstaff.errors import ChartInvalid
from whipstaff.golang import url, yaml
from whipstaff.golang.regexp import compile_pattern
from whipstaff.golang.semver import SemverError, Version
from whipstaff.golang.strconv import quote
from whipstaff.golang.values import sorted_keys, type_name

PATH = "Chart.yaml"

Fields = Mapping[str, Any]
Rule = Callable[[Fields], str]

_WIDE = r"\x{00A0}-\x{D7FF}\x{F900}-\x{FDCF}\x{FDF0}-\x{FFEF}"
_ATOM = rf"[a-zA-Z0-9!#$%&'*+\-/=?^_`{{|}}~{_WIDE}]+"
_BLANKS = r"((([ \t]*\r\n)?[ \t]+)?)"
# The library that Helm asks allows a quoted name of one character, for want of a bracket.
_QUOTED = (
    rf'("{_BLANKS}([\x01-\x08\x0b\x0c\x0e-\x1f\x7f\x21\x23-\x5b\x5d-\x7e{_WIDE}]'
    rf'|\([\x01-\x09\x0b-\x0d-\x7f{_WIDE}]))*{_BLANKS}"'
)
_EDGE = rf"[a-zA-Z0-9{_WIDE}]"
_LETTER = rf"[a-zA-Z{_WIDE}]"
_EMAIL = (
    rf"^({_ATOM}(\.{_ATOM})*|{_QUOTED})@"
    rf"({_EDGE}([a-zA-Z0-9\-._~{_WIDE}]*{_EDGE})?\.)+"
    rf"{_LETTER}([a-zA-Z0-9\-_~{_WIDE}]*{_LETTER})?\.?$"
)

_HOST_LETTER = r"a-zA-Z\x{00a1}-\x{ffff}"
_IPV4 = (
    r"([1-9]\d?|1\d\d|2[01]\d|22[0-3]|24\d|25[0-5])"
    r"(\.(\d{1,2}|1\d\d|2[0-4]\d|25[0-5])){2}(\.(\d\d?|1\d\d|2[0-4]\d|25[0-5]))"
)
_HOST = (
    r"([a-zA-Z0-9]([a-zA-Z0-9\-_]+)?[a-zA-Z0-9]([\-.][a-zA-Z0-9]+)*"
    r"|www\.|[a-zA-Z0-9]+([\-_.]?[a-zA-Z0-9])*[a-zA-Z0-9]\.[a-zA-Z0-9]+)?"
    rf"([{_HOST_LETTER}0-9]+-?-?)*[{_HOST_LETTER}0-9]+(\.[{_HOST_LETTER}]+)?"
)
_URL = (
    r"^((ftp|tcp|udp|wss?|https?)://)?(\S+@)?"
    rf"({_IPV4}|\[[0-9a-fA-F:.]+\]|{_HOST})\.?(:\d{{1,5}})?([/?#]\S*)?$"
)
_URL_LENGTHS = range(4, 2083)


def findings(text: str) -> list[Finding]:
    """Judge the text of a Chart.yaml; one that cannot be read has no other findings."""
    try:
        fields = chartfile.read_fields(text, PATH)
    except ChartInvalid as error:
        problem = error.text.removeprefix(f"cannot load {PATH}: ")
        return [Finding(Severity.ERROR, PATH, f"unable to parse YAML\n\t{problem}")]
    found = []
    if problem := _strict_problem(text):
        problem = f"failed to strictly parse chart metadata file\n\t{problem}"
        found.append(Finding(Severity.WARNING, PATH, problem))
    written = yaml.load(text)
    untyped = written if isinstance(written, dict) else {}
    for severity, rule, typed in _RULES:
        if problem := rule(fields if typed else untyped):
            found.append(Finding(severity, PATH, problem))
    return found


def _strict_problem(text: str) -> str:
    try:
        value = yaml.load_strict(text)
    except yaml.YAMLError as error:
        return error.text
    unknown = _unknown_field(value, chartfile.METADATA)
    if not unknown:
        return ""
    return f'error unmarshaling JSON: while decoding JSON: json: unknown field "{unknown}"'


def _unknown_field(value: object, shape: Shape) -> str:
    """The first key that no field has, in the order in which Go meets them."""
    match shape, value:
        case ListOf(item), list():
            return next((name for one in value if (name := _unknown_field(one, item))), "")
        case Struct(), dict():
            folded = {name.casefold(): inner for name, inner in shape.fields.items()}
            for key in sorted_keys(value):
                inner = folded.get(key.casefold())
                if inner is None:
                    return quote(key)[1:-1]
                if name := _unknown_field(value[key], inner):
                    return name
        case _:
            pass
    return ""


def _name(fields: Fields) -> str:
    name = fields.get("name", "")
    if not name:
        return "name is required"
    base = name.rstrip("/").rpartition("/")[2] or "/"
    return "" if base == name else f"chart name {quote(name)} is invalid"


def _api_version(fields: Fields) -> str:
    version = fields.get("apiVersion", "")
    if not version:
        return 'apiVersion is required. The value must be either "v1" or "v2"'
    if version in {"v1", "v2"}:
        return ""
    return f'apiVersion \'{version}\' is not valid. The value must be either "v1" or "v2"'


def _is_text(name: str) -> Rule:
    def rule(fields: Fields) -> str:
        if name not in fields or isinstance(fields[name], str):
            return ""
        value = fields[name]
        kind = "<nil>" if value is None else type_name(value)
        return f"{name} should be of type string but it's of type {kind}"

    return rule


def _version(fields: Fields) -> str:
    text = fields.get("version", "")
    if not text:
        return "version is required"
    try:
        version = Version.parse(text)
    except SemverError:
        return f"version '{text}' is not a valid SemVer"
    least = Version.parse("0.0.0-0")
    return "" if version > least else f'version "{version}" is less than or equal to "{least}"'


def _strict_version(fields: Fields) -> str:
    text = fields.get("version", "")
    try:
        Version.parse_strict(text)
    except SemverError:
        return f"version '{text}' is not a valid SemVerV2"
    return ""


def _maintainers(fields: Fields) -> str:
    for maintainer in fields.get("maintainers") or ():
        if maintainer is None:
            return "a maintainer entry is empty"
        name, email, home = (maintainer.get(key, "") for key in ("name", "email", "url"))
        if not name:
            return "each maintainer requires a name"
        if email and not compile_pattern(_EMAIL).matches(email):
            return f"invalid email '{email}' for maintainer '{name}'"
        if home and not _is_url(home):
            return f"invalid url '{home}' for maintainer '{name}'"
    return ""


def _sources(fields: Fields) -> str:
    for source in fields.get("sources") or ():
        if not _is_request_url(source):
            return f"invalid source URL '{source}'"
    return ""


def _icon(fields: Fields) -> str:
    return "" if fields.get("icon") else "icon is recommended"


def _icon_url(fields: Fields) -> str:
    icon = fields.get("icon", "")
    return f"invalid icon URL '{icon}'" if icon and not _is_request_url(icon) else ""


def _type(fields: Fields) -> str:
    version = fields.get("apiVersion", "")
    if not fields.get("type") or version == "v2":
        return ""
    return f"chart type is not valid in apiVersion '{version}'. It is valid in apiVersion 'v2'"


def _dependencies(fields: Fields) -> str:
    version = fields.get("apiVersion", "")
    if not fields.get("dependencies") or version == "v2":
        return ""
    return (
        f"dependencies are not valid in the Chart file with apiVersion '{version}'. "
        "They are valid in apiVersion 'v2'"
    )


# The rule, whether it sees the fields as Helm's struct holds them or as they are written.
_RULES: Sequence[tuple[Severity, Rule, bool]] = (
    (Severity.ERROR, _name, True),
    (Severity.ERROR, _api_version, True),
    (Severity.ERROR, _is_text("version"), False),
    (Severity.ERROR, _version, True),
    (Severity.ERROR, _is_text("appVersion"), False),
    (Severity.ERROR, _maintainers, True),
    (Severity.ERROR, _sources, True),
    (Severity.INFO, _icon, True),
    (Severity.ERROR, _icon_url, True),
    (Severity.ERROR, _type, True),
    (Severity.ERROR, _dependencies, True),
    (Severity.WARNING, _strict_version, True),
)


def _is_request_url(text: str) -> bool:
    """Whether a text is a URL with a scheme; a fragment is part of what comes before it."""
    try:
        return bool(text) and bool(url.parse(text.replace("#", "%23")).scheme)
    except url.URLError:
        return False


def _is_url(text: str) -> bool:
    """Whether a text looks like the address of a page, with or without a scheme."""
    if len(text) not in _URL_LENGTHS or text.startswith("."):
        return False
    try:
        found = url.parse(f"http://{text}" if ":" in text and "://" not in text else text)
    except url.URLError:
        return False
    if found.host.startswith(".") or (not found.host and found.path and "." not in found.path):
        return False
    return compile_pattern(_URL).matches(text)

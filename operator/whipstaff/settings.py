"""What can be set from outside, in one frozen object that is read once."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

from whipstaff.errors import InvalidSpec

PREFIX = "WHIPSTAFF_"
VERSION = "0.1.0"
STORAGE_DRIVERS = ("secret", "configmap")
LAST_PORT = 65535
_MAY_BE_ZERO = frozenset({"history_limit", "probe_port", "admission_port"})
_KINDS: Mapping[type, str] = {bool: "switch (true or false)", int: "whole number", float: "number"}


@dataclass(frozen=True, slots=True)
class Settings:
    """Each field is also an environment variable: `WHIPSTAFF_` and its name in capitals."""

    watch_namespaces: tuple[str, ...] = ()  # whose HelmReleases, with commas; empty: all
    watch_label_selector: str = ""  # whose labels HelmReleases must have; empty: any
    storage_driver: str = "secret"  # "secret" or "configmap": what holds a revision
    history_limit: int = 10  # revisions kept where maxHistory does not say; 0 keeps all
    concurrency: int = 16  # passes over releases at a time; waits hold none
    probe_host: str = "0.0.0.0"  # noqa: S104 - the kubelet asks from outside the pod
    probe_port: int = 8080  # of /livez and /readyz; 0 for none
    admission_port: int = 0  # of the admission webhook; 0 for none
    admission_host: str = "0.0.0.0"  # noqa: S104 - the API server asks from outside the pod
    # What the API server calls us: host names and addresses, with commas.
    admission_names: tuple[str, ...] = ("whipstaff-admission.whipstaff-system.svc",)
    admission_configuration: str = "whipstaff"  # the ValidatingWebhookConfiguration
    admission_secret: str = "whipstaff-admission"  # noqa: S105 - the name of a Secret
    admission_seconds: float = 8.0  # what takes longer is admitted with a warning
    admission_concurrency: int = 4  # HelmReleases that are judged at a time
    admission_certificate_seconds: float = 90 * 86400.0  # renewed when a third is left
    lease_namespace: str = "whipstaff-system"  # where the Lease of the one writer lives
    identity: str = ""  # in the Lease; empty: the pod's name, with the process's number outside
    lease_seconds: float = 15.0  # how long a lost leader blocks the next one
    liveness_seconds: float = 90.0  # a watch silent for longer fails the liveness probe
    watch_silence_seconds: float = 75.0  # a watch silent for longer is opened anew
    http_timeout_seconds: float = 30.0  # one request to a chart repository, its body included
    chart_bytes_limit: int = 20 << 20  # larger archives are refused before unpacking
    index_bytes_limit: int = 50 << 20  # larger repository indexes are refused
    source_bytes_limit: int = 64 << 20  # larger artifacts of Flux's sources are refused
    no_cross_namespace_refs: bool = False  # refuse references to other namespaces
    cache_folder: Path = Path("/var/cache/whipstaff")  # chart archives and indexes
    cache_bytes_limit: int = 512 << 20  # least recently used archives go beyond it
    allow_loopback_repositories: bool = True  # chart repositories at 127.0.0.0/8 and ::1
    allow_private_repositories: bool = True  # chart repositories in private networks
    default_service_account: str = ""  # as whom releases act that name none; empty: the operator
    allow_loopback_clusters: bool = False  # kubeconfigs of HelmReleases may name 127.0.0.0/8
    allow_insecure_clusters: bool = False  # and skip the check of certificates, or use http
    worker_count: int = 2  # processes that parse and render, started when first needed
    worker_memory_bytes: int = 512 << 20  # address space of one worker
    worker_recycle_bytes: int = 192 << 20  # a worker that holds more after a job is replaced
    render_cpu_seconds: float = 10.0  # CPU time of one render; waits for `lookup` do not count
    jinja2_charts: bool = False  # render charts whose Chart.yaml asks for Jinja2
    render_output_bytes: int = 10 << 20  # rendered text of one release

    def __post_init__(self) -> None:
        """Refuse what nobody can mean: it would be found out late, or never."""
        if self.storage_driver not in STORAGE_DRIVERS:
            known = " or ".join(STORAGE_DRIVERS)
            raise _refusal("storage_driver", f"{self.storage_driver!r}, not {known}")
        for field in fields(self):
            value = getattr(self, field.name)
            if not isinstance(value, int | float) or isinstance(value, bool):
                continue
            if not (value > 0 or (value == 0 and field.name in _MAY_BE_ZERO)):
                least = "at least 0" if field.name in _MAY_BE_ZERO else "more than 0"
                raise _refusal(field.name, f"{value}; it must be {least}")
        for name in ("probe_port", "admission_port"):
            port = getattr(self, name)
            if port > LAST_PORT:
                raise _refusal(name, f"{port}; there are ports up to {LAST_PORT}")
        if self.admission_port and not self.admission_names:
            raise _refusal("admission_names", "empty; the API server must call us by some name")

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read what is set; InvalidSpec names a variable that cannot be read."""
        values: dict[str, Any] = {}
        for field in fields(cls):
            variable = PREFIX + field.name.upper()
            if variable in environment:
                values[field.name] = _read(environment[variable], field.default, variable)
        return cls(**values)


def _read(text: str, default: object, variable: str) -> object:
    try:
        match default:
            case bool():
                return {"true": True, "false": False}[text.lower()]
            case int() | float() | Path():
                return type(default)(text)
            case tuple():
                return tuple(word.strip() for word in text.split(",") if word.strip())
            case _:
                return text
    except (ValueError, KeyError) as error:
        kind = _KINDS.get(type(default), "text")
        raise InvalidSpec(f"{variable} is {text!r}, which is no {kind}", variable) from error


def _refusal(name: str, why: str) -> InvalidSpec:
    variable = PREFIX + name.upper()
    return InvalidSpec(f"{variable} is {why}", variable)

"""How a chart server is set up, in one frozen object."""

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from whipstaff.errors import InvalidSpec
from whipstaff.server.access import Access
from whipstaff.serving.listener import TLS, Listener

MiB = 1 << 20
DEFAULT_ADDRESS = "127.0.0.1:8879"  # that of `helm serve`
_DEEPEST = 8


@dataclass(frozen=True, slots=True)
class Options:
    """What `whipstaff serve` was told; 0 is no limit where a quota is meant."""

    storage: str  # a folder, or the URL of an object store
    host: str = "127.0.0.1"
    port: int = 8879
    url: str = ""  # under which clients reach the server; the index then has absolute URLs
    context_path: str = ""
    depth: int = 0
    access: Access = field(default_factory=Access)
    tls: TLS | None = None
    chart_bytes: int = 20 * MiB
    quota_bytes: int = 0
    quota_files: int = 0
    overwrite: bool = False
    forbid_force: bool = False
    refresh_seconds: float = 10.0
    upload_seconds: float = 120.0  # for all of one upload
    silence_seconds: float = 15.0  # of a client in the middle of one
    uploads: int = 16  # received at a time
    connections: int = 512  # more are told to come again
    shutdown_seconds: int = 10  # for requests under way
    workers: int = 2

    def __post_init__(self) -> None:
        """Refuse what nobody can mean."""
        if not 0 <= self.depth <= _DEEPEST:
            raise InvalidSpec(f"--depth is {self.depth}; it can be 0 to {_DEEPEST}", "--depth")
        if self.context_path and not self.context_path.startswith("/"):
            raise InvalidSpec("--context-path has to begin with a slash", "--context-path")
        if self.url and urlsplit(self.url).scheme not in {"http", "https"}:
            raise InvalidSpec("--url has to be one of http or https", "--url")

    @property
    def listener(self) -> Listener:
        """Where and how to listen."""
        return Listener(self.host, self.port, self.tls, self.connections, self.shutdown_seconds)

    @property
    def hosts(self) -> frozenset[str]:
        """Names that the server is asked by; empty where that is not known.

        A server of this machine that asks for no login answers to no other name: a page whose name
        leads here could read all that it has.
        """
        if not self.listener.is_local or self.access.credentials:
            return frozenset()
        own = urlsplit(self.url).hostname
        return frozenset({"localhost", "127.0.0.1", "::1", self.host, *([own] if own else [])})

"""How a command of a person reaches the cluster: kubeconfigs as kubectl reads them, quickly.

What holds its credentials itself is read here, in milliseconds. Whatever asks somebody for them (an
exec plugin, an OIDC or cloud login) is left to the child that the operator asks too, see
`kube.connection`. In a pod without a kubeconfig its ServiceAccount counts.
"""

import base64
import binascii
import json
import ssl
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from whipstaff.errors import ClusterRefused
from whipstaff.kube.proxies import Proxy, proxy_for, proxy_of
from whipstaff.kube.tls import tls_of
from whipstaff.kube.unreachable import UNREACHABLE

SERVICE_ACCOUNT_FOLDER = Path("/var/run/secrets/kubernetes.io/serviceaccount")
KUBECONFIG_BYTES = 8 << 20  # what is read of one; some are devices without an end
CHILD_SECONDS = 300.0  # a login may wait for a person at a browser

_ASKS_SOMEBODY = ("exec", "auth-provider")

# By kind and name: the file that holds an entry, and the entry.
_Known = dict[str, dict[str, tuple[Path, dict[str, Any]]]]


@dataclass(frozen=True, slots=True)
class Overrides:
    """What helm's flags say in place of a kubeconfig; empty where they say nothing."""

    server: str = ""
    token: str = field(default="", repr=False)
    user: str = ""  # to impersonate
    groups: tuple[str, ...] = ()
    ca_file: str = ""
    server_name: str = ""
    insecure: bool = False

    @property
    def cluster_entry(self) -> dict[str, Any]:
        """What stands in a kubeconfig's cluster for that."""
        entry = {"server": self.server, "tls-server-name": self.server_name}
        facts: dict[str, Any] = {name: text for name, text in entry.items() if text}
        if self.ca_file:
            path = str(Path(self.ca_file).absolute())
            facts |= {"certificate-authority": path, "certificate-authority-data": ""}
        if self.insecure:
            nobody = dict.fromkeys(("certificate-authority", "certificate-authority-data"), "")
            facts |= {"insecure-skip-tls-verify": True, **nobody}
        return facts

    @property
    def user_entry(self) -> dict[str, Any]:
        """What stands in a kubeconfig's user for that."""
        facts: dict[str, Any] = {}
        if self.token:
            others = ("tokenFile", "username", "password", *_ASKS_SOMEBODY)
            facts |= {"token": self.token, **dict.fromkeys(others)}
        if self.user:
            facts["as"] = self.user
        if self.groups:
            facts["as-groups"] = list(self.groups)
        return facts


@dataclass
class Access:
    """One API server and as whom to speak to it."""

    server: str  # its URL, without a slash at its end
    namespace: str  # that the context names, or "default"
    tls: ssl.SSLContext | bool
    server_name: str = ""  # whom the certificate must name; empty: the host of the URL
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    groups: tuple[str, ...] = ()  # as whose member, where somebody is impersonated
    proxy: Proxy | None = None  # on the way; None: there is none
    source: tuple[str, str] = ("", "")  # kubeconfig and context of credentials that expire

    def renew(self) -> bool:
        """Get other credentials in place of those that were refused; False if there are none."""
        if not self.source[0]:
            return False
        header = _asked(*self.source)["authorization"]
        changed = bool(header) and header != self.headers.get("Authorization")
        if changed:
            self.headers["Authorization"] = header
        return changed


def open_access(
    kubeconfig: str,
    context: str,
    environment: Mapping[str, str],
    overrides: Overrides = Overrides(),
) -> Access:
    """Find the API server; ClusterRefused says why there is none.

    `kubeconfig` is the flag's, else `$KUBECONFIG` (several, parted by colons) or ~/.kube/config.
    """
    access = _found(kubeconfig, context, environment, overrides)
    if access.proxy is None:
        try:
            access.proxy = proxy_for(access.server, environment)
        except ValueError as error:
            raise ClusterRefused(f"{UNREACHABLE}: {error}") from error
    return access


def contexts(kubeconfig: str, environment: Mapping[str, str]) -> list[str]:
    """Return the names of all contexts; ClusterRefused if a kubeconfig cannot be read."""
    known, _ = _merged([path for path in _paths(kubeconfig, environment) if path.is_file()])
    return list(known.get("contexts", ()))


def namespace_of(context: str, environment: Mapping[str, str]) -> str:
    """Return the namespace that a context names, or "default"; ClusterRefused if there is none."""
    known, current = _merged([path for path in _paths("", environment) if path.is_file()])
    _, found = _entry(known, "contexts", "context", context or current)
    return str(found.get("namespace") or "default")


def _paths(kubeconfig: str, environment: Mapping[str, str]) -> list[Path]:
    given = kubeconfig or environment.get("KUBECONFIG", "")
    home = Path(environment.get("HOME") or Path.home())
    return [Path(text) for text in given.split(":") if text] or [home / ".kube" / "config"]


def _found(
    kubeconfig: str, context: str, environment: Mapping[str, str], overrides: Overrides
) -> Access:
    paths = _paths(kubeconfig, environment)
    present = [path for path in paths if path.exists()]  # a pipe may be one
    if not present:
        if overrides.server:
            here = Path()
            return _access(here, overrides.cluster_entry, here, overrides.user_entry)
        if not kubeconfig and environment.get("KUBERNETES_SERVICE_HOST"):
            return _of_the_pod(environment, SERVICE_ACCOUNT_FOLDER)
        where = ":".join(map(str, paths))
        raise ClusterRefused(f"{UNREACHABLE}: {where}: no such file")
    return _read(present, context, overrides)


def _of_the_pod(environment: Mapping[str, str], folder: Path) -> Access:
    host = environment["KUBERNETES_SERVICE_HOST"]
    server = f"https://{f'[{host}]' if ':' in host else host}"
    server += f":{environment.get('KUBERNETES_SERVICE_PORT', '443')}"
    try:
        token = (folder / "token").read_text(encoding="utf-8").strip()
        namespace = (folder / "namespace").read_text(encoding="utf-8").strip()
        tls = ssl.create_default_context(cafile=str(folder / "ca.crt"))
    except OSError as error:
        raise ClusterRefused(f"{UNREACHABLE}: {error}") from error
    return Access(server, namespace or "default", tls, "", {"Authorization": f"Bearer {token}"})


def _read(paths: list[Path], context: str, overrides: Overrides) -> Access:
    known, current = _merged(paths)
    chosen = context or current
    if not chosen:
        raise ClusterRefused(f"{UNREACHABLE}: {paths[0]} names no context")
    _, found = _entry(known, "contexts", "context", chosen)
    place, cluster = _entry(known, "clusters", "cluster", str(found.get("cluster", "")))
    cluster = {**cluster, **overrides.cluster_entry}
    if not cluster.get("server"):
        raise ClusterRefused(f"{UNREACHABLE}: context {chosen} has no server")
    named = str(found.get("user") or "")
    users_place, user = _entry(known, "users", "user", named) if named else (place, {})
    user = {**user, **overrides.user_entry}
    source = (":".join(map(str, paths)), chosen)
    namespace = str(found.get("namespace") or "default")
    return _access(place, cluster, users_place, user, namespace, source)


def _access(
    place: Path,
    cluster: Mapping[str, Any],
    users_place: Path,
    user: Mapping[str, Any],
    namespace: str = "default",
    source: tuple[str, str] = ("", ""),
) -> Access:
    """Return the way to a cluster as a user; `source` is whom to ask for credentials."""
    facts = _facts(place, cluster, users_place, user)
    if any(user.get(kind) for kind in _ASKS_SOMEBODY):
        told = _asked(*source)
        facts |= {name: told[name] for name in ("certificate", "key", "authorization")}
    else:
        source = ("", "")
    headers = {"Authorization": facts["authorization"]} if facts["authorization"] else {}
    if user.get("as"):
        headers["Impersonate-User"] = str(user["as"])
    try:
        tls = tls_of(facts)
    except (ssl.SSLError, ValueError) as error:
        raise ClusterRefused(f"{place}: its certificates cannot be used") from error
    return Access(
        facts["server"],
        namespace,
        tls,
        str(cluster.get("tls-server-name") or ""),
        headers,
        tuple(str(group) for group in user.get("as-groups") or ()),
        _proxy(place, cluster),
        source,
    )


def _proxy(place: Path, cluster: Mapping[str, Any]) -> Proxy | None:
    if not cluster.get("proxy-url"):
        return None
    try:
        return proxy_of(str(cluster["proxy-url"]))
    except ValueError as error:
        raise ClusterRefused(f"{place} cannot be used: proxy-url: {error}") from error


def _merged(paths: list[Path]) -> tuple[_Known, str]:
    """Return all entries and the current context; the first file that names one counts."""
    known: _Known = {}
    current = ""
    for path in paths:
        config = _config(path)
        current = current or str(config.get("current-context") or "")
        for kind in ("contexts", "clusters", "users"):
            for entry in config.get(kind) or ():
                if isinstance(entry, dict):
                    known.setdefault(kind, {}).setdefault(str(entry.get("name", "")), (path, entry))
    return known, current


def _config(path: Path) -> dict[str, Any]:
    import yaml  # noqa: PLC0415 - a pod needs none

    try:
        with path.open("rb") as file:
            text = file.read(KUBECONFIG_BYTES)
        found = yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    except OSError as error:
        why = (error.strerror or "").lower()
        raise ClusterRefused(f"{UNREACHABLE}: {path}: {why}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ClusterRefused(f"{path} cannot be used: it is no kubeconfig") from error
    if not isinstance(found, dict | None):
        raise ClusterRefused(f"{path} cannot be used: it is no kubeconfig")
    return found or {}


def _entry(known: _Known, kind: str, what: str, name: str) -> tuple[Path, dict[str, Any]]:
    if name not in known.get(kind, {}):
        raise ClusterRefused(f'{UNREACHABLE}: {what} "{name}" does not exist')
    path, entry = known[kind][name]
    inner = entry.get(what)
    return path, inner if isinstance(inner, dict) else {}


def _facts(
    place: Path, cluster: Mapping[str, Any], users_place: Path, user: Mapping[str, Any]
) -> dict[str, Any]:
    """Put a cluster and a user into the form in which the child tells of them."""
    authorization = ""
    token = str(user.get("token") or "")
    if user.get("tokenFile"):
        token = _file(users_place, str(user["tokenFile"])).strip()
    if token:
        authorization = f"Bearer {token}"
    elif user.get("username"):
        pair = f"{user['username']}:{user.get('password') or ''}"
        authorization = f"Basic {base64.b64encode(pair.encode()).decode()}"
    return {
        "server": str(cluster.get("server", "")).rstrip("/"),
        "ca": _pem(place, cluster, "certificate-authority"),
        "insecure": cluster.get("insecure-skip-tls-verify") is True,
        "certificate": _pem(users_place, user, "client-certificate"),
        "key": _pem(users_place, user, "client-key"),
        "authorization": authorization,
    }


def _pem(place: Path, entry: Mapping[str, Any], name: str) -> str:
    """Read a certificate or key: its data if the entry holds it, else its file."""
    data = entry.get(f"{name}-data")
    if data:
        try:
            return base64.b64decode(str(data)).decode("ascii")
        except (binascii.Error, ValueError) as error:
            raise ClusterRefused(f"{place} cannot be used: {name}-data is no base64") from error
    return _file(place, str(entry[name])) if entry.get(name) else ""


def _file(place: Path, name: str) -> str:
    path = place.parent / name  # a relative path starts at its kubeconfig
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise ClusterRefused(f"{place} cannot be used: {path} cannot be read") from error


def _asked(paths: str, context: str) -> dict[str, Any]:
    """Have the child find out who we are; it may run a plugin that speaks at the terminal."""
    import subprocess  # noqa: PLC0415 - most kubeconfigs ask nobody

    child = Path(__file__).with_name("kubeconfig.py")
    try:
        done = subprocess.run(  # noqa: S603 - our own file
            [sys.executable, "-P", str(child), paths, context],
            stdout=subprocess.PIPE,  # what it says goes to the terminal
            timeout=CHILD_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ClusterRefused(f"{paths}: no credentials within {CHILD_SECONDS:.0f} s") from error
    if done.returncode != 0:
        raise ClusterRefused(
            f"{UNREACHABLE}: {paths}: no credentials for context {context}: "
            "its login failed, as told above"
        )
    facts: dict[str, Any] = json.loads(done.stdout)
    return facts

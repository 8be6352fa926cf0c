"""The child that reads a kubeconfig: `python kubeconfig.py PATH [CONTEXT]`.

It prints what `kube.connection` needs as JSON. Run apart because the `kubernetes` package, which
knows every kind of kubeconfig, costs more memory than the operator's own adapters together.
"""

import datetime
import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kubernetes.client import Configuration
from kubernetes.config import ConfigException
from kubernetes.config.kube_config import KubeConfigLoader, KubeConfigMerger


def read(path: str, context: str = "") -> dict[str, Any]:
    """Return server, certificates and token; ConfigException if the file has no such context."""
    merged = KubeConfigMerger(path)  # type: ignore[no-untyped-call]  # the package has no types
    loader = KubeConfigLoader(  # type: ignore[no-untyped-call]
        config_dict=merged.config,
        active_context=context or None,
        config_base_path=None,
        config_persister=merged.save_changes,
    )
    configuration = Configuration()
    with _failures() as failures:
        loader.load_and_set(configuration)  # type: ignore[no-untyped-call]
    if failures and not (configuration.api_key or configuration.cert_file):
        raise ConfigException("; ".join(failures))
    return {
        "server": configuration.host.rstrip("/"),
        "namespace": loader.current_context["context"].get("namespace") or "",
        "ca": _text(configuration.ssl_ca_cert),
        "insecure": not configuration.verify_ssl,
        "certificate": _text(configuration.cert_file),
        "key": _text(configuration.key_file),
        # The package renamed this key once; each name holds the whole header.
        "authorization": configuration.api_key.get("BearerToken")
        or configuration.api_key.get("authorization", ""),
        "expires_in_seconds": _seconds_left(getattr(loader, "expiry", None)),
    }


@contextmanager
def _failures() -> Iterator[list[str]]:
    """Gather what the package logs of a login that failed: it would go on as nobody."""
    failures: list[str] = []
    handler = logging.Handler(logging.ERROR)
    handler.emit = lambda record: failures.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger().addHandler(handler)
    try:
        yield failures
    finally:
        logging.getLogger().removeHandler(handler)


def _text(path: str | None) -> str:
    return Path(path).read_text(encoding="utf-8") if path else ""


def _seconds_left(expiry: datetime.datetime | None) -> float | None:
    if expiry is None:
        return None
    # The expiry is a time of the wall clock; the main process only learns how long it has.
    return (expiry - datetime.datetime.now(datetime.UTC)).total_seconds()  # noqa: TID251


def main(arguments: list[str]) -> int:
    """Print the facts; 1 and a line on standard error if there are none."""
    try:
        facts = read(*arguments)
    except (ConfigException, OSError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except (TypeError, AttributeError, LookupError):  # the package takes its form for granted
        sys.stderr.write("it is no kubeconfig\n")
        return 1
    sys.stdout.write(json.dumps(facts))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

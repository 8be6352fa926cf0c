"""What a worker makes for a server of ours; apart from its making, which takes a large library."""

from typing import NamedTuple


class ServingCertificate(NamedTuple):
    """A certificate and all that is needed to use and to trust it, in PEM."""

    authority: str
    certificate: str
    key: str

    def __repr__(self) -> str:
        return "ServingCertificate()"

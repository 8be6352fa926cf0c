"""What is signed of a packaged chart: its Chart.yaml and the digest of its archive."""

import hashlib

from whipstaff.chart import record
from whipstaff.chart.model import Metadata
from whipstaff.golang import yaml

# YAML's end of a document: `---` would begin something in OpenPGP.
PARTS_APART = "\n...\n"


def message(metadata: Metadata, archive: bytes, file: str) -> str:
    """Return the text that a signature of an archive is of; `file` is the archive's name."""
    sums = {"files": {file: f"sha256:{hashlib.sha256(archive).hexdigest()}"}}
    return yaml.dump(record.metadata(metadata)) + PARTS_APART + yaml.dump(sums)

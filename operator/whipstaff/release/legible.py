"""Values as people read them."""

import json

from whipstaff.golang import yaml


def legible(value: object) -> str:
    """Return YAML, as Helm writes it; JSON for what Helm itself could not write as YAML."""
    try:
        return yaml.dump(value)
    except yaml.YAMLError:
        return json.dumps(value, indent=2, ensure_ascii=False) + "\n"

"""The chart that installs the operator, rendered by our own engine."""

from pathlib import Path

import yaml
from click.testing import CliRunner

from whipstaff.cli.template import template

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "whipstaff"
NAMESPACE = "whipstaff-system"


def rendered(*settings, name="whipstaff", namespace=NAMESPACE):
    """Give the text that the chart renders to, with these `--set` arguments."""
    flags = [flag for setting in settings for flag in ("--set", setting)]
    done = CliRunner().invoke(template, [name, str(CHART), "-n", namespace, *flags])
    if done.exit_code != 0:
        raise ValueError(done.output)
    return done.output


def objects(*settings, **release):
    """Give (kind, name) -> object of what the chart renders to."""
    bodies = yaml.safe_load_all(rendered(*settings, **release))
    return by_name(body for body in bodies if body)


def by_name(bodies):
    """Give (kind, name, namespace if it names one) -> object."""
    found = {}
    for body in bodies:
        metadata = body["metadata"]
        place = (metadata["namespace"],) if metadata.get("namespace") else ()
        found[(body["kind"], metadata["name"], *place)] = body
    return found

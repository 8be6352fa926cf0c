"""Charts whose templates are for Jinja2, and what they render to."""

from tests.builders.charts import a_chart
from whipstaff.chart import rendering
from whipstaff.chart.capabilities import Capabilities
from whipstaff.chart.rendering import ReleaseInfo
from whipstaff.cli import offline

ENGINE = "annotations: {whipstaff.dev/engine: jinja2}\n"
HEAD = "apiVersion: v2\nname: {name}\nversion: 1.0.0\n"


def a_jinja_chart(files, name="demo", head=""):
    """A chart of these files (path to text or bytes) whose Chart.yaml asks for Jinja2."""
    return a_chart({"Chart.yaml": HEAD.format(name=name) + ENGINE + head} | files, name)


def rendered(chart, values=None, *, allowed=True, scope=None):
    """The text of each template, by path."""
    info = ReleaseInfo("shop", "web")
    capabilities = Capabilities()
    chart, own_values = rendering.decided(chart, values or {}, lambda _warning: None)
    scope = scope or offline.scope(jinja2_charts=allowed)
    return rendering.execute(chart, own_values, info, capabilities, scope)

"""Two versions of a chart, the second without an object: what plans and diffs tell of."""

from tests.builders.small_charts import a_packed_chart

EXTRA = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: extra}\n"
SECRET = """\
apiVersion: v1
kind: Secret
metadata: {name: login}
stringData: {password: "{{ .Values.password }}"}
"""
VALUES = "text: first\npassword: hunter2hunter2\n"


def publish(repository, settings):
    """Put both into a repository; `settings` is the template of a ConfigMap."""
    parts = {"settings": settings, "login": SECRET}
    repository.add(a_packed_chart("blog", "1.0.0", VALUES, extra=EXTRA, **parts))
    repository.add(a_packed_chart("blog", "2.0.0", VALUES, **parts))

"""A few real charts through `make corpus-install`: the same outcome as helm's, nothing left."""

import pytest

from bench.corpus_install import READY, REFUSED, Run, load, serve
from tools.running_operator import RunningOperator, prepare

pytestmark = pytest.mark.corpus

OUTCOMES = {
    "helm-examples__hello-world": READY,
    "bitnami__nginx": READY,
    "helm-stable__mariadb": READY,  # a claim stays, as with helm
    "aws__karpenter": REFUSED,  # by a template
    "kubernetes-sigs__external-dns": REFUSED,  # by its schema
    "grafana__loki-stack": REFUSED,  # for a kind that is no more
    "wiremind__druid": REFUSED,  # by the API server, for a field that does not exist
}


def test_real_charts_end_as_with_helm_and_leave_nothing(own_cluster, corpus, repository):
    charts = load(corpus, OUTCOMES)
    assert len(charts) == len(OUTCOMES)
    sources = serve(charts, [repository])
    cluster = own_cluster()
    prepare(cluster)
    running = RunningOperator(cluster).start()
    with Run(cluster, sources) as run:
        run.all(charts)
    running.stop()
    assert {row.chart.id: row.differences for row in run.rows if row.differences} == {}
    assert {row.chart.id: row.outcome for row in run.rows} == OUTCOMES

"""Turn what others call a release into HelmReleases: Flux's, Argo CD's, k3s' and helm's own.

Nothing here is dropped in silence: each field of what is read goes into what is written,
or is named beside it. Nothing is fetched, and nothing is written to a cluster.
"""

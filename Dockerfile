# syntax=docker/dockerfile:1
# The operator's image. To pin the base by digest as well:
#   docker build --build-arg BASE=docker.io/library/python:3.13.9-slim-bookworm@sha256:… .
ARG BASE=docker.io/library/python:3.13.9-slim-bookworm

# What the operator runs on is in the lock with its hashes, all of it as wheels: nothing is compiled.
FROM ${BASE} AS build
WORKDIR /src
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
COPY requirements/build.lock requirements/runtime.lock requirements/
RUN python -m venv --without-pip /opt/whipstaff
RUN python -m pip --python /opt/whipstaff/bin/python install --no-compile --only-binary :all: --require-hashes -r requirements/runtime.lock
RUN python -m pip install --only-binary :all: --require-hashes -r requirements/build.lock
COPY pyproject.toml README.md LICENSE ./
COPY operator operator
COPY deploy deploy
COPY charts/whipstaff charts/whipstaff
RUN python -m pip wheel --no-deps --no-build-isolation --wheel-dir /dist .
RUN python -m pip --python /opt/whipstaff/bin/python install --no-compile --no-deps --no-index --find-links /dist whipstaff
# Only a kubeconfig needs the kubernetes package, which no pod has: half of its 120 MB would be bytecode.
RUN /opt/whipstaff/bin/python -m compileall -q -x /site-packages/kubernetes/ /opt/whipstaff/lib

FROM ${BASE}
LABEL org.opencontainers.image.title="whipstaff" \
      org.opencontainers.image.description="Runs Helm charts on Kubernetes from HelmRelease objects" \
      org.opencontainers.image.source="https://github.com/whipstaff/whipstaff" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/whipstaff /opt/whipstaff
# The file system may be read-only: what is written goes to these two, which are volumes in the chart.
RUN mkdir -p /var/cache/whipstaff && chown 65532:65532 /var/cache/whipstaff
ENV PATH=/opt/whipstaff/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["whipstaff"]
CMD ["run"]

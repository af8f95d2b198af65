# syntax=docker/dockerfile:1
# Two stages: the first builds the wheel, the second installs it, so the image proves the packaging.
#   docker build -t genstudio-mock .        (or: buildah bud --format docker --isolation chroot -t genstudio-mock .)
#   docker run --rm -p 8777:8777 genstudio-mock     (with --read-only --user 12345 too)
# For both architectures; nothing here depends on one:
#   docker buildx build --platform linux/amd64,linux/arm64 -t genstudio-mock .
ARG BASE=python:3.12-slim

FROM ${BASE} AS build
WORKDIR /src
RUN python3 -m venv /build && /build/bin/pip install --no-cache-dir --disable-pip-version-check build
COPY pyproject.toml README.md LICENSE ./
COPY mockserver mockserver
COPY profiles profiles
COPY fixtures fixtures
RUN /build/bin/python -m build --wheel --outdir /dist

FROM ${BASE}
COPY --from=build /dist /dist
COPY constraints.txt /dist/
RUN python3 -m venv /opt/genstudio-mock \
 && /opt/genstudio-mock/bin/pip install --no-cache-dir --disable-pip-version-check -c /dist/constraints.txt "$(echo /dist/*.whl)[metrics,re2,redis,tls]" \
 && rm -rf /dist
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="genstudio-mock" \
      org.opencontainers.image.description="GenStudio's MxN chat endpoint on your laptop and in CI" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
ENV PATH=/opt/genstudio-mock/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    GENSTUDIO_MOCK_HOST=0.0.0.0 \
    GENSTUDIO_MOCK_PORT=8777
USER 65534:65534
WORKDIR /tmp
EXPOSE 8777
STOPSIGNAL SIGTERM
# http.client goes past any proxy that the engine put into the environment; no certificate is checked on loopback.
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s --retries=3 \
  CMD ["python3", "-c", "import http.client as h, os, ssl, sys; e = os.environ; a = ('127.0.0.1', int(e['GENSTUDIO_MOCK_PORT'])); c = h.HTTPSConnection(*a, timeout=2, context=ssl._create_unverified_context()) if e.get('GENSTUDIO_MOCK_TLS') or e.get('GENSTUDIO_MOCK_TLS_CERT') else h.HTTPConnection(*a, timeout=2); c.request('GET', '/_mock/health'); sys.exit(c.getresponse().status != 200)"]
ENTRYPOINT ["genstudio-mock"]
CMD ["serve"]

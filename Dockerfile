# syntax=docker/dockerfile:1
# Two stages: the first builds the wheel, the second installs it, so the image proves the packaging.
#   docker build -t genstudio-mock .        (or: buildah bud --format docker --isolation chroot -t genstudio-mock .)
#   docker run --rm -p 8777:8777 genstudio-mock
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
 && /opt/genstudio-mock/bin/pip install --no-cache-dir --disable-pip-version-check -c /dist/constraints.txt "$(echo /dist/*.whl)[re2]" \
 && rm -rf /dist
ENV PATH=/opt/genstudio-mock/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    GENSTUDIO_MOCK_HOST=0.0.0.0 \
    GENSTUDIO_MOCK_PORT=8777
USER 65534:65534
WORKDIR /tmp
EXPOSE 8777
# http.client goes past any proxy that the engine put into the environment; no certificate is checked on loopback.
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s --retries=3 \
  CMD ["python3", "-c", "import http.client as h, os, ssl, sys; e = os.environ; a = ('127.0.0.1', int(e['GENSTUDIO_MOCK_PORT'])); c = h.HTTPSConnection(*a, timeout=2, context=ssl._create_unverified_context()) if e.get('GENSTUDIO_MOCK_TLS') or e.get('GENSTUDIO_MOCK_TLS_CERT') else h.HTTPConnection(*a, timeout=2); c.request('GET', '/_mock/health'); sys.exit(c.getresponse().status != 200)"]
ENTRYPOINT ["genstudio-mock"]
CMD ["serve"]

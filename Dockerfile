# Two stages: the first builds the wheel and installs it into an environment, the second takes that over, without pip.
#   docker build -t genstudio-mock .        (or: buildah bud --format docker --isolation chroot -t genstudio-mock .)
#   docker run --rm -p 8777:8777 genstudio-mock     (with --read-only --user 12345 too)
# For both architectures; nothing here depends on one:
#   docker buildx build --platform linux/amd64,linux/arm64 -t genstudio-mock .
# Behind a registry of one's own: --build-arg BASE=HOST/python:3.12-slim --build-arg PIP_INDEX_URL=https://HOST/simple
ARG BASE=python:3.12-slim

FROM ${BASE} AS build
ARG PIP_INDEX_URL=
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
# What it needs comes first: this layer lasts until a version changes, whatever is written in the code.
COPY pyproject.toml constraints.txt ./
RUN python3 -c "import tomllib; made = tomllib.load(open('pyproject.toml', 'rb'))['project']; more = made['optional-dependencies']; print(*made['dependencies'], *(one for name in ('metrics', 're2', 'redis', 'tls') for one in more[name]), sep='\n')" > needs.txt \
 && python3 -m venv /build \
 && /build/bin/pip install -c constraints.txt hatchling \
 && python3 -m venv --without-pip /opt/genstudio-mock \
 && /build/bin/pip --python /opt/genstudio-mock/bin/python install --only-binary :all: -c constraints.txt -r needs.txt
COPY README.md LICENSE ./
COPY mockserver mockserver
COPY profiles profiles
COPY fixtures fixtures
RUN /build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir dist . \
 && /build/bin/pip --python /opt/genstudio-mock/bin/python install --no-deps dist/*.whl \
 && /build/bin/pip --python /opt/genstudio-mock/bin/python check

FROM ${BASE}
COPY deploy/healthcheck.py /opt/healthcheck.py
COPY --from=build /opt/genstudio-mock /opt/genstudio-mock
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
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s --retries=3 CMD ["python3", "-I", "/opt/healthcheck.py"]
ENTRYPOINT ["genstudio-mock"]
CMD ["serve"]

# One image for every role: `docker run IMAGE web`. The roles are in deploy/entrypoint.sh.
# The base is pinned by version; where builds must be the same to the bit, add its digest.
FROM python:3.11.14-slim-bookworm AS build

# Dependencies alone first: a change of code leaves this layer as it is.
WORKDIR /app
COPY requirements/base.txt requirements/observability.txt requirements/constraints.txt requirements/
RUN python -m venv /opt/venv \
    && /opt/venv/bin/python -m pip install --no-cache-dir --disable-pip-version-check -r requirements/observability.txt \
    && /opt/venv/bin/python -m pip uninstall --yes --quiet setuptools pip

COPY manage.py ./
COPY protos protos
COPY framework framework
COPY project project
COPY apps apps
COPY deploy deploy
# Settings refuse to load without these; nothing of them stays in the image.
RUN SECRET_KEY="for this step only: 0123456789 abcdefghijklmnopqrstuvwxyz" \
    ALLOWED_HOSTS=localhost DATABASE_URL=postgres://build@localhost/build REDIS_URL=redis://localhost DATA_DIR=/tmp/data \
    /opt/venv/bin/python manage.py collectstatic --noinput --verbosity 0 \
    && /opt/venv/bin/python -m compileall -q framework apps project protos


FROM python:3.11.14-slim-bookworm

# tini is PID 1: it hands signals on and reaps whatever is orphaned, on any host and without a flag.
# Debian keeps only a release's latest version, so naming one here would soon fail.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends tini \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt \
    && useradd --create-home --uid 10001 --shell /usr/sbin/nologin app \
    && install --directory --owner app --group app /data /run/secrets

ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DATA_DIR=/data \
    HOST=0.0.0.0 \
    LOG_FORMAT=json
WORKDIR /app
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app

# What metrics, traces and error reports call it: docker build --build-arg RELEASE=1.4.0
ARG RELEASE=
ENV RELEASE=$RELEASE

USER 10001:10001
EXPOSE 8000 50051
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["python", "deploy/healthcheck.py"]
ENTRYPOINT ["/usr/bin/tini", "--", "deploy/entrypoint.sh"]
CMD ["web"]

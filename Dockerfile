# syntax=docker/dockerfile:1
# One image for every role: the web server (default), `python manage.py worker`, and
# `python manage.py migrate`. The second stage has no pip cache, compiler or package index.

FROM python:3.11.14-slim-bookworm@sha256:65a93d69fa75478d554f4ad27c85c1e69fa184956261b4301ebaf6dbb0a3543d AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /app
RUN python -m venv /opt/venv
# Before the code: a change of code alone does not install anything anew.
COPY locks/server.txt ./
# Production has a Postgres server; the embedded one would only make the image larger.
RUN /opt/venv/bin/pip install --no-compile --require-hashes -r server.txt \
    && /opt/venv/bin/pip uninstall --yes pip setuptools
COPY manage.py ./
COPY accounts accounts
COPY core core
COPY egress egress
COPY instances instances
COPY jobs jobs
COPY novitai novitai
COPY upstream upstream
COPY webhooks webhooks
COPY devtools/__init__.py devtools/
COPY devtools/simulator devtools/simulator
# Static files are served from the packages themselves (whitenoise), so there is nothing to
# collect. Compiled ahead, as the user that runs them cannot write here.
RUN /opt/venv/bin/python -m compileall -q /app /opt/venv \
    && mkdir /data


FROM python:3.11.14-slim-bookworm@sha256:65a93d69fa75478d554f4ad27c85c1e69fa184956261b4301ebaf6dbb0a3543d

ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    DJANGO_SETTINGS_MODULE=novitai.settings \
    NOVITAI_ENV=production \
    WEB_HOST=0.0.0.0 \
    PORT=8000
WORKDIR /app
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
# All that it owns, for what a demo keeps; the service itself keeps everything in Postgres.
COPY --from=build --chown=10001:10001 /data /data
# A number, so that Kubernetes can see that it is not root.
USER 10001:10001

EXPOSE 8000
# What the web server and the worker take as: finish what you do, then end.
STOPSIGNAL SIGTERM
# Of the web role. /livez asks no dependency: a failing database must not restart web servers.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen('http://127.0.0.1:' + os.environ['PORT'] + '/livez', timeout=2)"]
CMD ["python", "-m", "novitai.server"]

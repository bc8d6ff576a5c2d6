# Proxy and server in one container, as an ordinary user; see docker-compose.yml for the
# walls around it. It verifies records, too, on machines that have no jail of their own:
#   docker run --rm --network none -v "$PWD":/record:ro mcp-multiplayer python -m mcp_multiplayer.verifier /record/FILE.zip
# Nothing in here is secret: keys are made at the first start, in /app/data.
FROM python:3.13-slim-trixie AS build
WORKDIR /src
# .dockerignore lists what comes along, by name.
COPY . .
RUN pip wheel --no-cache-dir --disable-pip-version-check --no-deps --wheel-dir /wheel .

FROM python:3.13-slim-trixie

RUN useradd --uid 1000 --no-log-init --no-create-home --shell /usr/sbin/nologin botuser

WORKDIR /app
COPY requirements.txt ./
RUN pip install --no-cache-dir --disable-pip-version-check --root-user-action ignore \
    -r requirements.txt

# The wheel, as everybody else installs it; pip compiles it, for the root file system is read-only
# later on.
COPY --from=build /wheel/ /wheel/
RUN pip install --no-cache-dir --disable-pip-version-check --root-user-action ignore \
    --no-deps /wheel/*.whl \
    && rm -r /wheel \
    && install --directory --owner botuser --group botuser --mode 0700 /app/data /workspaces

# HOME and TMPDIR are where a read-only container can still write: docker-compose.yml
# mounts memory there, 100 MB for the workspaces of bots.
ENV PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp \
    TMPDIR=/workspaces \
    DATA_DIR=/app/data \
    PROXY_HOST=0.0.0.0

# botuser, by number: so whoever runs the image can tell that it is not root.
USER 1000:1000
VOLUME ["/app/data"]
EXPOSE 8100

# 503 while the server behind the proxy is away, so one question covers both.
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-I", "-c", "import os, ssl, urllib.request as u; tls = os.environ.get('USE_SSL', '').lower() in ('1', 'true', 'yes', 'on'); u.urlopen('http%s://127.0.0.1:%s/healthz' % ('s' * tls, os.environ.get('PROXY_PORT') or 8100), timeout=4, context=ssl._create_unverified_context() if tls else None)"]

CMD ["mcp-multiplayer", "start"]

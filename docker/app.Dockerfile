# The app and the search, without torch: about 1 GB less. Photos are mounted read-only.
#
#   docker build -f docker/app.Dockerfile -t lookalike-app .
#   docker run --rm -p 127.0.0.1:8501:8501 -v ~/Pictures:/photos:ro -v ./gallery:/gallery lookalike-app
#
# It prints a link with a token; `localhost` takes the place of the container's own address in it.

FROM python:3.11-slim-bookworm AS install
WORKDIR /source
COPY docker/app-requirements.txt docker/
RUN python -m venv /opt/lookalike \
 && /opt/lookalike/bin/pip install --no-cache-dir -r docker/app-requirements.txt
COPY pyproject.toml README.md LICENSE ./
COPY training training
COPY indexer indexer
COPY app app
RUN /opt/lookalike/bin/pip install --no-cache-dir --no-deps .

FROM python:3.11-slim-bookworm
# Started by anybody but root, who has no business in people's photos.
RUN useradd --uid 10001 --create-home lookalike
COPY --from=install /opt/lookalike /opt/lookalike
ENV PATH=/opt/lookalike/bin:$PATH
USER 10001
WORKDIR /home/lookalike
VOLUME ["/gallery"]
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
  CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8501/_stcore/health', timeout=4)"]
# Whoever reaches the container is asked for the token of the link, or for a password where one is
# set as in compose.yaml. A gallery that user 10001 cannot write is shown read-only. The other
# commands: `--entrypoint ssl-index`, `--entrypoint ssl-label`.
ENTRYPOINT ["ssl-app"]
CMD ["/gallery", "--photos", "/photos", "--host", "0.0.0.0", "--port", "8501", "--no-browser"]

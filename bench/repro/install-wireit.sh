#!/bin/sh
# Installs wireit, the peer of repro in benchmarks, into FOLDER. The project does not depend on it.
#
#   sh bench/repro/install-wireit.sh FOLDER && npm run bench -- repro --wireit FOLDER
set -eu
mkdir -p "$1"
cd "$1"
[ -f package.json ] || echo '{"private": true}' > package.json
npm install --no-audit --no-fund wireit@0.14.13

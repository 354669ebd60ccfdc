#!/bin/sh
# Installs wireit, which repro is measured beside, into a folder of its own: never a dependency of this project.
#
#   sh bench/repro/install-wireit.sh FOLDER && npm run bench -- repro --wireit FOLDER
set -eu
mkdir -p "$1"
cd "$1"
[ -f package.json ] || echo '{"private": true}' > package.json
npm install --no-audit --no-fund wireit@0.14.13

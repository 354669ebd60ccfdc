#!/bin/sh
# Builds Bochs, an emulator of x86 CPUs, for scripts/emulate-amx.ts. An installation does not need it. Only DIR changes.
#
#     sh scripts/build-bochs.sh SOURCES DIR
#
# SOURCES: the unpacked sources of Bochs 3.0 (in Debian 13: apt-get source bochs). The script does not change them.
# Versions before 3.0 have no AMX. Needs a C++ compiler, make and patch. Takes about two minutes on two cores.
set -eu

[ $# -eq 2 ] || { echo "usage: sh scripts/build-bochs.sh SOURCES DIR" >&2; exit 2; }
grep -q 'enable-amx' "$1/configure" || { echo "$1 does not contain a Bochs that emulates AMX; use version 3.0" >&2; exit 1; }
project=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$2"
cp -R "$1/." "$2"
cd "$2"

echo "1. apply the patch that Linux needs for AMX"
patch --quiet --forward --strip=1 < "$project/scripts/bochs-amx.patch"

echo "2. configure and compile"
./configure --with-nogui --enable-cpu-level=6 --enable-x86-64 --enable-avx --enable-evex --enable-amx \
  --enable-repeat-speedups --enable-fast-function-calls --enable-handlers-chaining --disable-docbook \
  CFLAGS=-O2 CXXFLAGS=-O2 > build.log 2>&1 || { tail -n 20 build.log >&2; exit 1; }
make -j"$(getconf _NPROCESSORS_ONLN)" bochs >> build.log 2>&1 || { tail -n 20 build.log >&2; exit 1; }
echo "BOCHS=$(pwd)"

#!/bin/sh
# Builds @tensorflow/tfjs-node from source against TensorFlow's C library, which the tensorflow-cpu wheel contains with
# its headers. An installation does not need it. It shows that the tfjs engine runs on that library. It also provides a
# `node` device if the library that tfjs-node downloads (TensorFlow 2.9) cannot be downloaded or is too old.
#
#     sh scripts/build-tfjs-node.sh DIR          writes 1.3 GB into DIR and nothing elsewhere; about five minutes
#     NODE_PATH=DIR/node_modules npx tsx bench/engine/tfjs.ts
#     sh scripts/build-tfjs-node.sh --gpu DIR    builds @tensorflow/tfjs-node-gpu instead, against the wheel `tensorflow` and
#                                                the CUDA libraries of the wheels nvidia-*; writes 6.1 GB, needs 9 GB
#
# With --gpu, the device is `node-gpu`. It needs an NVIDIA driver for the CUDA of the wheels, and a GPU. TensorFlow 2.21 has
# kernels for GPUs from Pascal to Ada, and PTX for Hopper; the library that tfjs-node-gpu itself downloads (TensorFlow 2.9) ends with Ampere.
# Without a GPU the addon builds and loads, and computes on the CPU.
#
# Needs a C++ compiler, make, Python 3 with pip, unzip, and Node's headers (the include folder beside bin). Linux only.
set -eu

tfjs=4.22.0
tensorflow=${TENSORFLOW_VERSION:-2.21.0}
name=tfjs-node
wheel=tensorflow-cpu
if [ "${1:-}" = --gpu ]; then
  name=tfjs-node-gpu
  wheel='tensorflow[and-cuda]'
  shift
fi
[ $# -eq 1 ] || { echo "usage: sh scripts/build-tfjs-node.sh [--gpu] DIR" >&2; exit 2; }
mkdir -p "$1"
dir=$(cd "$1" && pwd)
project=$(cd "$(dirname "$0")/.." && pwd)
node_dir=$(dirname "$(dirname "$(node -p process.execPath)")")
[ -f "$node_dir/include/node/node_api.h" ] || { echo "Node's headers are not in $node_dir/include/node" >&2; exit 1; }

echo "1. install $name $tfjs and its dependencies, without the install script that downloads a library"
cd "$dir"
[ -f package.json ] || echo '{ "private": true }' > package.json
npm install --ignore-scripts --no-audit --no-fund "@tensorflow/$name@$tfjs"

echo "2. extract the libraries and headers of TensorFlow $tensorflow from the wheel"
if [ ! -f tensorflow/libtensorflow_cc.so.2 ]; then
  with=--no-deps
  [ "$name" = tfjs-node ] || with=
  # shellcheck disable=SC2086 # no word if it is empty
  python3 -m pip download --quiet $with --only-binary=:all: --dest wheel "$wheel==$tensorflow"
  unzip -q -o 'wheel/tensorflow*.whl' 'tensorflow/libtensorflow_*' 'tensorflow/include/*'
  # The library looks for those of CUDA in the folder nvidia beside its own.
  for cuda in wheel/nvidia_*.whl; do [ ! -f "$cuda" ] || unzip -q -o "$cuda" 'nvidia/*'; done
  rm -r wheel
fi

echo "3. link both to the paths at which tfjs-node's binding.gyp looks for libtensorflow"
package=$dir/node_modules/@tensorflow/$name
mkdir -p "$package/deps/lib"
ln -sfn "$dir/tensorflow/include" "$package/deps/include"
for part in cc framework; do ln -sf "$dir/tensorflow/libtensorflow_$part.so.2" "$package/deps/lib/"; done
ln -sf libtensorflow_cc.so.2 "$package/deps/lib/libtensorflow.so"
ln -sf libtensorflow_framework.so.2 "$package/deps/lib/libtensorflow_framework.so"

echo "4. compile the addon"
cd "$package"
PATH=$project/node_modules/.bin:$PATH "$dir/node_modules/.bin/node-pre-gyp" rebuild --nodedir="$node_dir" > build.log 2>&1 ||
  { tail -n 40 build.log >&2; exit 1; }

cd "$dir"
NAME=$name TF_CPP_MIN_LOG_LEVEL=2 node -e '
  const util = require("util");
  util.isNullOrUndefined ??= (value) => value == null;
  util.isArray ??= Array.isArray;
  const tf = require(`@tensorflow/${process.env.NAME}`);
  if (tf.getBackend() !== "tensorflow") throw new Error(`the backend is ${tf.getBackend()}`);
  const { binding, isUsingGpuDevice } = tf.backend();
  const device = isUsingGpuDevice ? "a GPU" : "the CPU";
  console.log(`${process.env.NAME} ${tf.version["tfjs-node"]} on TensorFlow ${binding.TF_Version}, computes on ${device}`);
'

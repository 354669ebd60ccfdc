#!/bin/sh
# Installs what the engines are measured and checked beside, PyTorch and transformers, into a virtual environment of its own:
# never a dependency of this project.
#
#   sh bench/engine/install-peers.sh FOLDER
#   npx tsx bench/engine/interop.ts --python FOLDER/bin/python      (and curves.ts; index.ts measures)
#
# Needs Python 3.10 or newer with venv, and some 5 GB: PyPI's torch brings CUDA's libraries along.
set -eu
[ -x "$1/bin/python" ] || python3 -m venv "$1"
"$1/bin/pip" install --quiet torch transformers safetensors numpy
"$1/bin/python" -c 'import torch, transformers; print("PyTorch", torch.__version__, "transformers", transformers.__version__)'

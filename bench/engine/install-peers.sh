#!/bin/sh
# Installs the newest PyTorch and transformers of PyPI into a virtual environment, for peers.py and interop.py.
# torch.compile also needs g++ and Python's headers.
#
#     sh bench/engine/install-peers.sh FOLDER
#     npx tsx bench/engine/index.ts --python FOLDER/bin/python
set -eu
python3 -m venv "$1"
"$1/bin/pip" install --quiet torch numpy transformers safetensors
"$1/bin/python" -c 'import torch; print("PyTorch", torch.__version__)'

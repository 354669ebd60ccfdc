#!/bin/sh
# PyTorch and transformers of the newest version on PyPI, in a virtual environment of its own, for peers.py and interop.py; torch.compile needs
# g++ and Python's headers besides:
#
#     sh bench/engine/install-peers.sh FOLDER
#     npx tsx bench/engine/index.ts --python FOLDER/bin/python
set -eu
python3 -m venv "$1"
"$1/bin/pip" install --quiet torch numpy transformers safetensors
"$1/bin/python" -c 'import torch; print("PyTorch", torch.__version__)'

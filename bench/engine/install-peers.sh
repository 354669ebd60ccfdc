#!/bin/sh
# PyTorch of the newest version on PyPI, in a virtual environment of its own, for peers.py and for torch.compile, which also needs
# g++ and Python's headers:
#
#     sh bench/engine/install-peers.sh FOLDER
#     npx tsx bench/engine/index.ts --python FOLDER/bin/python
set -eu
python3 -m venv "$1"
"$1/bin/pip" install --quiet torch numpy
"$1/bin/python" -c 'import torch; print("PyTorch", torch.__version__)'

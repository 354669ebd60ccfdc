#!/bin/sh
# Installs the programs that bench/tokenizer compares with into FOLDER, for the option --peers FOLDER:
#
#     sh bench/tokenizer/install-peers.sh FOLDER
#
# From PyPI, in a virtual environment: tokenizers (Rust), tiktoken and transformers. From npm: tokenizers (the Node
# binding of the Rust library, if it exists for this platform), tiktoken (WebAssembly) and @huggingface/tokenizers
# (JavaScript).
set -e
mkdir -p "$1"
cd "$1"
python3 -m venv python
python/bin/pip install --quiet tokenizers==0.23.3 tiktoken==0.14.0 transformers==5.23.0 numpy
[ -f package.json ] || echo '{"private": true, "type": "module"}' > package.json
npm install --ignore-scripts --no-audit --no-fund tiktoken@1.0.22 @huggingface/tokenizers@0.2.0
npm install --ignore-scripts --no-audit --no-fund tokenizers@0.23.2 || echo 'tokenizers has no Node binding for this platform'

"""Opens the tokenizers of FOLDER/cases.json, which check.ts writes, in Hugging Face's tokenizers and transformers.

    python bench/tokenizer/check.py FOLDER

Prints one line of JSON: for each program and file, how many texts it encoded and decoded to the expected result, and
whether it encodes a special, and text that spells one, as expected.
"""

import json
import sys
from pathlib import Path

from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

folder = Path(sys.argv[1])
rows = []
for case in json.loads((folder / "cases.json").read_text()):
    path = str(folder / case["file"])
    rust = Tokenizer.from_file(path)
    fast = PreTrainedTokenizerFast(tokenizer_file=path, clean_up_tokenization_spaces=False)
    spelled = Tokenizer.from_file(path)
    spelled.encode_special_tokens = True
    calls = {
        "tokenizers (Python)": (
            lambda text: rust.encode(text).ids,
            lambda ids: rust.decode(ids),
            lambda text: spelled.encode(text).ids,
        ),
        "transformers": (
            lambda text: fast(text)["input_ids"],
            lambda ids: fast.decode(ids, skip_special_tokens=True),
            lambda text: fast(text, split_special_tokens=True)["input_ids"],
        ),
    }
    for program, (encode, decode, encode_spelled) in calls.items():
        rows.append(
            {
                "program": program,
                "file": case["file"],
                "encoded": case["encodes"] and sum(encode(t) == ids for t, ids in zip(case["texts"], case["ids"])),
                "decoded": sum(decode(ids) == t for t, ids in zip(case["decoded"], case["ids"])),
                "special": case["encodes"] and encode(case["special"]) == [case["specialId"]],
                "spelled": case["encodes"] and encode_spelled(case["spelled"]) == case["spelledIds"],
            }
        )
print(json.dumps(rows))

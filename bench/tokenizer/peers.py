"""Trains and encodes with Hugging Face's tokenizers and with tiktoken, and measures both; bpe.ts runs it.

    pip install tokenizers tiktoken
    python bench/tokenizer/peers.py DOCUMENTS PRETOKENIZER VOCABULARY OUT

DOCUMENTS is a file of documents that each end with a zero byte. The tokenizer is written to OUT. Prints one line of JSON.
"""

import hashlib
import json
import os
import sys
import time

import numpy
import tiktoken
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

SPECIAL = "<|endoftext|>"
SPLIT = {"bar": "[^|\\n]*[|\\n]|[^|\\n]+", "line": "[^\\n]*\\n|[^\\n]+", "none": None}


def timed(work, rounds=1):
    best = (float("inf"), float("inf"))
    for _ in range(rounds):
        wall, cpu = time.perf_counter(), time.process_time()
        result = work()
        best = min(best, (time.perf_counter() - wall, time.process_time() - cpu))
    return result, {"wall": best[0], "cpu": best[1]}


def sha256(encoded):
    return hashlib.sha256(numpy.concatenate([numpy.array(ids, dtype="<u4") for ids in encoded]).tobytes()).hexdigest()


path, pretokenizer, vocabulary, out = sys.argv[1:]
documents = open(path, newline="").read().split("\0")[:-1]
pattern = SPLIT[pretokenizer]
byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
tokenizer = Tokenizer(models.BPE())
tokenizer.pre_tokenizer = (
    pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), "isolated"), byte_level]) if pattern else byte_level
)
tokenizer.decoder = decoders.ByteLevel()
trainer = trainers.BpeTrainer(
    vocab_size=int(vocabulary),
    special_tokens=[SPECIAL],
    initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    show_progress=False,
)
_, train = timed(lambda: tokenizer.train_from_iterator(documents, trainer))
tokenizer.save(out)

# Encode a tenth only: all documents would take a minute and give the same rate.
part = documents[: len(documents) // 10]
size = sum(len(document.encode()) for document in part)
encoded, hugging_face = timed(lambda: [tokenizer.encode(document).ids for document in part])

byte_of, extra = {}, 256
for byte in range(256):
    printable = 33 <= byte <= 126 or 161 <= byte <= 172 or 174 <= byte
    byte_of[chr(byte if printable else extra)] = byte
    extra += not printable
ranks = {bytes(byte_of[c] for c in token): id for token, id in tokenizer.get_vocab().items() if token != SPECIAL}
tik = tiktoken.Encoding("music", pat_str=pattern or "[\\s\\S]+", mergeable_ranks=ranks, special_tokens={SPECIAL: 0})
encoded_tik, tiktoken_time = timed(lambda: [tik.encode_ordinary(document) for document in part]) if pattern else (encoded, None)

print(
    json.dumps(
        {
            "threads": os.environ.get("RAYON_NUM_THREADS"),
            "train": train,
            "part": len(part),
            "partBytes": size,
            "huggingFace": hugging_face,
            "tiktoken": tiktoken_time,
            "sha256": sha256(encoded),
            "sha256Tiktoken": sha256(encoded_tik),
        }
    )
)

"""Makes test/tokenizer/fixtures/hugging-face.json: merges and ids of Hugging Face's tokenizers for a few documents.

It checks that tiktoken gives the same ids.

    pip install tokenizers tiktoken          # the committed file was made with 0.23.3 and 0.14.0
    python bench/tokenizer/fixture.py test/tokenizer/fixtures/hugging-face.json

The tests read only the file. The documents are made from a fixed seed; some are like ABC and some are not.
"""

import json
import random
import sys

import tiktoken
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

SPECIAL = "<|endoftext|>"
VOCABULARY = 257 + 120
SPLIT = {"bar": "[^|\\n]*[|\\n]|[^|\\n]+", "line": "[^\\n]*\\n|[^\\n]+", "none": None}


def documents():
    draw = random.Random(7)
    notes = ["C", "D", "E", "F", "G", "A", "B", "c", "^F", "_B", "z"]
    lengths = ["", "2", "4", "/2", "3/2"]
    made = []
    for number in range(12):
        motif = [draw.choice(notes) + draw.choice(lengths) for _ in range(4)]
        bars = []
        for _ in range(16):
            bar = motif if draw.random() < 0.4 else [draw.choice(notes) + draw.choice(lengths) for _ in range(4)]
            bars.append(" ".join(bar) + "|")
        body = "\n".join("".join(bars[i : i + 4]) for i in range(0, 16, 4))
        made.append(f"X:{number}\nM:4/4\nL:1/8\nK:{draw.choice('CDFG')}\n{body}\n")
    # Runs of a letter, in which pairs overlap; bytes above 127; consecutive bars and newlines.
    made += ["a" * 37 + "|" + "a" * 6, "abababab|ababab\n" * 3, "é|ü|é|ü|日本|日本\n", "||\n\n||\n", "x"]
    return made


def texts(trained_on):
    draw = random.Random(8)
    scrambled = ["".join(draw.choice("CDEFG2/|\n ^_z") for _ in range(draw.choice([1, 7, 200]))) for _ in range(6)]
    return trained_on[:2] + trained_on[-5:] + scrambled + ["", "aaaaaaaaa", "\0\x01\x7f", "😀 ÷ ¡", "aé" * 9]


def train(pretokenizer, source):
    tokenizer = Tokenizer(models.BPE())
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    pattern = SPLIT[pretokenizer]
    split = [pre_tokenizers.Split(Regex(pattern), "isolated")] if pattern else []
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([*split, byte_level]) if split else byte_level
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[SPECIAL],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(source, trainer)
    return tokenizer


def with_tiktoken(tokenizer, pattern):
    """Returns the same vocabulary in tiktoken, where ids are ranks."""
    byte_of = {}
    extra = 256
    for byte in range(256):
        printable = 33 <= byte <= 126 or 161 <= byte <= 172 or 174 <= byte
        byte_of[chr(byte if printable else extra)] = byte
        extra += not printable
    ranks = {
        bytes(byte_of[c] for c in token): id for token, id in tokenizer.get_vocab().items() if token != SPECIAL
    }
    return tiktoken.Encoding("music", pat_str=pattern or "[\\s\\S]+", mergeable_ranks=ranks, special_tokens={SPECIAL: 0})


def main(out):
    source = documents()
    cases = []
    for pretokenizer, pattern in SPLIT.items():
        tokenizer = train(pretokenizer, source)
        tik = with_tiktoken(tokenizer, pattern)
        encoded = []
        for text in texts(source):
            ids = tokenizer.encode(text).ids
            assert ids == tik.encode_ordinary(text), "Hugging Face's tokenizers and tiktoken differ"
            encoded.append({"text": text, "ids": ids})
        cases.append({"pretokenizer": pretokenizer, "file": json.loads(tokenizer.to_str()), "encoded": encoded})
    with open(out, "w") as file:
        json.dump({"vocabularySize": VOCABULARY, "documents": source, "cases": cases}, file, ensure_ascii=False)
        file.write("\n")


main(sys.argv[1])

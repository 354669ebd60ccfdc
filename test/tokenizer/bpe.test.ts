/** BPE: both implementations and the reference, compared with Hugging Face and tiktoken. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { BpeTokenizer, END_OF_TEXT, loadTokenizer, type Pretokenizer } from '../../lib/tokenizer/index.ts';
import { builtImplementations, encodeWithReference, scrambled, seeded, trainReference } from './implementations.ts';

/** Made by bench/tokenizer/fixture.py with Hugging Face's tokenizers; tiktoken gave the same ids. */
const huggingFace: {
  vocabularySize: number;
  documents: string[];
  cases: { pretokenizer: Pretokenizer; file: TokenizerJson; encoded: { text: string; ids: number[] }[] }[];
} = JSON.parse(readFileSync(new URL('fixtures/hugging-face.json', import.meta.url), 'utf8'));

interface TokenizerJson {
  model: { vocab: Record<string, number>; merges: (string | [string, string])[] };
  added_tokens: object[];
  pre_tokenizer: object;
}

const directory = mkdtempSync(join(tmpdir(), 'bpe-'));
afterAll(() => rmSync(directory, { recursive: true }));
const file = (name: string) => join(directory, name);
const implementations = await builtImplementations();
const { documents, vocabularySize } = huggingFace;

describe.each(implementations)('BPE (%s)', (implementation) => {
  describe.each(huggingFace.cases)('pre-tokenizer $pretokenizer', ({ pretokenizer, file: theirs, encoded }) => {
    const path = file(`${implementation}-${pretokenizer}.json`);

    test('learns the same merges and ids as Hugging Face', async () => {
      const tokenizer = await BpeTokenizer.train(documents, { vocabularySize, pretokenizer, implementation });
      tokenizer.save(path);
      const ours: TokenizerJson = JSON.parse(readFileSync(path, 'utf8'));
      expect(ours.model.merges).toEqual(theirs.model.merges.map((merge) => (merge as string[]).join(' ')));
      expect(ours.model.vocab).toEqual(theirs.model.vocab);
      expect(ours.added_tokens).toEqual(theirs.added_tokens);
      expect(ours.pre_tokenizer).toEqual(theirs.pre_tokenizer);
    });

    test('encodes to the same ids as Hugging Face and tiktoken, with our file and with theirs', () => {
      const theirPath = file('theirs.json');
      writeFileSync(theirPath, JSON.stringify(theirs));
      for (const tokenizer of [path, theirPath].map((p) => BpeTokenizer.load(p, { implementation }))) {
        for (const { text, ids } of encoded) expect([...tokenizer.encode(text)], text).toEqual(ids);
      }
    });
  });

  test('decoding restores the encoded bytes, valid UTF-8 or not', async () => {
    const tokenizer = await BpeTokenizer.train(documents, { vocabularySize, implementation });
    const draw = seeded(1);
    for (let length = 0; length < 400; length += 7) {
      const bytes = Uint8Array.from({ length }, () => draw(256));
      expect(tokenizer.decodeBytes(tokenizer.encode(bytes))).toEqual(bytes);
    }
    const text = '\ufeffK:C\r\n|é|日本|😀\0|';
    expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
  });

  test('text that spells a special token is not encoded as that token', async () => {
    const spelled = `A|${END_OF_TEXT}\n`.repeat(50);
    const tokenizer = await BpeTokenizer.train([spelled], {
      vocabularySize: 400,
      pretokenizer: 'none',
      implementation,
    });
    const ids = tokenizer.encode(spelled);
    expect(ids).not.toContain(tokenizer.endOfText);
    expect(tokenizer.decode(ids)).toBe(spelled);
    tokenizer.save(file('special.json'));
    expect(BpeTokenizer.load(file('special.json'), { implementation }).encode(spelled)).toEqual(ids);
  });

  test('decoding skips special tokens and rejects ids outside the vocabulary', async () => {
    const tokenizer = await BpeTokenizer.train(['A|B|'], { vocabularySize: 258, implementation });
    const ids = [...tokenizer.encode('A|'), tokenizer.endOfText, ...tokenizer.encode('B|')];
    expect(tokenizer.decode(ids)).toBe('A|B|');
    expect(() => tokenizer.decode([258])).toThrow('no token has the id 258: this vocabulary has 258, 0 to 257');
    expect(() => tokenizer.decode([-1])).toThrow('no token has the id -1');
  });

  test('training learns fewer merges if no remaining pair is frequent enough', async () => {
    const all = await BpeTokenizer.train(['abab|cd|'], { vocabularySize: 1000, implementation });
    // The merges are ab, cd, ab|, abab| and cd|.
    expect(all.vocabularySize).toBe(257 + 5);
    const twice = await BpeTokenizer.train(['abab|cd|'], { vocabularySize: 1000, minimumCount: 2, implementation });
    expect(twice.vocabularySize).toBe(257 + 1);
  });

  test('training gives the same merges for texts, bytes and a stream', async () => {
    async function* streamOfBytes() {
      for (const document of documents) yield new TextEncoder().encode(document);
    }
    const options = { vocabularySize: 330, implementation };
    const fromText = await BpeTokenizer.train(documents, options);
    const fromBytes = await BpeTokenizer.train(streamOfBytes(), options);
    expect(fromBytes.merges).toEqual(fromText.merges);
  });

  test('training reports progress up to the last byte and merge', async () => {
    const seen: string[] = [];
    await BpeTokenizer.train(documents, {
      vocabularySize,
      implementation,
      onProgress: ({ phase, done, total }) => seen.push(`${phase} ${done}/${total ?? '?'}`),
    });
    const bytes = documents.reduce((sum, document) => sum + Buffer.byteLength(document), 0);
    expect(seen).toContain(`reading ${bytes}/?`);
    expect(seen.at(-1)).toBe('merging 120/120');
  });

  test('encodeAll gives the ids of encode, on any number of threads', async () => {
    const tokenizer = await BpeTokenizer.train(documents, { vocabularySize, implementation });
    for (const threads of [1, 3, 100]) {
      const { ids, ends } = await tokenizer.encodeAll([...documents, '', 'x'], { threads });
      [...documents, '', 'x'].forEach((document, i) => {
        expect(ids.subarray(ends[i - 1] ?? 0, ends[i])).toEqual(tokenizer.encode(document));
      });
    }
    expect((await tokenizer.encodeAll([])).ids).toHaveLength(0);
  });

  test('ids have 2 bytes in a vocabulary of up to 65,536, and 4 bytes in a larger one', async () => {
    const narrow = await BpeTokenizer.train(['ab'], { vocabularySize: 258, implementation });
    expect(narrow.encode('ab')).toBeInstanceOf(Uint16Array);
    const specials = [END_OF_TEXT, ...Array.from({ length: 0x10000 }, (_, i) => `<${i}>`)];
    const wide = await BpeTokenizer.train(['ab'], { vocabularySize: 256 + specials.length, specials, implementation });
    expect(wide.encode('ab')).toBeInstanceOf(Uint32Array);
    expect(wide.decode(wide.encode('ab'))).toBe('ab');
  });

  test.each([
    [256, 'a BPE vocabulary of 256 is not possible: it holds 256 bytes and 1 specials, so at least 257'],
    [300.5, 'a BPE vocabulary of 300.5 is not possible'],
    [2 ** 21, 'at most 1048576'],
  ])('a vocabulary of %d is refused', async (size, message) => {
    await expect(BpeTokenizer.train(['a'], { vocabularySize: size, implementation })).rejects.toThrow(message);
  });

  test.each([[[]], [['']], [['', new Uint8Array(0)]]])('an empty corpus is refused: %j', async (corpus) => {
    const training = BpeTokenizer.train(corpus, { vocabularySize: 300, implementation });
    await expect(training).rejects.toThrow('the corpus is empty: there is nothing to learn merges from');
  });

  test('merges of another program are applied in the order of the file, even if training could not learn them', () => {
    // Merge 2 is a + bc, but merge 0 turns every abc into ab c first. So the token abc is never produced.
    const json = JSON.parse(readFileSync(file(`${implementation}-bar.json`), 'utf8'));
    for (const [token, id] of [
      ['ab', 257],
      ['bc', 258],
      ['abc', 259],
    ])
      json.model.vocab[token] = id;
    json.model.vocab = Object.fromEntries(
      Object.entries<number>(json.model.vocab).filter(([token, id]) => id < 257 || ['ab', 'bc', 'abc'].includes(token)),
    );
    json.model.merges = ['a b', 'b c', 'a bc'];
    writeFileSync(file('odd.json'), JSON.stringify(json));
    const tokenizer = BpeTokenizer.load(file('odd.json'), { implementation });
    expect([...tokenizer.encode('abc')]).toEqual([257, json.model.vocab.c]);
    expect([...tokenizer.encode('xbc')]).toEqual([json.model.vocab.x, 258]);
  });
});

describe.each(huggingFace.cases)(
  'the reference with pre-tokenizer $pretokenizer',
  ({ pretokenizer, file, encoded }) => {
    const merges = trainReference(documents, { vocabularySize, pretokenizer });

    test('learns the same merges as Hugging Face', () => {
      const tokens = Object.entries(file.model.vocab).sort((a, b) => a[1] - b[1]);
      // Symbol s has the id s + 1.
      const names = Array.from(merges, (symbol) => tokens[symbol + 1][0]);
      expect(names).toEqual(file.model.merges.flat());
    });

    test('encodes to the same ids as Hugging Face and tiktoken', () => {
      for (const { text, ids } of encoded) expect(encodeWithReference(text, merges, pretokenizer), text).toEqual(ids);
    });
  },
);

test.each(implementations)(
  'BPE (%s) learns and encodes as the reference does, on random texts',
  async (implementation) => {
    const draw = seeded(3);
    for (let round = 0; round < 60; round++) {
      const alphabet = ['ab', 'ab|', 'abc|\n', 'aé|', 'CDEFG234|/\n '][draw(5)];
      const corpus = Array.from({ length: 1 + draw(12) }, () => scrambled(draw, alphabet, draw(120)));
      const options = {
        vocabularySize: 257 + draw(150),
        pretokenizer: (['bar', 'line', 'none'] as const)[draw(3)],
        minimumCount: draw(4),
      };
      corpus.push('a');
      const tokenizer = await BpeTokenizer.train(corpus, { ...options, implementation });
      const merges = trainReference(corpus, options);
      expect(tokenizer.merges).toEqual(merges);
      const text = scrambled(draw, `${alphabet}x`, 300);
      expect([...tokenizer.encode(text)]).toEqual(encodeWithReference(text, merges, options.pretokenizer));
      const bytes = Uint8Array.from({ length: 300 }, () => draw(256));
      expect([...tokenizer.encode(bytes)]).toEqual(encodeWithReference(bytes, merges, options.pretokenizer));
    }
  },
);

test.each(implementations)(
  'BPE (%s) encodes a piece of more than 64 KiB as the reference does',
  async (implementation) => {
    const draw = seeded(4);
    // There is no bar and no newline, so each text is one piece. native/bpe encodes the first in parts. The second has
    // no place at which it can be cut.
    const texts = [
      Array.from({ length: 60_000 }, () => ['A2', 'B', 'c/', 'zA', '[CE]'][draw(5)]).join(''),
      'ab'.repeat(90_000),
    ];
    for (const text of texts) {
      const corpus = [text.slice(0, 3000)];
      for (const pretokenizer of ['bar', 'none'] as const) {
        const options = { vocabularySize: 300, pretokenizer };
        const tokenizer = await BpeTokenizer.train(corpus, { ...options, implementation });
        const merges = trainReference(corpus, options);
        expect(tokenizer.encode(text).join()).toBe(encodeWithReference(text, merges, pretokenizer).join());
      }
    }
  },
);

describe('a tokenizer.json is refused, and the error names the file', () => {
  const good = () => JSON.parse(JSON.stringify(huggingFace.cases[0].file));
  const write = (json: unknown) => {
    writeFileSync(file('bad.json'), typeof json === 'string' ? json : JSON.stringify(json));
    return () => loadTokenizer(file('bad.json'));
  };

  test('if it is missing', () => {
    expect(() => loadTokenizer(file('none.json'))).toThrow(`${file('none.json')}: no such file`);
  });

  test('if it is truncated', () => {
    expect(write(JSON.stringify(good()).slice(0, 3000))).toThrow(/bad\.json: not JSON, or cut short/);
  });

  test('if its model is not BPE', () => {
    expect(write({ version: 3 })).toThrow(/bad\.json: not a Hugging Face tokenizer\.json/);
    expect(write([])).toThrow(/bad\.json: not a Hugging Face tokenizer\.json/);
    const wordPiece = good();
    wordPiece.model.type = 'WordPiece';
    expect(write(wordPiece)).toThrow(/bad\.json: a WordPiece tokenizer/);
  });

  test('if its pre-tokenizer is not bar, line or none', () => {
    const words = good();
    words.pre_tokenizer.pretokenizers[0].pattern.Regex = '\\w+';
    expect(write(words)).toThrow(/bad\.json: not a byte-level BPE cut after bars/);
  });

  test('if its vocabulary lacks a byte', () => {
    const json = good();
    delete json.model.vocab.Ċ;
    expect(write(json)).toThrow(/bad\.json: its vocabulary lacks the byte "Ċ"/);
  });

  test('if the result of a merge is not in the vocabulary, or is a special token', () => {
    const noToken = good();
    noToken.model.merges[3] = ['q', 'q'];
    expect(write(noToken)).toThrow(/bad\.json: merge 3 \(\["q","q"\]\) makes a token that is not in model\.vocab/);
    const special = good();
    special.model.vocab['<|endoftext|'] = 1000;
    special.model.merges = [];
    for (let i = 1; i < END_OF_TEXT.length; i++) {
      special.model.vocab[END_OF_TEXT.slice(0, i + 1)] ??= 1000 + i;
      special.model.merges.push([END_OF_TEXT.slice(0, i), END_OF_TEXT[i]]);
    }
    special.model.vocab['<|endoftext|'] = 1011;
    expect(write(special)).toThrow(/bad\.json: merge 11 .* makes the special <\|endoftext\|>: text would turn into it/);
  });

  test('if ids are out of range, or merges are not pairs of tokens: nothing is allocated by their numbers', () => {
    for (const id of [2 ** 32 - 2, -1, 1.5, '7', [[[]]]]) {
      const added = good();
      added.added_tokens.push({ id, content: '<x>' });
      expect(write(added)).toThrow(/bad\.json: added_tokens is not a list of \{id, content\}, with integers from 0 to/);
      const inVocabulary = good();
      inVocabulary.model.vocab.zz = id;
      expect(write(inVocabulary)).toThrow(/bad\.json: model\.vocab gives "zz" .*ids are integers from 0 to 1048575/);
    }
    for (const merges of [{}, [1], [['a']], [['a', ['b']]], 'a b']) {
      const json = good();
      json.model.merges = merges;
      expect(write(json)).toThrow(/bad\.json: model\.merges is not a list of/);
    }
  });

  test.each([
    ['normalizer', (json: ReturnType<typeof good>) => Object.assign(json, { normalizer: { type: 'NFC' } })],
    ['model.ignore_merges', (json: ReturnType<typeof good>) => Object.assign(json.model, { ignore_merges: true })],
    [
      'model.end_of_word_suffix',
      (json: ReturnType<typeof good>) => Object.assign(json.model, { end_of_word_suffix: '</w>' }),
    ],
  ])('if its ids depend on %s, which is not read', (key, set) => {
    const json = good();
    set(json);
    expect(write(json)).toThrow(`bad.json: ${key} is set, and a tokenizer with it is not read`);
  });

  test('if two tokens have the same id', () => {
    const json = good();
    json.model.vocab.zz = 5;
    expect(write(json)).toThrow(/bad\.json: two tokens of model\.vocab have the same id/);
  });
});

/**
 * Opens tokenizer.json files of this project in other programs, and compares the ids and texts:
 *
 *     sh bench/tokenizer/install-peers.sh FOLDER
 *     npx tsx bench/tokenizer/check.ts --peers FOLDER
 *
 * The programs are tokenizers and transformers in Python (check.py), and tokenizers and @huggingface/tokenizers of npm.
 * The exit code is 1 if a result differs.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BpeTokenizer, CharTokenizer, END_OF_TEXT, MusicTokenizer, type Tokenizer } from '../../lib/tokenizer/index.ts';
import { parseOptions } from '../../scripts/command-line.ts';
import { corpusDocuments } from './documents.ts';
import { importPeer } from './peers.ts';

const { values } = parseOptions(import.meta.url, { options: { peers: { type: 'string' } } });
if (!values.peers) throw new Error('--peers FOLDER is missing; bench/tokenizer/install-peers.sh creates FOLDER');

/** A tokenizer and its expected results. */
interface Case {
  file: string;
  /** False if other programs can only decode with it. */
  encodes: boolean;
  texts: string[];
  ids: number[][];
  decoded: string[];
  special: string;
  specialId: number;
  spelled: string;
  spelledIds: number[];
}

/** The results of one program with one file: numbers of equal texts, and whether specials are treated as expected. */
interface Row {
  program: string;
  file: string;
  encoded: number | false;
  decoded: number;
  special: boolean;
  spelled: boolean;
}

const tunes = corpusDocuments()
  .filter((_, i) => i % 10 === 0)
  .map((bytes) => bytes.toString());
const spelled = `A|${END_OF_TEXT}\nB|`;
const texts = [...tunes, 'é|日本|😀|\n', '\0\x01\x7f|', ' A  B |\r\n', 'x'];

async function makeCases(folder: string): Promise<Case[]> {
  const corpus = [...tunes, spelled];
  const tokenizers: Record<string, Tokenizer> = {
    char: await CharTokenizer.train(corpus),
    music: await MusicTokenizer.train(corpus, { minFrequency: 2 }),
  };
  for (const pretokenizer of ['bar', 'line', 'none'] as const) {
    tokenizers[`bpe, ${pretokenizer}`] = await BpeTokenizer.train(corpus, { vocabularySize: 2048, pretokenizer });
  }
  return Object.entries(tokenizers).map(([name, tokenizer]) => {
    const file = `${name.replace(', ', '-')}.json`;
    tokenizer.save(join(folder, file));
    const ids = texts.map((text) => [...tokenizer.encode(text)]);
    return {
      file,
      encodes: name !== 'music',
      texts,
      ids,
      // A character that the vocabulary lacks is encoded as the special <unk>, which other programs skip when decoding.
      decoded: ids.map((each) => tokenizer.decode(name === 'char' ? each.filter((id) => id !== 1) : each)),
      special: END_OF_TEXT,
      specialId: tokenizer.endOfText,
      spelled,
      spelledIds: [...tokenizer.encode(spelled)],
    };
  });
}

const same = (a: ArrayLike<number>, b: number[]) => a.length === b.length && b.every((id, i) => a[i] === id);

/** A program with one file loaded. */
interface Calls {
  encode(text: string): ArrayLike<number> | Promise<ArrayLike<number>>;
  decode(ids: number[]): string | Promise<string>;
}

/** Runs one program on one case. */
async function row(program: string, each: Case, whole: Calls, withoutSpecials: Calls): Promise<Row> {
  let encoded = 0;
  let decoded = 0;
  for (const [i, text] of each.texts.entries()) {
    if (each.encodes && same(await whole.encode(text), each.ids[i])) encoded++;
    if ((await whole.decode(each.ids[i])) === each.decoded[i]) decoded++;
  }
  return {
    program,
    file: each.file,
    encoded: each.encodes && encoded,
    decoded,
    special: each.encodes && same(await whole.encode(each.special), [each.specialId]),
    spelled: each.encodes && same(await withoutSpecials.encode(each.spelled), each.spelledIds),
  };
}

/**
 * The text of the file, and the same without its added tokens. These two programs have no other way to encode text that
 * spells a special as text.
 */
function filesOf(path: string): [string, string] {
  const text = readFileSync(path, 'utf8');
  return [text, JSON.stringify({ ...JSON.parse(text), added_tokens: [] })];
}

async function nodeRows(cases: Case[], folder: string): Promise<Row[]> {
  const rows: Row[] = [];
  const binding = await importPeer(values.peers!, 'tokenizers');
  const javascript = await importPeer(values.peers!, '@huggingface/tokenizers');
  for (const each of cases) {
    const [whole, bare] = filesOf(join(folder, each.file));
    if (binding) {
      const calls = (text: string): Calls => {
        const tokenizer = binding.Tokenizer.fromString(text);
        return {
          encode: async (text) => (await tokenizer.encode(text)).getIds(),
          decode: (ids) => tokenizer.decode(ids, true),
        };
      };
      rows.push(await row('tokenizers (Node binding)', each, calls(whole), calls(bare)));
    }
    if (javascript) {
      const calls = (text: string): Calls => {
        const tokenizer = new javascript.Tokenizer(JSON.parse(text), { clean_up_tokenization_spaces: false });
        return {
          encode: (text) => tokenizer.encode(text).ids,
          decode: (ids) => tokenizer.decode(ids, { skip_special_tokens: true }),
        };
      };
      rows.push(await row('@huggingface/tokenizers (JavaScript)', each, calls(whole), calls(bare)));
    }
  }
  return rows;
}

const folder = mkdtempSync(join(tmpdir(), 'check-tokenizer-'));
const cases = await makeCases(folder);
writeFileSync(join(folder, 'cases.json'), JSON.stringify(cases));
const script = fileURLToPath(new URL('check.py', import.meta.url));
const python = execFileSync(join(values.peers, 'python/bin/python'), [script, folder], {
  maxBuffer: 1 << 24,
  stdio: ['ignore', 'pipe', 'ignore'],
});
const rows: Row[] = [...JSON.parse(python.toString()), ...(await nodeRows(cases, folder))];
rmSync(folder, { recursive: true });

const of = (count: number | boolean) => (count === false ? '–' : `${count} of ${texts.length}`);
const yes = (row: Row, is: boolean) => (row.encoded === false ? '–' : is ? 'yes' : 'NO');
console.log(
  '| | file | same ids | same text | special is one id | special spelled in text is text |\n|---|---|---|---|---|---|',
);
for (const each of rows.sort((a, b) => a.program.localeCompare(b.program))) {
  const { program, file, encoded, decoded, special, spelled } = each;
  console.log(
    `| ${program} | ${file} | ${of(encoded)} | ${of(decoded)} | ${yes(each, special)} | ${yes(each, spelled)} |`,
  );
  const wrong = encoded !== false && (encoded !== texts.length || !special || !spelled);
  if (wrong || decoded !== texts.length) process.exitCode = 1;
}

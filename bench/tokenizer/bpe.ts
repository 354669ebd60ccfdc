/**
 * Compares BPE training and encoding with Hugging Face's tokenizers and tiktoken, in one run, on the same documents:
 *
 *     npx tsx bench/tokenizer/bpe.ts [--peers FOLDER] [--pretokenizer bar|line|none] [--megabytes 50] [--vocabulary 4096]
 *
 * The documents are ../shared/corpus as ABC, repeated; no cache lasts from one repetition to the next. FOLDER holds the
 * peers (install-peers.sh). Those in Python run in another process (peers.py), those of npm in this one. It prints wall
 * time and CPU time. CPU time is reliable even if the machine is also doing other work. Merges and ids are compared
 * too: if they differ, the exit code is 1.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BpeTokenizer, type Pretokenizer } from '../../lib/tokenizer/index.ts';
import { parseOptions } from '../../scripts/command-line.ts';
import { corpusDocuments, repeated } from './documents.ts';
import { importPeer } from './peers.ts';

/** Rounds of encoding; the best one counts. */
const ROUNDS = 12;

const { values } = parseOptions(import.meta.url, {
  options: {
    peers: { type: 'string' },
    pretokenizer: { type: 'string', default: 'bar' },
    megabytes: { type: 'string', default: '50' },
    vocabulary: { type: 'string', default: '4096' },
  },
});
const pretokenizer = values.pretokenizer as Pretokenizer;
const vocabularySize = Number(values.vocabulary);

/** Times in seconds. */
interface Time {
  wall: number;
  cpu: number;
}

/** The output of peers.py. */
interface Peers {
  train: Time;
  /** Number and bytes of the documents that were encoded. */
  part: number;
  partBytes: number;
  huggingFace: Time;
  tiktoken: Time | null;
  sha256: string;
  sha256Tiktoken: string;
}

/** Groups documents into batches of 4 MB, as tokenizeCorpus does. */
function inBatches(documents: Buffer[]): Buffer[][] {
  const batches: Buffer[][] = [[]];
  let size = 0;
  for (const document of documents) {
    batches.at(-1)!.push(document);
    size += document.length;
    if (size < 4 * 1024 * 1024) continue;
    batches.push([]);
    size = 0;
  }
  return batches;
}

/** Runs `work` several times, and returns its result and its least wall and CPU time. */
async function timed<T>(rounds: number, work: () => T | Promise<T>): Promise<[T, Time]> {
  let result: T;
  const best = { wall: Infinity, cpu: Infinity };
  for (let round = 0; round < rounds; round++) {
    const wall = performance.now();
    const cpu = process.cpuUsage();
    result = await work();
    const { user, system } = process.cpuUsage(cpu);
    best.wall = Math.min(best.wall, (performance.now() - wall) / 1e3);
    best.cpu = Math.min(best.cpu, (user + system) / 1e6);
  }
  return [result!, best];
}

type Encode = (text: string) => ArrayLike<number> | Promise<ArrayLike<number>>;

/**
 * The encoders of the npm packages, for a tokenizer.json. tiktoken is left out for the pre-tokenizer none: it needs a
 * pattern, and one that matches a whole document is slow.
 */
async function npmPeers(folder: string, file: string): Promise<[string, Encode][]> {
  const found: [string, Encode][] = [];
  const binding = await importPeer(folder, 'tokenizers');
  if (binding) {
    const theirs = binding.Tokenizer.fromFile(file);
    found.push(['Hugging Face (Node binding)', async (text) => (await theirs.encode(text)).getIds()]);
  }
  const tiktoken = pretokenizer === 'none' ? undefined : await importPeer(folder, 'tiktoken');
  if (tiktoken) {
    const { model, pre_tokenizer, added_tokens } = JSON.parse(readFileSync(file, 'utf8'));
    const specials = Object.fromEntries(
      added_tokens.map(({ content, id }: { content: string; id: number }) => [content, id]),
    );
    const ours = BpeTokenizer.load(file);
    const ranks = Object.entries<number>(model.vocab)
      .filter(([token]) => !(token in specials))
      .map(([, id]) => `${Buffer.from(ours.decodeBytes([id])).toString('base64')} ${id}`);
    const theirs = new tiktoken.Tiktoken(ranks.join('\n'), specials, pre_tokenizer.pretokenizers[0].pattern.Regex);
    found.push(['tiktoken (npm)', (text) => theirs.encode_ordinary(text)]);
  }
  return found;
}

const documents = repeated(corpusDocuments(), Number(values.megabytes) * 1e6);
const bytes = documents.reduce((sum, document) => sum + document.length, 0);
const batches = inBatches(documents);
const scratch = mkdtempSync(join(tmpdir(), 'bench-tokenizer-'));
const rows: [string, Time, string][] = [];
let differs = false;

const [tokenizer, train] = await timed(3, () => BpeTokenizer.train(documents, { vocabularySize, pretokenizer }));
rows.push(['train', train, `${(bytes / 1e6 / train.wall).toFixed(0)} MB/s`]);
// Alternate between one and two threads, so that other load on the machine affects both.
const encodings = [1, 2].map((threads) => ({ threads, time: { wall: Infinity, cpu: Infinity }, tokens: 0 }));
for (let round = 0; round < ROUNDS; round++) {
  for (const each of encodings) {
    const [tokens, { wall, cpu }] = await timed(1, async () => {
      let sum = 0;
      for (const batch of batches) sum += (await tokenizer.encodeAll(batch, { threads: each.threads })).ids.length;
      return sum;
    });
    each.tokens = tokens;
    each.time = { wall: Math.min(wall, each.time.wall), cpu: Math.min(cpu, each.time.cpu) };
  }
}
for (const { threads, time, tokens } of encodings) {
  const rate = `${(bytes / 1e6 / time.wall).toFixed(0)} MB/s wall, ${(bytes / 1e6 / time.cpu).toFixed(0)} MB/s CPU`;
  rows.push([`encode, ${threads} thread(s)`, time, `${rate}, ${(bytes / tokens).toFixed(2)} bytes/token`]);
}

if (values.peers) {
  const path = join(scratch, 'documents');
  writeFileSync(path, Buffer.concat(documents.flatMap((document) => [document, Buffer.of(0)])));
  const script = new URL('peers.py', import.meta.url).pathname;
  const out = join(scratch, 'tokenizer.json');
  for (const threads of ['1', '2']) {
    const env = { ...process.env, RAYON_NUM_THREADS: threads };
    const args = [script, path, pretokenizer, String(vocabularySize), out];
    const peers: Peers = JSON.parse(
      execFileSync(join(values.peers, 'python/bin/python'), args, { env, maxBuffer: 1 << 20 }).toString(),
    );
    const rate = (time: Time) => `${(peers.partBytes / 1e6 / time.cpu).toFixed(1)} MB/s CPU`;
    rows.push([
      `Hugging Face train, ${threads} thread(s)`,
      peers.train,
      `${(peers.train.wall / train.wall).toFixed(1)} × ours`,
    ]);
    if (threads !== '1') continue;
    rows.push(['Hugging Face encode, a tenth', peers.huggingFace, rate(peers.huggingFace)]);
    if (peers.tiktoken) rows.push(['tiktoken encode, a tenth', peers.tiktoken, rate(peers.tiktoken)]);
    const ours = BpeTokenizer.load(out);
    const hash = createHash('sha256');
    for (const document of documents.slice(0, peers.part)) hash.update(Uint32Array.from(tokenizer.encode(document)));
    const sha256 = hash.digest('hex');
    differs =
      String(ours.merges) !== String(tokenizer.merges) || sha256 !== peers.sha256 || sha256 !== peers.sha256Tiktoken;
    for (const [name, encode] of await npmPeers(values.peers, out)) {
      const texts = documents.slice(0, peers.part).map((document) => document.toString());
      const [encoded, time] = await timed(1, async () => {
        const ids: ArrayLike<number>[] = [];
        for (const text of texts) ids.push(await encode(text));
        return ids;
      });
      rows.push([`${name} encode, a tenth`, time, rate({ ...time })]);
      const theirs = createHash('sha256');
      for (const ids of encoded) theirs.update(Uint32Array.from(ids));
      differs ||= theirs.digest('hex') !== sha256;
    }
    rows.push(['merges and ids', { wall: 0, cpu: 0 }, differs ? 'DIFFER' : 'equal']);
  }
}
rmSync(scratch, { recursive: true });

console.log(
  `${(bytes / 1e6).toFixed(1)} MB, ${documents.length} documents, ${pretokenizer}, vocabulary ${vocabularySize}\n`,
);
console.log('| | wall s | CPU s | |\n|---|---|---|---|');
for (const [name, { wall, cpu }, note] of rows)
  console.log(`| ${name} | ${wall.toFixed(2)} | ${cpu.toFixed(2)} | ${note} |`);
if (differs) process.exitCode = 1;

/**
 * BPE training and encoding beside Hugging Face's tokenizers and tiktoken, in one run, on the same documents:
 *
 *     npx tsx bench/tokenizer/bpe.ts [--python PYTHON] [--pretokenizer bar|line|none] [--megabytes 50] [--vocabulary 4096]
 *
 * The documents are ../shared/corpus as ABC, repeated. PYTHON is one that has tokenizers and tiktoken installed (peers.py);
 * without it only this project is timed. Wall time and CPU time, of which the second is the one to look at where the
 * machine does other things. Ids and merges are compared too: a difference ends the run with exit code 1.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { MusicError, midiToAbc } from '../../lib/music/index.ts';
import { BpeTokenizer, type Pretokenizer } from '../../lib/tokenizer/index.ts';

const ROUNDS = 5;
const CORPUS = new URL('../../../shared/corpus', import.meta.url).pathname;

const { values } = parseArgs({
  options: {
    python: { type: 'string' },
    pretokenizer: { type: 'string', default: 'bar' },
    megabytes: { type: 'string', default: '50' },
    vocabulary: { type: 'string', default: '4096' },
  },
});
const pretokenizer = values.pretokenizer as Pretokenizer;
const vocabularySize = Number(values.vocabulary);

interface Time {
  wall: number;
  cpu: number;
}

interface Peers {
  train: Time;
  part: number;
  partBytes: number;
  huggingFace: Time;
  tiktoken: Time | null;
  sha256: string;
  sha256Tiktoken: string;
}

/** ABC of all files that are MIDI, repeated until they are as long as asked for. */
function readDocuments(bytes: number): Buffer[] {
  if (!existsSync(CORPUS)) throw new Error(`${CORPUS} is missing: this bench is about its files`);
  const once: Buffer[] = [];
  for (const path of (readdirSync(CORPUS, { recursive: true }) as string[]).filter((p) => p.endsWith('.mid')).sort()) {
    try {
      once.push(Buffer.from(midiToAbc(readFileSync(join(CORPUS, path))).abc));
    } catch (error) {
      if (!(error instanceof MusicError)) throw error;
    }
  }
  const documents: Buffer[] = [];
  for (let size = 0; size < bytes; ) {
    for (const document of once) size += document.length;
    documents.push(...once);
  }
  return documents;
}

/** As tokenizeCorpus hands documents over: 4 MB at a time. */
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

/** The best of some rounds. */
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

const documents = readDocuments(Number(values.megabytes) * 1e6);
const bytes = documents.reduce((sum, document) => sum + document.length, 0);
const batches = inBatches(documents);
const scratch = mkdtempSync(join(tmpdir(), 'bench-tokenizer-'));
const rows: [string, Time, string][] = [];
let differs = false;

const [tokenizer, train] = await timed(3, () => BpeTokenizer.train(documents, { vocabularySize, pretokenizer }));
rows.push(['train', train, `${(bytes / 1e6 / train.wall).toFixed(0)} MB/s`]);
for (const threads of [1, 2]) {
  const [tokens, time] = await timed(ROUNDS, async () => {
    let sum = 0;
    for (const batch of batches) sum += (await tokenizer.encodeAll(batch, { threads })).ids.length;
    return sum;
  });
  const rate = `${(bytes / 1e6 / time.wall).toFixed(0)} MB/s wall, ${(bytes / 1e6 / time.cpu).toFixed(0)} MB/s CPU`;
  rows.push([`encode, ${threads} thread(s)`, time, `${rate}, ${(bytes / tokens).toFixed(2)} bytes/token`]);
}

if (values.python) {
  const path = join(scratch, 'documents');
  writeFileSync(path, Buffer.concat(documents.flatMap((document) => [document, Buffer.of(0)])));
  const script = new URL('peers.py', import.meta.url).pathname;
  const out = join(scratch, 'tokenizer.json');
  for (const threads of ['1', '2']) {
    const env = { ...process.env, RAYON_NUM_THREADS: threads };
    const args = [script, path, pretokenizer, String(vocabularySize), out];
    const peers: Peers = JSON.parse(execFileSync(values.python, args, { env, maxBuffer: 1 << 20 }).toString());
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

/**
 * Training a BPE: documents in, the parts of a tokenizer out. The pieces of the documents are counted first, then merged; the
 * event loop stays free and hears how far it is.
 */
import type { BpeParts } from './bpe-file.ts';
import { learnMerges, type MergeOptions, type Merges, type WeightedPiece } from './bpe-reference.ts';
import { SYMBOL_BYTE, spell } from './byte-level.ts';
import { asBytes, type DocumentSource } from './documents.ts';
import { type Implementation, type NativeBpe, nativeBpe } from './native.ts';
import { eachPiece, type Pretokenizer, SPLIT_PATTERN } from './pretokenizer.ts';
import { END_OF_TEXT, TokenizerError } from './tokenizer.ts';

export interface TrainingProgress {
  phase: 'reading' | 'merging';
  done: number;
  /** unknown while reading */
  total?: number;
  unit: 'bytes' | 'merges';
}

export interface BpeTrainingOptions {
  /** native where it is built, unless told otherwise */
  implementation?: Implementation;
  /** specials + 256 bytes + merges. The result is smaller where the corpus has no more pairs to merge */
  vocabularySize: number;
  /** default bar */
  pretokenizer?: Pretokenizer;
  /** default `<|endoftext|>` alone */
  specials?: string[];
  /** a pair that occurs fewer times in the corpus is not merged. Default 1 */
  minimumCount?: number;
  onProgress?: (progress: TrainingProgress) => void;
}

/** Bytes of documents that are handed to the addon at a time. */
const BATCH_BYTES = 8 * 1024 * 1024;
/** The addon's memory is in 32-bit positions, so no document may be longer than this. */
const LONGEST_DOCUMENT = 0xfffffff0;
const PROGRESS_MS = 100;

/** Throws a TokenizerError where the corpus is empty or the vocabulary is no possible one. */
export async function trainBpe(source: DocumentSource, options: BpeTrainingOptions): Promise<BpeParts> {
  const { vocabularySize, pretokenizer = 'bar', specials = [END_OF_TEXT], minimumCount = 1, onProgress } = options;
  checkTraining(vocabularySize, pretokenizer, specials);
  const merging: MergeOptions = {
    merges: vocabularySize - 256 - specials.length,
    minimumCount,
    forbidden: specials.map((special) => new TextEncoder().encode(special)),
  };
  const native = nativeBpe(options.implementation);
  const merges = native
    ? await learnNatively(native, source, pretokenizer, merging, onProgress)
    : await learnInTypeScript(source, pretokenizer, merging, onProgress);
  return assemble(merges, pretokenizer, specials);
}

function checkTraining(vocabularySize: number, pretokenizer: Pretokenizer, specials: string[]): void {
  const least = 256 + specials.length;
  if (!Number.isInteger(vocabularySize) || vocabularySize < least || vocabularySize > 0x100000) {
    throw new TokenizerError(
      `a BPE vocabulary of ${vocabularySize} is not possible: it holds 256 bytes and ${specials.length} specials, so at least ${least} and at most 1048576`,
    );
  }
  if (!(pretokenizer in SPLIT_PATTERN)) {
    throw new TokenizerError(`no pre-tokenizer is named ${JSON.stringify(pretokenizer)}: bar, line and none are`);
  }
  if (new Set(specials).size !== specials.length || specials.some((special) => special.length < 2)) {
    throw new TokenizerError('specials have to differ from each other and to be longer than one character');
  }
}

type OnProgress = BpeTrainingOptions['onProgress'];

/** Pieces are counted, then merged, on the thread pool, while the next documents are gathered here. */
async function learnNatively(
  native: NativeBpe,
  source: DocumentSource,
  pretokenizer: Pretokenizer,
  { merges, minimumCount, forbidden }: MergeOptions,
  onProgress?: OnProgress,
): Promise<Merges> {
  const trainer = new native.Trainer(pretokenizer);
  let done = 0;
  let counting: Promise<void> = Promise.resolve();
  let batch: Uint8Array[] = [];
  let batchBytes = 0;
  const hand = async () => {
    const [handed, handedBytes] = [batch, batchBytes];
    [batch, batchBytes] = [[], 0];
    await counting;
    counting = trainer.add(handed).then(() => {
      done += handedBytes;
      onProgress?.({ phase: 'reading', done, unit: 'bytes' });
    });
    counting.catch(() => {});
  };
  let bytes = 0;
  for await (const document of source) {
    const documentBytes = asBytes(document);
    if (documentBytes.length > LONGEST_DOCUMENT) throw new TokenizerError('a document is longer than 4 GB');
    batch.push(documentBytes);
    batchBytes += documentBytes.length;
    bytes += documentBytes.length;
    if (batchBytes >= BATCH_BYTES) await hand();
  }
  await hand();
  await counting;
  requireText(bytes);
  const progress = new Int32Array(1);
  const report = () => onProgress?.({ phase: 'merging', done: progress[0], total: merges, unit: 'merges' });
  const timer = setInterval(report, PROGRESS_MS);
  try {
    return await trainer.learn(merges, minimumCount, forbidden, progress);
  } finally {
    clearInterval(timer);
    report();
  }
}

async function learnInTypeScript(
  source: DocumentSource,
  pretokenizer: Pretokenizer,
  options: MergeOptions,
  onProgress?: OnProgress,
): Promise<Merges> {
  const pieces = new Map<string, WeightedPiece>();
  let done = 0;
  for await (const document of source) {
    const bytes = asBytes(document);
    eachPiece(bytes, pretokenizer, (start, end) => {
      const piece = bytes.subarray(start, end);
      const key = Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength).toString('latin1');
      const known = pieces.get(key);
      if (known) known.weight++;
      else pieces.set(key, { bytes: piece.slice(), weight: 1 });
    });
    done += bytes.length;
    onProgress?.({ phase: 'reading', done, unit: 'bytes' });
  }
  requireText(done);
  const merges: number[] = [];
  let lastPause = performance.now();
  for (const pair of learnMerges([...pieces.values()], options)) {
    merges.push(...pair);
    if (performance.now() - lastPause < PROGRESS_MS) continue;
    onProgress?.({ phase: 'merging', done: merges.length / 2, total: options.merges, unit: 'merges' });
    await new Promise(setImmediate);
    lastPause = performance.now();
  }
  onProgress?.({ phase: 'merging', done: merges.length / 2, total: options.merges, unit: 'merges' });
  return Uint32Array.from(merges);
}

function requireText(bytes: number): void {
  if (bytes === 0) throw new TokenizerError('the corpus is empty: there is nothing to learn merges from');
}

/** The vocabulary that merges make: specials, bytes, merges. */
function assemble(merges: Merges, pretokenizer: Pretokenizer, specials: string[]): BpeParts {
  const symbols: string[] = Array.from(SYMBOL_BYTE, (byte) => spell(Uint8Array.of(byte)));
  for (let k = 0; 2 * k < merges.length; k++) symbols.push(symbols[merges[2 * k]] + symbols[merges[2 * k + 1]]);
  return {
    merges,
    pretokenizer,
    specials: new Map(specials.map((special, id) => [special, id])),
    ids: Uint32Array.from(symbols, (_, symbol) => symbol + specials.length),
    vocabulary: [...specials, ...symbols],
  };
}

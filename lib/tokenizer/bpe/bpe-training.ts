/**
 * Trains a BPE: counts the distinct pieces of the documents, then learns merges from them. Runs in the addon, or in
 * TypeScript if the addon is not built. Both report progress and leave the event loop free.
 */
import { asBytes, type DocumentSource } from '../documents.ts';
import { TokenizerError } from '../errors.ts';
import { END_OF_TEXT } from '../tokenizer.ts';
import type { BpeParts } from './bpe-file.ts';
import { learnMerges } from './bpe-typescript.ts';
import { SYMBOL_BYTE, spell } from './byte-level.ts';
import type { MergeOptions, Merges, WeightedPiece } from './merges.ts';
import { type Implementation, type NativeBpe, nativeBpe } from './native.ts';
import { eachPiece, type Pretokenizer, SPLIT_PATTERN } from './pretokenizer.ts';

/** The progress of training. */
export interface TrainingProgress {
  phase: 'reading' | 'merging';
  done: number;
  /** Absent while reading, because it is unknown then. */
  total?: number;
  unit: 'bytes' | 'merges';
}

/** Options of training a BPE. */
export interface BpeTrainingOptions {
  /** Default: native if it is built. */
  implementation?: Implementation;
  /** Specials + 256 bytes + merges. The result is smaller if the corpus runs out of pairs to merge. */
  vocabularySize: number;
  /** Default: bar. */
  pretokenizer?: Pretokenizer;
  /** Default: only `<|endoftext|>`. */
  specials?: string[];
  /** Pairs that occur less often in the corpus are not merged. Default: 1. */
  minimumCount?: number;
  onProgress?: (progress: TrainingProgress) => void;
}

/** The largest vocabulary: the addon keeps a symbol in 20 bits. */
const MAX_VOCABULARY_SIZE = 0x100000;
/** Bytes of documents that the addon receives in one call. */
const BATCH_BYTES = 8 * 1024 * 1024;
/** The addon addresses bytes by 32-bit positions, so a document cannot be longer than this. */
const MAX_DOCUMENT_BYTES = 0xfffffff0;
/** Milliseconds between two progress reports while merging. */
const PROGRESS_MS = 100;

/**
 * Learns merges from documents and builds the vocabulary from them.
 *
 * @throws TokenizerError if the corpus is empty, a document is longer than 4 GB, or an option is not possible
 */
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
  if (!Number.isInteger(vocabularySize) || vocabularySize < least || vocabularySize > MAX_VOCABULARY_SIZE) {
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

/** Trains in the addon. Its thread pool counts the pieces of one batch while this thread reads the next documents. */
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
  const submitBatch = async () => {
    const [submitted, submittedBytes] = [batch, batchBytes];
    [batch, batchBytes] = [[], 0];
    await counting;
    counting = trainer.add(submitted).then(() => {
      done += submittedBytes;
      onProgress?.({ phase: 'reading', done, unit: 'bytes' });
    });
    // The next await of `counting` reports a failure. Without this handler, Node would end the process before that.
    counting.catch(() => {});
  };
  let bytes = 0;
  for await (const document of source) {
    const documentBytes = asBytes(document);
    if (documentBytes.length > MAX_DOCUMENT_BYTES) throw new TokenizerError('a document is longer than 4 GB');
    batch.push(documentBytes);
    batchBytes += documentBytes.length;
    bytes += documentBytes.length;
    if (batchBytes >= BATCH_BYTES) await submitBatch();
  }
  await submitBatch();
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

/** Trains in TypeScript. Yields to the event loop every PROGRESS_MS while merging. */
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

/** Builds the vocabulary: specials, bytes, merges. */
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

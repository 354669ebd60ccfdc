/** The token store: windows, totals, several processes, killed writers, and damaged files. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CharTokenizer, exportBin, type Split, TokenStore } from '../../lib/tokenizer/index.ts';

const directory = mkdtempSync(join(tmpdir(), 'store-'));
afterAll(() => rmSync(directory, { recursive: true }));
const at = (name: string) => join(directory, name);

/** Path → SHA-256 of every file in a directory. */
function contents(dir: string): Record<string, string> {
  const files = readdirSync(dir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = files.map((entry) => join(entry.parentPath ?? entry.path, entry.name)).sort();
  return Object.fromEntries(
    paths.map((path) => [path.slice(dir.length), createHash('sha256').update(readFileSync(path)).digest('hex')]),
  );
}

/** Writes a store with a few documents. The id of token i of a split is i modulo the vocabulary size. */
async function writeSmall(dir: string, vocabularySize = 1000): Promise<void> {
  const store = TokenStore.create(dir, { vocabularySize });
  const sizes: [Split, number[]][] = [
    ['train', [3, 500, 0, 7]],
    ['val', [40]],
    ['test', []],
  ];
  for (const [split, lengths] of sizes) {
    let place = 0;
    for (const length of lengths) {
      const ids = Array.from({ length }, () => place++ % vocabularySize);
      store.append(split, vocabularySize > 65536 ? Uint32Array.from(ids) : Uint16Array.from(ids), {
        bytes: 3 * length,
        chars: 2 * length,
      });
    }
  }
  await store.close();
}

/** Runs write-store.ts in another process. */
function run(action: 'write' | 'read', dir: string) {
  const program = fileURLToPath(new URL('write-store.ts', import.meta.url));
  return spawn(process.execPath, ['--import', 'tsx', program, action, dir], { stdio: ['ignore', 'pipe', 'inherit'] });
}

describe('a small store', () => {
  beforeAll(() => writeSmall(at('small')));

  test('returns windows, totals and documents', async () => {
    const store = TokenStore.open(at('small'));
    expect(store.vocabularySize).toBe(1000);
    expect(store.totals('train')).toEqual({ tokens: 510, bytes: 1530, chars: 1020, documents: 4 });
    expect(store.totals('test')).toEqual({ tokens: 0, bytes: 0, chars: 0, documents: 0 });
    expect(store.window('train', 500, 4)).toEqual(Uint16Array.of(500, 501, 502, 503));
    expect(store.window('val', 0, 40)).toHaveLength(40);
    expect(store.window('test', 0, 0)).toHaveLength(0);
    expect(store.documents('train').map(({ offset, tokens }) => [offset, tokens])).toEqual([
      [0, 3],
      [3, 500],
      [503, 0],
      [503, 7],
    ]);
    expect(store.documents('test')).toEqual([]);
    await store.close();
  });

  test('leading() gives the totals of the first documents that fit whole in a number of bytes', async () => {
    const store = TokenStore.open(at('small'));
    const first = { tokens: 3, bytes: 9, chars: 6, documents: 1 };
    expect(store.leading('train', 9)).toEqual(first);
    // The second document does not fit.
    expect(store.leading('train', 1508)).toEqual(first);
    expect(store.leading('train', 1e9)).toEqual(store.totals('train'));
    // The totals cover at least one document, if the split has one.
    expect(store.leading('val', 1).documents).toBe(1);
    expect(store.leading('test', 1).documents).toBe(0);
    await store.close();
  });

  test('refuses windows outside the split', async () => {
    const store = TokenStore.open(at('small'));
    expect(() => store.window('train', 508, 3)).toThrow('train has 510 tokens, no window of 3 at 508');
    expect(() => store.window('train', -1, 3)).toThrow(RangeError);
    expect(() => store.window('test', 0, 1)).toThrow(RangeError);
    await store.close();
  });

  test('has the same bytes each time it is written, even if it replaces another store', async () => {
    await writeSmall(at('again'));
    await writeSmall(at('again'));
    expect(contents(at('again'))).toEqual(contents(at('small')));
  });

  test('can be exported to files that hold only ids', async () => {
    const store = TokenStore.open(at('small'));
    exportBin(store, at('bin'));
    const train = readFileSync(join(at('bin'), 'train.bin'));
    expect(train).toHaveLength(2 * 510);
    expect([train.readUInt16LE(0), train.readUInt16LE(2 * 509)]).toEqual([0, 509]);
    expect(readFileSync(join(at('bin'), 'test.bin'))).toHaveLength(0);
    const meta = JSON.parse(readFileSync(join(at('bin'), 'meta.json'), 'utf8'));
    expect(meta).toMatchObject({ vocab_size: 1000, dtype: 'uint16', splits: { val: store.totals('val') } });
    await store.close();
  });

  test('reading changes neither the store nor its directory', async () => {
    const before = contents(at('small'));
    const stores = [TokenStore.open(at('small')), TokenStore.open(at('small'))];
    expect(contents(at('small'))).toEqual(before);
    for (const store of stores) expect(store.window('train', 5, 1)).toEqual(Uint16Array.of(5));
    for (const store of stores) await store.close();
    expect(contents(at('small'))).toEqual(before);
    expect(Object.keys(before)).toEqual(['/data.mdb']);
  });

  test('has ids of 4 bytes if the vocabulary needs them', async () => {
    await writeSmall(at('wide'), 70000);
    const store = TokenStore.open(at('wide'));
    expect(store.window('train', 500, 2)).toEqual(Uint32Array.of(500, 501));
    await store.close();
  });
});

describe('a store of several chunks', () => {
  // With 2 bytes per token and chunks of just over 16 MiB, the first chunk ends at 8,390,644 tokens.
  const tokens = 20_000_000;
  const boundary = 8_390_644;
  beforeAll(async () => {
    const store = TokenStore.create(at('large'), { vocabularySize: 60000 });
    const document = new Uint16Array(100_000);
    for (let from = 0; from < tokens; from += document.length) {
      for (let i = 0; i < document.length; i++) document[i] = (from + i) % 60000;
      store.append('train', document, { bytes: 1, chars: 1 });
    }
    await store.close();
  });

  test('returns windows inside chunks, at their ends and across them', async () => {
    const store = TokenStore.open(at('large'));
    for (const offset of [0, boundary - 256, boundary - 100, boundary, 2 * boundary - 1, tokens - 256]) {
      const expected = Uint16Array.from({ length: 256 }, (_, i) => (offset + i) % 60000);
      expect(store.window('train', offset, 256)).toEqual(expected);
    }
    // This window is longer than a chunk.
    const long = store.window('train', 10, 2 * boundary);
    expect(long).toHaveLength(2 * boundary);
    expect(long.at(-1)).toBe((9 + 2 * boundary) % 60000);
    await store.close();
  });

  test('returns views of the same memory, not copies', async () => {
    const store = TokenStore.open(at('large'));
    expect(store.window('train', 100, 8).buffer).toBe(store.window('train', 5000, 8).buffer);
    await store.close();
  });

  test('is less than 1 % larger than the ids', () => {
    expect(statSync(join(at('large'), 'data.mdb')).size / (2 * tokens)).toBeLessThan(1.01);
  });

  test('can be read by several processes at once', async () => {
    const readers = [run('read', at('large')), run('read', at('large'))];
    const [first, second] = await Promise.all(readers.map((reader) => text(reader.stdout)));
    expect(first).toMatch(/^\d+\n$/);
    expect(second).toBe(first);
  });
});

describe('refused, with an error that names the directory:', () => {
  const refused = (name: string) => expect(() => TokenStore.open(at(name)));

  test('a directory without a store', () => {
    mkdirSync(at('empty'));
    refused('empty').toThrow(`${at('empty')}: no token store here (no data.mdb); the tokenize stage writes one`);
    refused('nowhere').toThrow(`${at('nowhere')}: no token store here`);
  });

  test('a store whose writer has not closed it', async () => {
    const store = TokenStore.create(at('open'), { vocabularySize: 300 });
    store.append('train', Uint16Array.of(1, 2), { bytes: 2, chars: 2 });
    refused('open').toThrow(
      `${at('open')}: the writing of this token store was interrupted; run the tokenize stage again`,
    );
    await store.abort();
    refused('open').toThrow('no token store here');
    expect(readdirSync(at('open'))).toEqual([]);
  });

  test('creating a store in a directory that cannot be made', () => {
    writeFileSync(at('file'), '');
    const dir = join(at('file'), 'store');
    expect(() => TokenStore.create(dir, { vocabularySize: 300 })).toThrow(`${dir}: the token store cannot be written`);
  });

  test.each([1, 2])('a store whose writer was killed (round %d), which the next writer replaces', async (round) => {
    const dir = at(`killed-${round}`);
    const writer = run('write', dir);
    await new Promise((writing) => writer.stdout.once('data', writing));
    writer.kill('SIGKILL');
    await new Promise((gone) => writer.once('close', gone));
    expect(() => TokenStore.open(dir)).toThrow(`${dir}: the writing of this token store was interrupted`);
    await writeSmall(dir);
    await TokenStore.open(dir).close();
    expect(contents(dir)).toEqual(contents(at('small')));
  });

  test('a truncated file, of any length', () => {
    const whole = statSync(join(at('small'), 'data.mdb')).size;
    for (const size of [0, 100, 4096, 8191, 12288, whole - 4096, whole - 1]) {
      cpSync(at('small'), at('cut'), { recursive: true });
      truncateSync(join(at('cut'), 'data.mdb'), size);
      refused('cut').toThrow(/cut: (the token store is cut short|data\.mdb is not an LMDB file)/);
    }
  });

  test('a file that is not LMDB', () => {
    mkdirSync(at('foreign'));
    writeFileSync(join(at('foreign'), 'data.mdb'), 'a text'.repeat(5000));
    refused('foreign').toThrow(`${at('foreign')}: data.mdb is not an LMDB file that this program can read`);
  });

  test('an LMDB file that another program wrote', async () => {
    const { open } = createRequire(import.meta.url)('lmdb') as typeof import('lmdb');
    const other = open(at('other'), {});
    await other.put('meta', { format: 'recipes' });
    await other.close();
    refused('other').toThrow(`${at('other')}: data.mdb is an LMDB file, but not a token store`);
  });

  test.each([
    [{ version: 99 }, 'other: a token store of version 99, this program reads version 1; run the tokenize stage again'],
    [{ complete: false }, 'other: the token store is not complete; run the tokenize stage again'],
  ])('a store with %j', async (changed, message) => {
    const { open } = createRequire(import.meta.url)('lmdb') as typeof import('lmdb');
    rmSync(at('other'), { recursive: true, force: true });
    await writeSmall(at('other'));
    const database = open<Uint8Array, string>(join(at('other'), 'data.mdb'), {
      noSubdir: true,
      encoding: 'binary',
    } as never);
    const meta = JSON.parse(Buffer.from(database.getBinary('meta')!).toString());
    const { version = meta.version, complete = true } = changed as { version?: number; complete?: boolean };
    await database.put('meta', Buffer.from(JSON.stringify({ ...meta, version })));
    await database.put('complete', Buffer.from(JSON.stringify(complete)));
    await database.close();
    refused('other').toThrow(message);
  });

  test('a store that was written with another tokenizer than the one beside it', async () => {
    const tokenizer = await CharTokenizer.train(['ABC']);
    await TokenStore.create(at('exchanged'), { vocabularySize: 5, tokenizer }).close();
    await TokenStore.open(at('exchanged')).close();
    (await CharTokenizer.train(['XYZ'])).save(join(at('exchanged'), 'tokenizer.json'));
    refused('exchanged').toThrow(/was written with another tokenizer than the tokenizer\.json beside it/);
  });
});

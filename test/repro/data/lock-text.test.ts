/** The text of a block is the same whether plainText or the YAML library writes it. */
import { expect, test } from 'vitest';
import { stringify } from 'yaml';
import type { LockedStage } from '../../../lib/repro/storage/lock-text.ts';
import { blockText } from '../../../lib/repro/storage/lock-text.ts';

const ODD =
  `null True ~ yes n 0x1f 0o7 1e5 .5 -0 +1 1_000 .inf NaN - --- << = 2026-11-21 train@tiny-1 a:b a#b 'q' "q" \\ é /x,y [x] {x} &a *a !a %a @a \`a`.split(
    ' ',
  );
const SPACED = ['', ' x', 'x ', 'a: b', 'a #b', 'a\nb\n', 'a\tb', 'sh -c "a && b" > out/x.txt', 'x'.repeat(1100)];
const HASHES = ['a'.repeat(64), '0'.repeat(64), `1e${'2'.repeat(62)}`, `1${'f'.repeat(63)}`];
const TEXTS = [...ODD, ...SPACED, ...HASHES, 'true', 'in.txt', 'data/raw', 'tsx stages/train.ts --seed 1', '17'];
const NUMBERS = [0, 17, -3, 0.001, 1e21, 1e-7, -0, Number.MAX_SAFE_INTEGER];

/** A seeded generator of whole numbers below `limit`. */
let state = 1;
function any(limit: number): number {
  state = (state * 48271) % 2147483647;
  return state % limit;
}

const text = () => TEXTS[any(TEXTS.length)];
const plain = () => `${'abcdef'[any(6)]}${any(100)}/${text().replace(/[^a-z]/g, '')}`;

function value(depth: number): unknown {
  const kind = any(depth > 2 ? 4 : 6);
  if (kind === 0) return plain();
  if (kind === 1) return text();
  if (kind === 2) return NUMBERS[any(NUMBERS.length)];
  if (kind === 3) return [true, false, null][any(3)];
  const items = Array.from({ length: any(4) }, () => value(depth + 1));
  return kind === 4 ? items : Object.fromEntries(items.map((item) => [any(2) === 0 ? text() : plain(), item]));
}

function block(): unknown {
  const contents = Object.fromEntries(
    Array.from({ length: any(3) }, () => [plain(), { sha256: HASHES[any(HASHES.length)], size: any(1000) }]),
  );
  return { cmd: text(), ...(any(2) === 0 ? { deps: contents } : {}), ...(any(3) === 0 ? { params: value(0) } : {}) };
}

test('blocks of plain words and of any other text have the text that the YAML library writes', async () => {
  for (let i = 0; i < 3000; i++) {
    const [name, made] = [any(2) === 0 ? text() : plain(), block()];
    const library = stringify({ [name]: made }, { sortMapEntries: true, lineWidth: 0, aliasDuplicateObjects: false });
    expect(await blockText(name, made as LockedStage)).toBe(library.replace(/^(?=.)/gm, '  '));
  }
});

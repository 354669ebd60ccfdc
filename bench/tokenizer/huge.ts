/**
 * Measures time and memory of training on a gigabyte, and of encoding a gigabyte without a line break:
 *
 *     npx tsx bench/tokenizer/huge.ts [--megabytes 1000]
 *
 * The corpus is ../shared/corpus as ABC, repeated. Each repetition begins with another number, so that documents
 * differ. It is generated while it is read. The line has neither bars nor newlines, so it is one piece. Peak memory is
 * that of the whole process.
 */

import { BpeTokenizer } from '../../lib/tokenizer/index.ts';
import { parseOptions } from '../../scripts/command-line.ts';
import { corpusDocuments } from './documents.ts';

const { values } = parseOptions(import.meta.url, { options: { megabytes: { type: 'string', default: '1000' } } });
const bytes = Number(values.megabytes) * 1e6;
const documents = corpusDocuments();

function* corpus() {
  for (let made = 0, round = 0; made < bytes; round++) {
    for (const document of documents) {
      const text = Buffer.concat([Buffer.from(`X:${round}\n`), document]);
      made += text.length;
      yield text;
    }
  }
}

async function measured(name: string, work: () => Promise<string>): Promise<void> {
  let ticks = 0;
  const timer = setInterval(() => ticks++, 50);
  const start = performance.now();
  const cpu = process.cpuUsage();
  const result = await work();
  const { user, system } = process.cpuUsage(cpu);
  clearInterval(timer);
  const wall = (performance.now() - start) / 1e3;
  const peak = process.resourceUsage().maxRSS / 1024;
  const each = ((1000 * wall) / (ticks + 1)).toFixed(0);
  console.log(
    `| ${name} | ${wall.toFixed(1)} | ${((user + system) / 1e6).toFixed(1)} | ${peak.toFixed(0)} | ${each} | ${result} |`,
  );
}

console.log('| | wall s | CPU s | peak MiB so far | a 50 ms timer ticks every, ms | |\n|---|---|---|---|---|---|');
await measured(`train on ${values.megabytes} MB, vocabulary 4096`, async () => {
  const tokenizer = await BpeTokenizer.train(corpus(), { vocabularySize: 4096 });
  return `${tokenizer.merges.length / 2} merges`;
});
const line = Buffer.alloc(bytes, documents.map((document) => document.toString().replace(/[|\n]/g, ' ')).join(''));
await measured(`encode a line of ${values.megabytes} MB`, async () => {
  const tokenizer = await BpeTokenizer.train(documents, { vocabularySize: 4096 });
  const { ids } = await tokenizer.encodeAll([line]);
  const end = tokenizer.decodeBytes(ids.subarray(-1000));
  const equal = Buffer.compare(end, line.subarray(-end.length)) === 0;
  if (!equal) process.exitCode = 1;
  return `${ids.length} ids, its end decodes to ${equal ? 'the same bytes' : 'OTHER BYTES'}`;
});

/**
 * A training run in a process of its own, for memory.test.ts: prints what was said beforehand that it would take, and what it took.
 *
 *     tsx test/engine/memory-of-run.ts '{"config": …, "settings": …, "threads": 1, "engine": "native"}' FOLDER
 */
import { openEngine, train } from '../../lib/engine/index.ts';
import { memoryOfRun } from '../../lib/engine/training/memory.ts';
import { countingSource } from './tiny.ts';

const [request, checkpointDir] = process.argv.slice(2);
const { config, settings, threads, precision, engine: name } = JSON.parse(request);
const engine = await openEngine({ name, threads, precision, device: name === 'tfjs' ? 'cpu' : undefined });
const source = countingSource(config.vocabularySize, 100_000);
const before = process.memoryUsage.rss();
await train({ engine, config, source, settings, seed: 1, checkpointDir, checkpointSeconds: 0 });
const taken = process.resourceUsage().maxRSS * 1024 - before;
console.log(JSON.stringify({ said: memoryOfRun(engine, config, settings, true), taken }));

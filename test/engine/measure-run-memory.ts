/**
 * Measures the memory of a training run in its own process, for memory.test.ts. Prints the estimate and the measured
 * growth of the process, in bytes, as JSON.
 *
 *     tsx test/engine/measure-run-memory.ts '{"config": …, "settings": …, "threads": 1, "engine": "native"}' FOLDER
 */
import { openEngine, train } from '../../lib/engine/index.ts';
import { estimateRunMemory } from '../../lib/engine/training/memory-estimate.ts';
import { countingSource } from './tiny.ts';

const [request, checkpointDir] = process.argv.slice(2);
const { config, settings, threads, precision, engine: name } = JSON.parse(request);
const engine = await openEngine({ name, threads, precision, device: name === 'tfjs' ? 'cpu' : undefined });
const source = countingSource(config.vocabularySize, 100_000);
const before = process.memoryUsage.rss();
await train({ engine, config, source, settings, seed: 1, checkpointDir, checkpointSeconds: 0 });
const measured = process.resourceUsage().maxRSS * 1024 - before;
console.log(JSON.stringify({ estimated: estimateRunMemory(engine, config, settings, true), measured }));

/** TOKENS → MODEL (config.json, model.safetensors) and CURVE.csv: one model of the grid, trained on a budget of tokens. */
import { join } from 'node:path';
import { openEngine, train } from '../lib/engine/index.ts';
import { checkConfig, countParameters, modelConfig, saveCheckpoint } from '../lib/models/index.ts';
import { TokenStore, loadTokenizer } from '../lib/tokenizer/index.ts';
import type { Params } from './params.ts';
import { StageError, stage, writeText } from './stage.ts';

await stage({
  name: 'train',
  does: 'Trains one model on TOKENS; writes its weights to MODEL and its losses along the way to CURVE.csv.',
  paths: ['TOKENS', 'MODEL', 'CURVE.csv'],
  flags: {
    tokenizer: 'what TOKENS was made with: char or bpe',
    size: 'a name from sizes in params.yaml',
    seed: 'of the initial weights and the order of the data',
    checkpoint: 'folder from which an interrupted attempt goes on',
  },
  async run({ paths: [tokens, modelDir, curveFile], flags, params, progress }) {
    const run = `${flags.tokenizer}-${flags.size}-${flags.seed}`;
    const seed = Number(flags.seed);
    const settings = params.train;
    const tokenizer = await loadTokenizer(join(tokens, 'tokenizer.json'));
    const config = configOf(params, flags.size, tokenizer.vocabularySize);
    const engine = await openEngine({ name: settings.engine, precision: settings.precision, threads: settings.threads });
    const source = await TokenStore.open(tokens);

    const result = await train({
      engine,
      config,
      source,
      seed,
      settings: {
        tokens: settings.tokens,
        batch: settings.batch,
        block: settings.block,
        learningRate: settings.lr * (settings.lr_width / config.width) ** settings.lr_exponent,
        minLearningRateRatio: settings.lr_floor,
        warmup: settings.warmup,
        weightDecay: settings.weight_decay,
        betas: settings.betas,
        clip: settings.clip,
        evaluations: settings.evaluations,
        evaluationTokens: settings.evaluation_tokens,
      },
      checkpointDir: flags.checkpoint,
      onProgress: progress.update,
    });
    await source.close();
    await saveCheckpoint(modelDir, { config, weights: result.weights });
    await writeText(curveFile, curveCsv(run, result.curve));
    return { run };
  },
});

function configOf(params: Params, size: string, vocabularySize: number) {
  const shape = params.sizes[size];
  if (!shape) throw new StageError(`params.yaml: train.sizes names ${size}, which sizes does not have`);
  const config = modelConfig(shape, { vocabularySize, block: params.train.block, dropout: params.train.dropout });
  checkConfig(config);
  return config;
}

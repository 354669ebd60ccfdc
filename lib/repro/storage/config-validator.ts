/**
 * config.schema.json compiled by ajv, which takes 60 ms. In the bundle it is compiled when repro is built: see
 * scripts/bundle-runner.mjs.
 */
import { Ajv2020 } from 'ajv/dist/2020.js';
import { OPTIONS } from '../documents/index.ts';
import schema from './config.schema.json' with { type: 'json' };

/** Checks a value; the problems are then in `validate.errors`. */
export const validate = new Ajv2020(OPTIONS).compile(schema);

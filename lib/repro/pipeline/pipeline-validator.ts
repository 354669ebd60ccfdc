/**
 * pipeline.schema.json compiled by ajv, which takes 90 ms. The bundle has it compiled beforehand: see
 * scripts/bundle-runner.mjs.
 */
import { Ajv2020, OPTIONS } from '../documents/index.ts';
import schema from './pipeline.schema.json' with { type: 'json' };

export const validate = new Ajv2020(OPTIONS).compile(schema);

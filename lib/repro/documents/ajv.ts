/** The JSON Schema library, to be imported dynamically: it is only needed for what has not been checked before. */
export { Ajv } from 'ajv';
export { Ajv2020 } from 'ajv/dist/2020.js';

/** `verbose`: errors hold the value and the schema that they are about, which schema.ts words them from. */
export const OPTIONS = { allErrors: true, verbose: true, strict: false, logger: false } as const;

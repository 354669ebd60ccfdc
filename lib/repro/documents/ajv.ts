/** The JSON Schema library. Import it dynamically: it is needed only for content that has not been checked before. */
export { Ajv } from 'ajv';
export { Ajv2020 } from 'ajv/dist/2020.js';

/** `verbose`: errors contain the value and the schema, from which schema.ts writes its messages. */
export const OPTIONS = { allErrors: true, verbose: true, strict: false, logger: false } as const;

/** Options of ajv. `verbose`: errors contain the value and the schema, from which schema.ts writes its messages. */
export const OPTIONS = { allErrors: true, verbose: true, strict: false, logger: false } as const;

/** The JSON Schema library. Import it dynamically: it is needed only for content that has not been checked before. */
export { Ajv } from 'ajv';
export { Ajv2020 } from 'ajv/dist/2020.js';

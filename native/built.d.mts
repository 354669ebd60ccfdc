/** See built.mjs. */
export class StaleAddonError extends Error {}
export function digestOf(paths: string[]): string;
export function stampOf(output: string): string;
export function requireFresh(name: string): void;

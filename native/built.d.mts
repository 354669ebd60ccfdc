/** See built.mjs. */
export class StaleAddonError extends Error {}
export function digestOf(paths: string[]): string;
export function prebuildDigestOf(name: string): string;
export function prebuildsOf(name: string): string;
export function isPrebuilt(name: string): boolean;
export function stampOf(output: string): string;
export function requireFresh(name: string): void;

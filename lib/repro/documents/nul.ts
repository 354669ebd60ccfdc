/** Finds NUL characters. No command, path, name or environment variable can hold one: the system takes it for their end. */
import { isMapping, type Json } from './json.ts';
import type { KeyPath } from './source-document.ts';

/**
 * The first text in a value that has a NUL character.
 *
 * @returns the path to it, and whether it is the last key of the path or its value; undefined if there is none
 */
export function findNul(value: Json, path: KeyPath = []): { path: KeyPath; part: 'key' | 'value' } | undefined {
  if (typeof value === 'string') return value.includes('\0') ? { path, part: 'value' } : undefined;
  for (const [step, item] of Array.isArray(value) ? value.entries() : isMapping(value) ? Object.entries(value) : []) {
    const inner = [...path, step];
    const found =
      typeof step === 'string' && step.includes('\0') ? ({ path: inner, part: 'key' } as const) : findNul(item, inner);
    if (found !== undefined) return found;
  }
  return undefined;
}

/**
 * `-S key=value`: edits params.yaml (or `file:key=value`) and keeps its comments and layout. `+key=value` adds a key that
 * is not there; `key=@other` takes the value at another key, a mapping being merged into the one that is there.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readText } from './document.ts';
import { ReproError } from './errors.ts';
import { isMapping, type Json, keyPath, lookUp } from './json.ts';
import { suggestion } from './nearest.ts';
import { PARAMS } from './pipeline.ts';
import type { Document } from './yaml.ts';

/** Applies all edits or, when one is wrong, none; throws ReproError. */
export async function editParams(root: string, edits: readonly string[]): Promise<void> {
  const yaml = await import('./yaml.ts');
  const documents = new Map<string, Document>();
  for (const edit of edits) {
    const parts = /^(?:([^=:+@]+\.(?:ya?ml|json)):)?(\+?)([^=]+)=(.*)$/s.exec(edit);
    if (parts === null) throw new ReproError(`-S ${edit}: write -S key=value, or -S file.yaml:key=value`);
    const [, file = PARAMS, plus, key, text] = parts;
    if (!documents.has(file)) {
      const document = yaml.parseDocument(readText(join(root, file), file));
      if (document.errors.length > 0)
        throw new ReproError({
          message: `this is no valid YAML: ${document.errors[0].message.split('\n')[0]}`,
          place: { file },
        });
      documents.set(file, document);
    }
    const document = documents.get(file)!;
    const value = text.startsWith('@')
      ? valueAt(document, file, text.slice(1), edit)
      : parseValue(yaml.parse, text, edit);
    const path = plus ? newPath(document, key.trim(), edit) : knownPath(document, file, key.trim(), edit);
    set(document, path, value, text.startsWith('@'));
  }
  for (const [file, document] of documents) {
    const path = join(root, file);
    const text = file.endsWith('.json')
      ? `${JSON.stringify(document.toJS(), null, 2)}\n`
      : document.toString({ lineWidth: 0 });
    if (text === readFileSync(path, 'utf8')) continue;
    const temporary = `${path}.${process.pid}.tmp`;
    writeFileSync(temporary, text);
    renameSync(temporary, path);
  }
}

function parseValue(parse: (text: string) => unknown, text: string, edit: string): Json {
  try {
    return (text === '' ? '' : parse(text)) as Json;
  } catch (error) {
    throw new ReproError(`-S ${edit}: the value is no valid YAML: ${(error as Error).message.split('\n')[0]}`);
  }
}

function valueAt(document: Document, file: string, key: string, edit: string): Json {
  const found = lookUp(document.toJS(), key);
  if (found.found) return found.value;
  throw new ReproError(
    `-S ${edit}: there is no "${found.missing}" in ${file}${suggestion(found.missing, found.known)}`,
  );
}

function knownPath(document: Document, file: string, key: string, edit: string): (string | number)[] {
  const path = keyPath(document.toJS() ?? {}, key);
  if (Array.isArray(path)) return path;
  throw new ReproError(
    `-S ${edit}: there is no "${path.missing}" in ${file}${suggestion(path.missing, path.known)}; -S +${edit} adds it`,
  );
}

function newPath(document: Document, key: string, edit: string): (string | number)[] {
  const steps = key.split('.');
  const root = (document.toJS() ?? {}) as Json;
  for (let depth = steps.length; depth > 0; depth--) {
    const known = keyPath(root, steps.slice(0, depth).join('.'));
    if (!Array.isArray(known)) continue;
    const at = lookUp(root, steps.slice(0, depth).join('.'));
    if (depth < steps.length && at.found && !isMapping(at.value) && at.value !== null)
      throw new ReproError(
        `-S ${edit}: "${steps.slice(0, depth).join('.')}" is no mapping, so nothing can be added to it`,
      );
    return [...known, ...steps.slice(depth)];
  }
  return steps;
}

function set(document: Document, path: readonly (string | number)[], value: Json, merge: boolean): void {
  if (merge && isMapping(value)) {
    for (const [key, item] of Object.entries(value)) set(document, [...path, key], item, true);
    return;
  }
  const old = document.getIn(path, true) as { value?: unknown } | undefined;
  // Changing the scalar in place keeps the comment beside it.
  if (old && typeof old === 'object' && 'value' in old && (typeof value !== 'object' || value === null)) {
    old.value = value;
    delete (old as { source?: string }).source;
    delete (old as { format?: string }).format;
  } else document.setIn(path, document.createNode(value));
}

/**
 * The commands of a stage. DVC runs each line of a `cmd: |` in a shell of its own, and it inserts values as code. In
 * pipeline.yaml a `cmd: |` is one script, a list has a shell for each entry, and a value is a part of one word unless
 * it is inserted by `${raw:key}`.
 */
import type { YAMLMap } from 'yaml';
import { isMapping, type Json, lookUp } from '../documents/index.ts';
import type { TextEdit } from './dvc-document.ts';
import type { ListContext } from './dvc-paths.ts';

/** The values that a template may have: one, or one for each cell. */
export type PossibleValues = (reference: string) => readonly Json[];

/**
 * The edits of the text of the commands: several lines become a list, and templates for several words become
 * `${raw:key}`.
 */
export function commandEdits(body: YAMLMap, valuesOf: PossibleValues, context: ListContext): TextEdit[] {
  const { document, report, stage, at } = context;
  const node = body.get('cmd', true);
  const commands = (document.list(node)?.items ?? [node]).map((item) => document.scalar(item));
  return commands.flatMap((command): TextEdit[] => {
    if (typeof command?.value !== 'string') return [];
    const written = document.written(command);
    if (written === undefined) return [];
    const changed = insertAsCode(written.text, command.value, valuesOf, context);
    const lines = command.value.split('\n').filter((line) => line.trim() !== '');
    if (document.list(node) !== undefined || lines.length < 2)
      return changed === written.text ? [] : [{ ...written, text: changed }];
    if (!written.isBlock || !lines.every(isWhole)) {
      report.leave(
        `${stage}: the ${lines.length} lines of cmd are one script here, and DVC runs a shell for each; check it`,
        document.place([...at, 'cmd']),
      );
      return changed === written.text ? [] : [{ ...written, text: changed }];
    }
    report.take(`${stage}: the ${lines.length} lines of cmd as a list, with a shell for each, as DVC runs them`);
    const indent = `\n${document.indentAt(written.start)}  - `;
    const commands = changed
      .split('\n')
      .slice(1)
      .filter((line) => line.trim() !== '')
      .map((line) => indent + document.inline(line.trim()));
    return [{ ...written, text: `${commands.join('')}\n` }];
  });
}

/** Whether a line is a command of its own: it does not go on in the next line, nor begin or end a block. */
function isWhole(line: string): boolean {
  if (/\\$|<<|[({]\s*$|(&&|\|\|?|;;)\s*$/.test(line)) return false;
  return !/^\s*(if|then|elif|else|fi|for|while|until|do|done|case|esac|\{|\}|\)|&&|\|)(\s|;|$)/.test(line);
}

/**
 * A command with `${raw:key}` for each template whose value DVC inserts as something else than one word.
 *
 * @param written the command as it stands in the file
 * @param text its value
 */
function insertAsCode(
  written: string,
  text: string,
  valuesOf: PossibleValues,
  { document, report, stage, at }: ListContext,
): string {
  const TEMPLATE = /(?<!\\)\$\{\s*([^}]+?)\s*\}/g;
  const asCode = [...text.matchAll(TEMPLATE)].map(
    ({ 1: reference, index }) => valuesOf(reference).some(isCode) && !isQuoted(text.slice(0, index)),
  );
  const references = new Set<string>();
  let nth = 0;
  const changed = written.replace(TEMPLATE, (template, reference: string) => {
    if (!asCode[nth++]) return template;
    references.add(reference);
    return `\${raw:${reference}}`;
  });
  for (const reference of references)
    report.leave(
      `${stage}: \${raw:${reference}} inserts its value as code, as DVC does, because the value is not one plain word; if it is one argument, write \${${reference}}`,
      document.place([...at, 'cmd']),
    );
  return changed;
}

/** Whether the shell reads something else than one plain word in a value. */
function isCode(value: Json): boolean {
  if (Array.isArray(value)) return value.every((item) => typeof item === 'string');
  return typeof value === 'string' && !/^[\w@%+=:,./-]+$/.test(value);
}

/** Whether a quote is open at the end of a text. */
function isQuoted(before: string): boolean {
  let open = '';
  for (let i = 0; i < before.length; i++) {
    const character = before[i];
    if (character === '\\' && open !== "'") i++;
    else if (open === '' && (character === '"' || character === "'")) open = character;
    else if (character === open) open = '';
  }
  return open !== '';
}

/**
 * The values that templates may have in a stage.
 *
 * @param context the values of params.yaml and vars
 * @param cells the values of `item`; empty for a stage without cells
 */
export function possibleValues(context: Json, cells: readonly Json[]): PossibleValues {
  return (reference) => {
    const isItem = /^item\b/.test(reference);
    const roots = isItem ? cells.map((item) => ({ item })) : [context];
    return roots.flatMap((root) => {
      const found = lookUp(root, reference);
      return found.found ? [found.value] : [];
    });
  };
}

/**
 * The values of `item` in the cells of a definition. In a matrix, only one axis varies at a time: that is enough to
 * find all values of each axis.
 */
export function cellItems(definition: Json, context: Json): Json[] {
  if (!isMapping(definition)) return [];
  const filled = (value: Json): Json => {
    const reference = typeof value === 'string' ? /^\$\{\s*([^}]+?)\s*\}$/.exec(value)?.[1] : undefined;
    if (reference === undefined) return value;
    const found = lookUp(context, reference);
    return found.found ? found.value : null;
  };
  const items = (value: Json): readonly Json[] => {
    const list = filled(value);
    return Array.isArray(list) ? list.map(filled) : isMapping(list) ? Object.values(list) : [];
  };
  if (definition.foreach !== undefined) return [...items(definition.foreach)];
  if (!isMapping(definition.matrix)) return [];
  return Object.entries(definition.matrix).flatMap(([axis, values]) =>
    items(values).map((value) => ({ [axis]: value })),
  );
}

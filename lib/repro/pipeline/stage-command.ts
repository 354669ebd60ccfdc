/**
 * Reads `cmd`: a shell command, `{argv: [program, argument, …]}`, or a list of these. Templates become parts of words,
 * so a value cannot add words or code. `${raw:key}` inserts a value as code.
 */
import { isMapping, type Json, type KeyPath, show } from '../documents/index.ts';
import { ReproError } from '../messages/index.ts';
import { fillInScript, quoteWord, type ScriptPart } from '../shell/index.ts';
import { commandOptions } from './command-options.ts';
import type { StageCommand } from './pipeline.ts';
import {
  type Context,
  fillIn,
  type Piece,
  plainText,
  resolveReference,
  splitTemplates,
  type Written,
} from './template.ts';

/** Runs the reading of a part of a value. An error of it gets the place of the part. */
type At = <T>(path: KeyPath, read: () => T) => T;

const RAW = 'raw:';

/**
 * The commands of a stage, in order.
 *
 * @param cmd the value in pipeline.yaml, which the schema allows
 * @throws ReproError if a template cannot be filled in
 */
export function readCommands(cmd: Json, context: Context, at: At): StageCommand[] {
  const read = (entry: Json, path: KeyPath): StageCommand[] => {
    if (!isMapping(entry)) return at(path, () => readScripts(entry, context));
    const atArguments: At = (inner, work) => at([...path, 'argv', ...inner], work);
    return [{ argv: readArguments(entry.argv, context, atArguments) }];
  };
  return Array.isArray(cmd) ? cmd.flatMap((entry, i) => read(entry, [i])) : read(cmd, []);
}

/** The shell command; several for a raw list. */
function readScripts(cmd: Json, context: Context): string[] {
  const text = String(cmd);
  const pieces = splitTemplates(text);
  const [only] = pieces;
  if (pieces.length === 1 && 'reference' in only) {
    const value = resolveReference(nameIn(only.reference), context, only);
    if (Array.isArray(value) && isRaw(only.reference)) return value.map((command) => plainText(command, 'a command'));
    if (Array.isArray(value))
      throw new ReproError({
        message: `\${${only.reference}} is a list; write \${raw:${only.reference}} if it holds commands that run in order`,
        template: only,
      });
  }
  return [
    fillInScript(
      pieces.flatMap((piece, i): ScriptPart[] => {
        if ('text' in piece) return [piece.text];
        const found = resolveReference(nameIn(piece.reference), context, piece);
        if (Array.isArray(found))
          throw new ReproError({
            message: `\${${piece.reference}} is a list, which cannot be part of a word; as an entry of {argv: […]} it is several arguments`,
            template: piece,
          });
        if (isMapping(found)) {
          if (!isWord(pieces, i))
            throw new ReproError({
              message: `\${${piece.reference}} is a mapping, which cannot be part of a text; between blanks it is options`,
              template: piece,
            });
          return optionParts(found, piece);
        }
        const value = plainText(found, `\${${piece.reference}}`, piece);
        return [isRaw(piece.reference) ? value : { value, reference: piece.reference, nth: piece.nth }];
      }),
    ),
  ];
}

/** Whether a template stands between blanks, or at the end of a command. */
function isWord(pieces: readonly Piece[], i: number): boolean {
  const textAt = (index: number) => {
    const piece = pieces[index];
    return piece === undefined ? '' : 'text' in piece ? piece.text : '$';
  };
  return /(^|\s)$/.test(textAt(i - 1)) && /^($|[\s;|&<>)])/.test(textAt(i + 1));
}

/** A mapping as the options of a command. Names are code, and values are quoted where they need it. */
function optionParts(mapping: { readonly [key: string]: Json }, template: Written): ScriptPart[] {
  const { reference, nth } = template;
  const parts = withTemplate(template, () => commandOptions(mapping, `\${${reference}}`)).flatMap(
    ({ name, values }) => [` ${name}`, ...values.flatMap((value): ScriptPart[] => [' ', { value, reference, nth }])],
  );
  return typeof parts[0] === 'string' ? [parts[0].slice(1), ...parts.slice(1)] : parts;
}

/** Adds the faulty template to an error. */
function withTemplate<T>(template: Written, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof ReproError)) throw error;
    throw new ReproError(error.problems.map((problem) => ({ ...problem, template })));
  }
}

function isRaw(reference: string): boolean {
  return reference.startsWith(RAW);
}

function nameIn(reference: string): string {
  return isRaw(reference) ? reference.slice(RAW.length).trim() : reference;
}

/** The program and its arguments. An entry that is one template may stand for a list of arguments. */
function readArguments(argv: Json, context: Context, at: At): string[] {
  const read = (entry: Json, path: KeyPath) =>
    at(path, () => {
      const value = fillIn(entry, context);
      if (isMapping(value)) return commandOptions(value, show(entry)).flatMap(({ name, values }) => [name, ...values]);
      return (Array.isArray(value) ? value : [value]).map((word) => plainText(word, `${show(entry)}, an argument,`));
    });
  const words = Array.isArray(argv) ? argv.flatMap((entry, i) => read(entry, [i])) : read(argv, []);
  return at([], () => {
    if (words.length === 0 || words[0] === '') throw new ReproError('argv needs a program as its first entry');
    if (words[0].startsWith('-')) throw new ReproError(`argv begins with the program, but "${words[0]}" is an option`);
    return words;
  });
}

/** A command as shell text, for people. A command of a lock that was edited may have another form. */
export function commandText(command: StageCommand): string {
  if (typeof command === 'string') return command;
  return Array.isArray(command?.argv) ? command.argv.map((word) => quoteWord(String(word))).join(' ') : show(command);
}

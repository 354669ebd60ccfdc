/**
 * A mapping in a command as options, in the form that DVC gives them:
 *
 *   {lr: 0.1, opt: {name: adam}, sizes: [1, 2], fast: true, dry: false}  →  --lr 0.1 --opt.name adam --sizes 1 2 --fast
 */
import { isMapping, type Json } from '../documents/index.ts';
import { ReproError } from '../messages/index.ts';

/** An option of a command with its arguments. */
export interface CommandOption {
  /** `--lr` */
  name: string;
  values: string[];
}

/** Names that every program and shell reads as one word. */
const NAME = /^[A-Za-z0-9_][\w.-]*$/;

/**
 * The options that a mapping stands for. An option that is false is left out.
 *
 * @param what the name of the mapping, for messages
 * @throws ReproError if a key cannot be an option, or a value cannot be an argument
 */
export function commandOptions(mapping: { readonly [key: string]: Json }, what: string, prefix = ''): CommandOption[] {
  return Object.entries(mapping).flatMap(([key, value]): CommandOption[] => {
    const name = `${prefix}${key}`;
    const fault = (why: string) => new ReproError(`${what} is a mapping, but ${name} in it ${why}`);
    if (!NAME.test(key)) throw fault('cannot be the name of an option');
    if (isMapping(value)) return commandOptions(value, what, `${name}.`);
    if (value === null) throw fault('is empty; give it a value, or leave it out');
    if (typeof value === 'boolean') return value ? [{ name: `--${name}`, values: [] }] : [];
    const values = Array.isArray(value) ? value : [value];
    if (values.length === 0) return [];
    if (values.some((item) => item === null || Array.isArray(item) || isMapping(item)))
      throw fault('has a list or a mapping in its list, which cannot be an argument');
    return [{ name: `--${name}`, values: values.map(String) }];
  });
}

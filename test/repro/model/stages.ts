/**
 * The random pipelines as data, the plain list of their stages, and what their commands do.
 *
 * Every command is `sh make.sh WORD…`. make.sh and `execute` do the same: the first in the real project, the second in
 * memory. All outputs are pure functions of the inputs that the words name.
 */
import { posix } from 'node:path';
import { sha256, type Tree, touches } from './tree.ts';

/** A value of params.yaml. */
export type Value = number | string | boolean | null | Value[] | { [key: string]: Value };

/** A definition under `stages:`. Only the keys that the model knows. */
export interface Definition {
  cmd?: string | string[];
  deps?: (string | { [path: string]: { optional: true } })[];
  code?: string[];
  params?: (string | { [file: string]: string[] | null })[];
  outs?: (string | { [path: string]: { cache?: false; persist?: true } })[];
  metrics?: Definition['outs'];
  plots?: Definition['outs'];
  env?: { [name: string]: string };
  matrix?: { [axis: string]: string };
  foreach?: string;
  do?: Definition;
  wdir?: string;
  checkpoint?: string;
  frozen?: true;
  always_changed?: true;
}

/** A pipeline.yaml. */
export interface Pipeline {
  stages: { [name: string]: Definition };
}

/** One stage, with all templates filled in. All paths are relative to the project. */
export interface PlainStage {
  name: string;
  group: string;
  cmd: string[];
  wdir: string;
  env: { [name: string]: string };
  deps: { path: string; optional: boolean }[];
  code: string[];
  /** `keys` is undefined for the whole file. */
  params: { file: string; keys?: string[] }[];
  outs: { path: string; persist: boolean; cache: boolean }[];
  checkpoint?: string;
  frozen: boolean;
  alwaysChanged: boolean;
}

/** The value at a dotted key; undefined if there is none. */
export function lookUp(value: Value | undefined, key: string): Value | undefined {
  let found: Value | undefined = value;
  for (const part of key.split('.')) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, part)) return undefined;
    found = (found as { [key: string]: Value })[part];
  }
  return found;
}

/** All stages of a pipeline, in the order of the file. */
export function expand(pipeline: Pipeline, params: Value): PlainStage[] {
  return Object.entries(pipeline.stages).flatMap(([group, definition]) => {
    if (definition.foreach !== undefined) {
      const items = fillIn(definition.foreach, params, undefined) as Value[];
      return items.map((item) => read(`${group}@${item}`, group, definition.do!, params, item));
    }
    if (definition.matrix === undefined) return [read(group, group, definition, params, undefined)];
    let cells: { [axis: string]: Value }[] = [{}];
    for (const [axis, values] of Object.entries(definition.matrix)) {
      const list = fillIn(values, params, undefined) as Value[];
      cells = cells.flatMap((cell) => list.map((value) => ({ ...cell, [axis]: value })));
    }
    return cells.map((item) => read(`${group}@${Object.values(item).join('-')}`, group, definition, params, item));
  });
}

/** Replaces `${key}` by the value of params.yaml, and `${item…}` by that of the cell. */
function fillIn(text: string, params: Value, item: Value | undefined): Value {
  const valueAt = (key: string) =>
    key === 'item' ? item! : key.startsWith('item.') ? lookUp(item, key.slice(5))! : lookUp(params, key)!;
  const whole = /^\$\{([\w.]+)\}$/.exec(text);
  if (whole) return valueAt(whole[1]);
  return text.replace(/\$\{([\w.]+)\}/g, (_, key: string) => String(valueAt(key)));
}

function read(name: string, group: string, d: Definition, params: Value, item: Value | undefined): PlainStage {
  const fill = (text: string) => String(fillIn(text, params, item));
  const wdir = d.wdir ?? '.';
  const place = (path: string) => posix.normalize(posix.join(wdir, fill(path)));
  const entries = <T>(list: readonly (string | { [path: string]: T })[] = []) =>
    list.flatMap((entry): [string, T | undefined][] =>
      typeof entry === 'string' ? [[entry, undefined]] : Object.entries(entry),
    );
  const byFile = new Map<string, string[] | undefined>();
  for (const entry of d.params ?? []) {
    if (typeof entry === 'string') {
      const file = place('params.yaml');
      if (!byFile.has(file) || byFile.get(file) !== undefined) byFile.set(file, [...(byFile.get(file) ?? []), entry]);
    } else for (const [file, keys] of Object.entries(entry)) byFile.set(place(file), keys ?? undefined);
  }
  return {
    name,
    group,
    wdir,
    cmd: [d.cmd!].flat().map(fill),
    env: Object.fromEntries(Object.entries(d.env ?? {}).map(([key, value]) => [key, fill(value)])),
    deps: entries(d.deps).map(([path, options]) => ({ path: place(path), optional: options?.optional === true })),
    code: (d.code ?? []).map(place),
    params: [...byFile].map(([file, keys]) => (keys === undefined ? { file } : { file, keys })),
    outs: [...entries(d.outs), ...entries(d.metrics), ...entries(d.plots)].map(([path, options]) => ({
      path: place(path),
      persist: options?.persist === true,
      cache: options?.cache !== false,
    })),
    ...(d.checkpoint === undefined ? {} : { checkpoint: place(d.checkpoint) }),
    frozen: d.frozen === true,
    alwaysChanged: d.always_changed === true,
  };
}

/** The stages that write what a stage reads. */
export function upstreamOf(stage: PlainStage, stages: readonly PlainStage[]): PlainStage[] {
  const reads = [...stage.deps.map(({ path }) => path), ...stage.code, ...stage.params.map(({ file }) => file)];
  return stages.filter(
    (other) => other !== stage && other.outs.some(({ path }) => reads.some((read) => touches(read, path))),
  );
}

/** The stages in an order in which each comes after those it needs. */
export function inOrder(stages: readonly PlainStage[]): PlainStage[] {
  const order: PlainStage[] = [];
  const visit = (stage: PlainStage) => {
    if (order.includes(stage)) return;
    for (const other of upstreamOf(stage, stages)) visit(other);
    order.push(stage);
  };
  stages.forEach(visit);
  return order;
}

/** The shell script that all commands call. `execute` does the same in memory. */
export const MAKE_SH = `# sh make.sh WORD…
#   in:PATH       reads a file or a folder          val:TEXT      reads this text
#   param:F:KEY   reads a line "KEY: value" of F    coarse        makes only two different results
#   out:PATH      writes a file                     dir:PATH      writes a folder
#   ckpt:PATH     keeps a checkpoint
# Inputs that hold "fail" make it fail after its first output. With "forget", it leaves out its first output.
set -e
all=$(
  for word; do
    case $word in
      in:*)
        echo "$word"
        path=\${word#in:}
        if [ -d "$path" ]; then
          find "$path" -type f | LC_ALL=C sort | while read -r file; do echo "$file"; cat "$file"; done
        elif [ -e "$path" ]; then cat "$path"; fi ;;
      val:*) echo "$word" ;;
      param:*) rest=\${word#param:}; sed -n "s/^ *\${rest#*:}: *//p" "\${rest%%:*}" ;;
    esac
  done
  echo .
)
digest=$(printf %s "$all" | sha256sum | cut -c1-16)
for word; do
  case $word in
    coarse) case $digest in [0-7]*) digest=low ;; *) digest=high ;; esac ;;
    ckpt:*)
      path=\${word#ckpt:}
      if [ -e "$path" ] && [ "$(cat "$path")" != "$digest" ]; then digest=WRONG; fi
      echo "$digest" > "$path" ;;
  esac
done
case $all in *fail*) bad=fail ;; *forget*) bad=forget ;; *) bad= ;; esac
pause() { [ -z "$MODEL_PAUSE" ] || sleep "$MODEL_PAUSE"; }
pause
for word; do
  path=\${word#*:}
  case $word in
    out:*|dir:*) if [ "$bad" = forget ]; then bad=; continue; fi ;;
  esac
  case $word in
    out:*.json) echo "{\\"value\\": \\"$digest\\"}" > "$path" ;;
    out:*.csv) printf 'step,value\\n1,%s\\n' "$digest" > "$path" ;;
    out:*) echo "$digest $path" > "$path" ;;
    dir:*)
      mkdir -p "$path/sub"
      echo "$digest 1" > "$path/one.txt"
      pause
      echo "$digest 2" > "$path/sub/two.txt"
      case $digest in [0-7]*|low) echo "$digest 3" > "$path/three.txt" ;; esac
      case $digest in *[02468ace]|high) chmod +x "$path/one.txt" ;; esac ;;
    *) continue ;;
  esac
  [ "$bad" != fail ] || exit 3
  pause
done
`;

/** Runs the commands of a stage in memory. Returns whether they succeeded. */
export function execute(stage: PlainStage, tree: Tree): boolean {
  return stage.cmd.every((cmd) => make(cmd.split(' ').slice(2), stage.wdir, tree));
}

/** What make.sh does. */
function make(words: readonly string[], wdir: string, tree: Tree): boolean {
  const place = (path: string) => posix.normalize(posix.join(wdir, path));
  let all = '';
  for (const word of words) {
    const [kind, path, key] = word.split(':');
    if (kind === 'val') all += `${word}\n`;
    if (kind === 'param') {
      const line = new RegExp(`^ *${key}: *(.*)$`, 'gm');
      for (const [, value] of tree.text(place(path)).matchAll(line)) all += `${value}\n`;
    }
    if (kind !== 'in') continue;
    all += `${word}\n`;
    if (tree.isFolder(place(path))) {
      const names = tree.filePaths.filter((name) => name.startsWith(`${place(path)}/`));
      for (const name of names.sort()) all += `${path}${name.slice(place(path).length)}\n${tree.text(name)}`;
    } else all += tree.text(place(path));
  }
  all += '.';
  let digest = sha256(all).slice(0, 16);
  for (const word of words) {
    const path = word.slice(word.indexOf(':') + 1);
    if (word === 'coarse') digest = /^[0-7]/.test(digest) ? 'low' : 'high';
    if (!word.startsWith('ckpt:')) continue;
    if (tree.has(place(path)) && tree.text(place(path)) !== `${digest}\n`) digest = 'WRONG';
    tree.write(place(path), `${digest}\n`);
  }
  let bad = all.includes('fail') ? 'fail' : all.includes('forget') ? 'forget' : '';
  for (const word of words) {
    if (!word.startsWith('out:') && !word.startsWith('dir:')) continue;
    if (bad === 'forget') {
      bad = '';
      continue;
    }
    const path = word.slice(4);
    const target = place(path);
    // The shell cannot write a file over a folder, nor a folder over a file.
    if (tree.has(target) && tree.isFolder(target) !== word.startsWith('dir:')) return false;
    if (word.startsWith('dir:')) {
      tree.addFolder(`${target}/sub`);
      tree.write(`${target}/one.txt`, `${digest} 1\n`);
      tree.write(`${target}/sub/two.txt`, `${digest} 2\n`);
      if (/^([0-7]|low)/.test(digest)) tree.write(`${target}/three.txt`, `${digest} 3\n`);
      if (/([02468ace]|high)$/.test(digest)) tree.write(`${target}/one.txt`, `${digest} 1\n`, true);
    } else if (path.endsWith('.json')) tree.write(target, `{"value": "${digest}"}\n`);
    else if (path.endsWith('.csv')) tree.write(target, `step,value\n1,${digest}\n`);
    else tree.write(target, `${digest} ${path}\n`);
    if (bad === 'fail') return false;
  }
  return true;
}

/**
 * `.reproignore`: names which files inside a folder do not count as part of it, in the syntax of gitignore. A file
 * beside pipeline.yaml holds for all folders, and one in a subfolder for what is below it. As in git, the last pattern
 * that matches decides, a deeper file decides before one above it, and nothing in an ignored folder counts.
 *
 *   const rules = await ignore.above('/p/src');     // a stage depends on src, so the folder itself always counts
 *   rules.ignores('__pycache__', true)              // true
 *   rules.inside('gen', text)                       // the rules in /p/src/gen, which holds a .reproignore with this text
 *
 * A file in an output of a stage is not read: data must not decide what counts.
 */
import type { Ignore, Pattern } from 'ignore';
import { describeError, ReproError } from '../messages/index.ts';
import type { StatSnapshot } from './stat-snapshot.ts';

/** The name of the files. */
export const IGNORE_FILE = '.reproignore';

/** Files that interpreters, editors and file managers create. A pattern such as `!*.swp` cancels one of these. */
export const DEFAULT_PATTERNS = [
  '__pycache__/',
  '*.pyc',
  '.ipynb_checkpoints/',
  '.DS_Store',
  '*.swp',
  '*.swo',
  '*~',
  '.#*',
  '\\#*#',
  '.~lock.*#',
  '~$*',
];

/** No other name matches a default pattern. The library takes a microsecond for a name, this a tenth of it. */
const MAY_MATCH_DEFAULT = /^[._#~]|~$|\.(pyc|sw[po])$/;

/** The library remembers each name that it has tested. After this many, a level starts again. */
const MAX_REMEMBERED = 1024;

/** The patterns of one file. Paths are relative to its folder; that of a folder ends with a slash. */
class Patterns {
  #matcher: Ignore;
  readonly #make: () => Ignore;
  #tested = 0;

  constructor(make: () => Ignore, patterns: Pattern | readonly Pattern[]) {
    this.#make = make;
    this.#matcher = make().add(patterns);
  }

  /** Whether the last pattern that matches says to ignore it or to take it back; undefined if none matches. */
  verdict(path: string): 'ignored' | 'taken back' | undefined {
    if (++this.#tested % MAX_REMEMBERED === 0) this.#matcher = this.#make().add(this.#matcher);
    const { ignored, unignored } = this.#matcher.test(path);
    return ignored ? 'ignored' : unignored ? 'taken back' : undefined;
  }

  /** The same patterns, but what is in this folder counts unless a pattern matches it itself. */
  withFolder(path: string): Patterns {
    return new Patterns(this.#make, [this.#matcher, `!/${literally(path)}`]);
  }
}

/** The patterns of one file, seen from a folder. */
interface Level {
  patterns: Patterns;
  /** The folder, relative to that of the file: '' or `a/b/`. */
  prefix: string;
}

/** The rules for the entries of one folder. */
export class FolderRules {
  readonly #make: () => Ignore;
  readonly #defaults: Patterns;
  /** The deepest file first. */
  readonly #levels: readonly Level[];

  constructor(make: () => Ignore, defaults: Patterns, levels: readonly Level[] = []) {
    this.#make = make;
    this.#defaults = defaults;
    this.#levels = levels;
  }

  /** Whether an entry of the folder does not count. */
  ignores(name: string, isFolder: boolean): boolean {
    const path = isFolder ? `${name}/` : name;
    for (const { patterns, prefix } of this.#levels) {
      const verdict = patterns.verdict(prefix + path);
      if (verdict !== undefined) return verdict === 'ignored';
    }
    return MAY_MATCH_DEFAULT.test(name) && this.#defaults.verdict(path) === 'ignored';
  }

  /** The rules in a folder that is in this one and counts, whatever the patterns say of the folder itself. */
  inside(name: string): FolderRules {
    const levels = this.#levels.map(({ patterns, prefix }): Level => {
      const folder = `${prefix}${name}/`;
      // A file's patterns ignore all that is in a folder that they ignore.
      const isTakenBack = patterns.verdict(folder) === 'ignored';
      return { patterns: isTakenBack ? patterns.withFolder(folder) : patterns, prefix: folder };
    });
    return new FolderRules(this.#make, this.#defaults, levels);
  }

  /** These rules and the patterns of a file in the folder. */
  with(patterns: string): FolderRules {
    const level: Level = { patterns: new Patterns(this.#make, patterns), prefix: '' };
    return new FolderRules(this.#make, this.#defaults, [level, ...this.#levels]);
  }
}

/** A pattern that matches this path alone. */
function literally(path: string): string {
  return path.replace(/[\\*?[\]!# ]/g, '\\$&');
}

/** Reads the ignore files of a project, those above a folder once until `forget`. */
export class IgnoreRules {
  readonly #root: string;
  readonly #snapshot: StatSnapshot;
  readonly #isOutput: (folder: string) => boolean;
  /** The rules in a folder with those of its own file, by the folder's absolute path. */
  readonly #known = new Map<string, FolderRules>();
  #start: FolderRules | undefined;

  /** `isOutput`: whether a stage makes the file or folder at this absolute path. */
  constructor(root: string, snapshot: StatSnapshot, isOutput: (path: string) => boolean) {
    this.#root = root;
    this.#snapshot = snapshot;
    this.#isOutput = isOutput;
  }

  /** Call this when files may have changed. */
  forget(): void {
    this.#known.clear();
  }

  /**
   * The rules for what is in a folder, without those of a file in the folder itself: `withOwn` adds these.
   *
   * @param folder an absolute path
   * @throws ReproError if a file above the folder cannot be read
   */
  async above(folder: string): Promise<FolderRules> {
    this.#start ??= await startingRules();
    if (!folder.startsWith(`${this.#root}/`)) return this.#start;
    const slash = folder.lastIndexOf('/');
    const parent = folder.slice(0, slash);
    let rules = this.#known.get(parent);
    if (rules === undefined) {
      rules = this.withOwn(parent, await this.above(parent));
      this.#known.set(parent, rules);
    }
    return rules.inside(folder.slice(slash + 1));
  }

  /**
   * Adds the patterns of the file in a folder, if it has one and lies in the project, but in no output.
   *
   * @throws ReproError if the file cannot be read
   */
  withOwn(folder: string, rules: FolderRules): FolderRules {
    for (let at = folder; at !== this.#root; at = at.slice(0, at.lastIndexOf('/')))
      if (!at.startsWith(`${this.#root}/`) || this.#isOutput(at)) return rules;
    const path = `${folder}/${IGNORE_FILE}`;
    try {
      const bytes = this.#snapshot.read(path);
      return bytes === undefined ? rules : rules.with(bytes.toString('utf8'));
    } catch (error) {
      throw new ReproError(`${path.slice(this.#root.length + 1)} cannot be read: ${describeError(error)}`);
    }
  }
}

async function startingRules(): Promise<FolderRules> {
  const { default: ignore } = await import('ignore');
  const make = () => ignore({ ignorecase: false });
  return new FolderRules(make, new Patterns(make, DEFAULT_PATTERNS));
}

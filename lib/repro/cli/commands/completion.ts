/**
 * `repro completion bash|zsh|fish`: prints a completion script. The script holds the names of commands and options, and
 * calls repro for the names of stages.
 */
import type { Command } from 'commander';
import { print } from '../output.ts';

/**
 * Shell code that prints the names of all stages, or nothing without a pipeline. `dag --json` is quick and writes no
 * files.
 */
const PRINT_STAGES = `repro dag --json 2>/dev/null | sed -n 's/^      "name": "\\(.*\\)",\\{0,1\\}$/\\1/p'`;

/** The words that may follow a command. */
interface Completions {
  /** The name of the command; '' for `repro` without a command. */
  command: string;
  words: string[];
  takesStages: boolean;
}

/**
 * Prints the completion script of a shell.
 *
 * @param program all commands and options, as program.ts defines them
 * @returns the exit code, 0
 */
export function completion(shell: 'bash' | 'zsh' | 'fish', program: Command): number {
  const scripts = { bash: bashScript, zsh: zshScript, fish: fishScript };
  print(scripts[shell](program, [completionsOf(program), ...shownCommands(program).map(completionsOf)]));
  return 0;
}

/** All commands but the hidden one that jobs run. */
function shownCommands(program: Command): Command[] {
  return program.commands.filter((command) => command.name() !== 'attempt');
}

/** Options of subcommands, such as those of `metrics diff`, are offered after `metrics` too. */
function completionsOf(command: Command): Completions {
  const subcommands = command.parent === null ? [] : command.commands;
  const options = [command, ...subcommands].flatMap(({ options }) =>
    options.flatMap(({ long, short }) => [long, short]),
  );
  const choices = command.registeredArguments.flatMap(({ argChoices }) => argChoices ?? []);
  return {
    command: command.parent === null ? '' : command.name(),
    words: [...new Set([...shownCommands(command).map((each) => each.name()), ...choices, ...options])].filter(
      (word) => word != null,
    ),
    takesStages: command.registeredArguments.some((argument) => /^(target|stage)$/.test(argument.name())),
  };
}

/** The branches of a shell's `case` over commands. Each sets `offers` and, if the command takes stages, `stages`. */
function caseBranches(all: readonly Completions[]): string {
  return all
    .map(({ command, words, takesStages }) => {
      const set = `offers="${words.join(' ')}"${takesStages ? ' stages=yes' : ''}`;
      return `    ${command === '' ? "''" : command}) ${set} ;;`;
    })
    .join('\n');
}

/** The names of all commands, as a pattern for a shell's `case`. */
const commandNames = (program: Command) =>
  shownCommands(program)
    .map((command) => command.name())
    .join('|');

function bashScript(program: Command, all: readonly Completions[]): string {
  return `_repro() {
  local line=\${COMP_LINE:0:COMP_POINT} word command= offers= stages=
  local current=\${line##*[[:space:]]}
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case $word in ${commandNames(program)}) command=$word; break ;; esac
  done
  case $command in
${caseBranches(all)}
  esac
  # bash also splits words at @ and replaces only the last part.
  local before=\${current%"$2"} offer quoted
  COMPREPLY=()
  # A stage's name is data: compgen -W would run code in it. It is quoted, so that the command line does not run it either.
  while IFS= read -r offer; do
    printf -v quoted %q "$offer"
    if [[ -n $offer && ( $quoted == "$current"* || $offer == "$current"* ) ]]; then
      COMPREPLY+=("\${quoted#"$before"}")
    fi
  done < <(printf '%s\\n' $offers; [ -z "$stages" ] || ${PRINT_STAGES})
}
complete -o default -F _repro repro
`;
}

function zshScript(program: Command, all: readonly Completions[]): string {
  return `#compdef repro
_repro() {
  local word command= offers= stages=
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case $word in (${commandNames(program)}) command=$word; break ;; esac
  done
  case $command in
${caseBranches(all)}
  esac
  compadd -- \${=offers}
  [[ -z $stages ]] || compadd -- \${(f)"$(${PRINT_STAGES})"}
  _files
}
compdef _repro repro
`;
}

function fishScript(program: Command, all: readonly Completions[]): string {
  const quote = (text: string) => `'${text.replace(/[\\']/g, '\\$&')}'`;
  const names = commandNames(program).replaceAll('|', ' ');
  const lines = all.flatMap(({ command, words, takesStages }) => {
    const when =
      command === '' ? `-n 'not __fish_seen_subcommand_from ${names}'` : `-n '__fish_seen_subcommand_from ${command}'`;
    return [
      `complete -c repro ${when} -a ${quote(words.join(' '))}`,
      ...(takesStages ? [`complete -c repro ${when} -a ${quote(`(${PRINT_STAGES})`)}`] : []),
    ];
  });
  const help = shownCommands(program).map(
    (each) => `complete -c repro -n __fish_use_subcommand -a ${each.name()} -d ${quote(each.description())}`,
  );
  return `${[...lines, ...help].join('\n')}\n`;
}

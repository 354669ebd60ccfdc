/** `repro completion bash|zsh|fish`: a script for the shell; names of stages are asked of repro as one types. */
import type { Command } from 'commander';

/** `dag --json` touches nothing and is quick; where there is no pipeline it completes nothing. */
const STAGES = `repro dag --json 2>/dev/null | sed -n 's/^      "name": "\\(.*\\)",\\{0,1\\}$/\\1/p'`;

/** What may follow a command, or repro itself. */
interface Words {
  /** '' for repro itself. */
  command: string;
  words: string[];
  takesStages: boolean;
}

export function completion(shell: 'bash' | 'zsh' | 'fish', program: Command): number {
  const scripts = { bash: bashScript, zsh: zshScript, fish: fishScript };
  process.stdout.write(scripts[shell](program, [wordsAfter(program), ...program.commands.map(wordsAfter)]));
  return 0;
}

function wordsAfter(command: Command): Words {
  const nested = command.parent === null ? [] : command.commands;
  const options = [command, ...nested].flatMap(({ options }) => options.flatMap(({ long, short }) => [long, short]));
  const choices = command.registeredArguments.flatMap(({ argChoices }) => argChoices ?? []);
  return {
    command: command.parent === null ? '' : command.name(),
    words: [...new Set([...command.commands.map((each) => each.name()), ...choices, ...options])].filter(
      (word) => word != null,
    ),
    takesStages: command.registeredArguments.some((argument) => /^(target|stage)$/.test(argument.name())),
  };
}

/** A shell's `case` over commands; sets `offers` and, where a stage may stand, `stages`. */
function cases(all: readonly Words[]): string {
  return all
    .map(({ command, words, takesStages }) => {
      const set = `offers="${words.join(' ')}"${takesStages ? ' stages=yes' : ''}`;
      return `    ${command === '' ? "''" : command}) ${set} ;;`;
    })
    .join('\n');
}

const commandNames = (program: Command) => program.commands.map((command) => command.name()).join('|');

function bashScript(program: Command, all: readonly Words[]): string {
  return `_repro() {
  local line=\${COMP_LINE:0:COMP_POINT} word command= offers= stages=
  local current=\${line##*[[:space:]]}
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case $word in ${commandNames(program)}) command=$word; break ;; esac
  done
  case $command in
${cases(all)}
  esac
  [ -z "$stages" ] || offers="$offers $(${STAGES})"
  COMPREPLY=($(compgen -W "$offers" -- "$current"))
  # bash also parts words at @, and replaces only the last part.
  local before=\${current%"$2"}
  COMPREPLY=("\${COMPREPLY[@]#"$before"}")
}
complete -o default -F _repro repro
`;
}

function zshScript(program: Command, all: readonly Words[]): string {
  return `#compdef repro
_repro() {
  local word command= offers= stages=
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case $word in (${commandNames(program)}) command=$word; break ;; esac
  done
  case $command in
${cases(all)}
  esac
  compadd -- \${=offers}
  [[ -z $stages ]] || compadd -- \${(f)"$(${STAGES})"}
  _files
}
compdef _repro repro
`;
}

function fishScript(program: Command, all: readonly Words[]): string {
  const quote = (text: string) => `'${text.replace(/[\\']/g, '\\$&')}'`;
  const names = commandNames(program).replaceAll('|', ' ');
  const lines = all.flatMap(({ command, words, takesStages }) => {
    const when =
      command === '' ? `-n 'not __fish_seen_subcommand_from ${names}'` : `-n '__fish_seen_subcommand_from ${command}'`;
    return [
      `complete -c repro ${when} -a ${quote(words.join(' '))}`,
      ...(takesStages ? [`complete -c repro ${when} -a ${quote(`(${STAGES})`)}`] : []),
    ];
  });
  const help = program.commands.map(
    (each) => `complete -c repro -n __fish_use_subcommand -a ${each.name()} -d ${quote(each.description())}`,
  );
  return `${[...lines, ...help].join('\n')}\n`;
}

/** `repro completion bash|zsh|fish`: a script for the shell; names of stages are asked of repro as one types. */
import type { Command } from 'commander';

export function completion(shell: 'bash' | 'zsh' | 'fish', program: Command): number {
  const commands = program.commands.map((command) => command.name());
  const options = program.options.flatMap(({ long, short }) =>
    [long, short].filter((flag) => flag !== undefined && flag !== null),
  );
  const words = [...commands, ...options].join(' ');
  // `dag --json` touches nothing and is quick; where there is no pipeline it completes nothing.
  const stages = `repro dag --json 2>/dev/null | sed -n 's/^      "name": "\\(.*\\)",\\{0,1\\}$/\\1/p'`;
  const scripts = {
    bash: `_repro() {
  COMPREPLY=($(compgen -W "${words} $(${stages})" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _repro repro
`,
    zsh: `#compdef repro
_repro() {
  compadd -- ${words} \${(f)"$(${stages})"}
  _files
}
compdef _repro repro
`,
    fish: `complete -c repro -a "${commands.join(' ')}"
complete -c repro -a "(${stages})"
${program.options
  .filter(({ long }) => long)
  .map(({ long, description }) => `complete -c repro -l ${long!.slice(2)} -d '${description.replaceAll("'", "\\'")}'`)
  .join('\n')}
`,
  };
  process.stdout.write(scripts[shell]);
  return 0;
}

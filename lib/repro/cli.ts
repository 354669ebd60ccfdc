/**
 * The `repro` command. Only what the call needs is loaded: see program.ts for the commands themselves.
 */
import module from 'node:module';

// Node ≥ 22 keeps compiled code between starts.
(module as { enableCompileCache?: () => void }).enableCompileCache?.();

const { runProgram } = await import('./program.ts');
process.exitCode = await runProgram(process.argv.slice(2));

// Runs calls of repro one after another in one process; kept-repro.ts starts it. Loading repro and warming it up takes
// most of the time of a call, and this process does it once. Each call runs the entry file of the bundle anew, in the
// folder and with the arguments and variables that the message gives.
import { pathToFileURL } from 'node:url';

process.on('message', async ({ bundle, args, folder, variables, call, mark }) => {
  process.chdir(folder);
  for (const name of Object.keys(process.env)) if (!(name in variables)) delete process.env[name];
  Object.assign(process.env, variables);
  process.argv = [process.execPath, bundle, ...args];
  process.exitCode = undefined;
  try {
    await import(`${pathToFileURL(bundle)}?call=${call}`);
  } catch (error) {
    console.error(error);
    process.exitCode = 1;
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.removeAllListeners(signal);
  for (const stream of [process.stdout, process.stderr]) {
    stream.removeAllListeners('error');
    stream.write(mark);
  }
  process.chdir('/'); // The folder of the call can be removed.
  process.send({ exit: process.exitCode ?? 0 });
});
process.on('disconnect', () => process.exit());

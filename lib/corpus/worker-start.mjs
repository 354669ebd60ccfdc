/** Starts worker.ts in a thread: the sources are TypeScript, and a thread does not inherit the process's way to load them. */
import { register } from 'tsx/esm/api';

register();
await import('./worker.ts');

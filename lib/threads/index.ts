/**
 * Worker threads that run TypeScript: `bundleProgram` turns a small program and everything it imports into one script,
 * and `startThread` runs that script in a thread. See threads.ts.
 */
export { bundleProgram, startThread } from './threads.ts';

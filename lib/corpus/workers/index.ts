export { codeOf, runTasks } from './workers.ts';

export { Command, type CommandResult } from './command.ts';
export { PeakMemory } from './peak-memory.ts';
export { endOrphans, Groups } from './process-groups.ts';
export { startOf } from './process-table.ts';

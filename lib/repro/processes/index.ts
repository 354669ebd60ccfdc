export { Command, type CommandResult } from './command.ts';
export { PeakMemory } from './peak-memory.ts';
export { endOrphans, ProcessGroups } from './process-groups.ts';
export { startOf } from './process-table.ts';

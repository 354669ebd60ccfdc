/** A GPU behind the interface of device.ts. The engine over it is being built, and nothing opens it yet. */
export { Device, type Launch, type Plan, type Slice } from './device.ts';

/**
 * The native engine: the C++ addon of native/engine (native-addon.ts) behind the engine interface (native-engine.ts).
 * Import this folder dynamically, because it needs the compiled addon.
 */
export { loadAddon } from './native-addon.ts';
export { openNative } from './native-engine.ts';

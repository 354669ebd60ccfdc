/** The native engine: the C++ addon behind the engine interface. Import it dynamically: loading it needs the compiled addon. */
export { loadAddon } from './native-addon.ts';
export { openNative } from './native-engine.ts';

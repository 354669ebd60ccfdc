/** A module that uses its own URL, as modules that load addons do. */
export const ownUrl: string = import.meta.url;

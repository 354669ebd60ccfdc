/**
 * Edits of params that the command line asks for.
 *
 *   edit-params.ts    -S key=value
 *   edit-history.ts   the edits of -S, which `repro undo` takes back
 */
export { forgetLastEdits, recordEdits, undoLastEdits } from './edit-history.ts';
export { editedTexts, editKey, writeTexts } from './edit-params.ts';

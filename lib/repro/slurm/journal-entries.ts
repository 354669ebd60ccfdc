/**
 * The journal of jobs, .repro/jobs/journal.jsonl, as text. Each line says one thing of an attempt, and a line is
 * written before what it is about is done, or right after:
 *
 *   {"id": "9f86d081", "name": "repro-9f86d081", "cells": [{"stage": "train@gpt", "key": "…"}]}   before sbatch
 *   {"id": "9f86d081", "job": "4711"}                                                             after sbatch
 *   {"id": "9f86d081", "cancelled": [0, 3]}                                                       before scancel: cells
 *   {"id": "9f86d081", "over": true}                                                              all cells have ended
 */

/** A stage of an attempt, and the key of its inputs. */
export interface Cell {
  stage: string;
  key: string;
}

/** One line. */
export type JournalEntry =
  | { id: string; name: string; cells: Cell[]; submitted: string }
  | { id: string; job: string; cluster?: string }
  | { id: string; cancelled: number[] }
  | { id: string; over: true };

/** An attempt that has not ended, as far as the journal says. */
export interface OpenAttempt {
  id: string;
  /** The name of its job, which no other job has. */
  name: string;
  /** The cells, in the order of the array. */
  cells: Cell[];
  /** When it was submitted, in ISO 8601. */
  submitted: string;
  /** undefined: repro was killed before it knew the job, if there is one. */
  job?: string;
  /** The indexes of cells that repro has cancelled. */
  cancelled: readonly number[];
}

/** The attempts that are not over. Lines that were cut short are left out. */
export function openAttempts(text: string): OpenAttempt[] {
  const open = new Map<string, OpenAttempt>();
  for (const line of text.split('\n')) {
    const entry = parseEntry(line);
    if (entry === undefined) continue;
    if ('cells' in entry) open.set(entry.id, { ...entry, cancelled: [] });
    else if ('over' in entry) open.delete(entry.id);
    else {
      const attempt = open.get(entry.id);
      if (attempt === undefined) continue;
      if ('job' in entry) attempt.job = entry.job;
      else attempt.cancelled = [...attempt.cancelled, ...entry.cancelled];
    }
  }
  return [...open.values()];
}

function parseEntry(line: string): JournalEntry | undefined {
  try {
    const entry = JSON.parse(line) as Partial<Record<string, unknown>> | null;
    if (typeof entry?.id !== 'string' || !/^[0-9a-f]+$/.test(entry.id)) return undefined;
    const isKnown =
      entry.over === true ||
      typeof entry.job === 'string' ||
      (Array.isArray(entry.cancelled) && entry.cancelled.every((index) => typeof index === 'number')) ||
      (typeof entry.name === 'string' && Array.isArray(entry.cells) && entry.cells.every(isCell));
    return isKnown ? (entry as unknown as JournalEntry) : undefined;
  } catch {
    return undefined;
  }
}

function isCell(cell: Partial<Cell> | null): boolean {
  return typeof cell?.stage === 'string' && typeof cell.key === 'string';
}

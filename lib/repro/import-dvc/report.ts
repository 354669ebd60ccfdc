/** The report about an imported DVC project: sentences in three groups. */
import { escapeControls, type Place } from '../messages/index.ts';

/** A sentence about something in a file of DVC. */
export interface ReportLine {
  text: string;
  place?: Place;
}

/** Collects the sentences of an import. */
export class Report {
  readonly taken: ReportLine[] = [];
  readonly dropped: ReportLine[] = [];
  readonly todo: ReportLine[] = [];

  take(text: string): void {
    this.taken.push({ text });
  }

  drop(text: string, place?: Place): void {
    this.dropped.push({ text, place });
  }

  leave(text: string, place?: Place): void {
    this.todo.push({ text, place });
  }
}

/** The report as lines of text. Sentences that are equal apart from their place are joined. */
export function describeReport({ taken, dropped, todo }: Report): string {
  const groups: [string, ReportLine[]][] = [
    ['taken over', taken],
    ['dropped', dropped],
    ['to do', todo],
  ];
  return groups
    .filter(([, lines]) => lines.length > 0)
    .map(
      ([title, lines]) =>
        `${title}:\n${joined(lines)
          .map((line) => `  ${escapeControls(line)}\n`)
          .join('')}`,
    )
    .join('');
}

function joined(lines: readonly ReportLine[]): string[] {
  const byText = new Map<string, ReportLine[]>();
  for (const line of lines) byText.set(line.text, [...(byText.get(line.text) ?? []), line]);
  return [...byText].map(([text, [{ place }, ...others]]) => {
    const where = place === undefined ? '' : `${place.file}:${place.line}: `;
    return `${where}${text}${others.length > 0 ? ` (and ${others.length} more like it)` : ''}`;
  });
}

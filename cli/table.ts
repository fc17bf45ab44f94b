import { printable } from '../lib/printable.ts';
import { cut, displayWidth } from './format.ts';
import type { Output, Style } from './output.ts';

export interface Column<Row> {
  title: string;
  text: (row: Row) => string;
  style?: (row: Row) => Style | undefined;
  /** Columns at most, on a terminal. */
  maxWidth?: number;
  /** Right-aligned, for numbers. */
  right?: boolean;
}

/** Prints aligned columns page by page; a column grows with wider cells and never shrinks. */
export class Table<Row> {
  private readonly output: Output;
  private readonly columns: readonly Column<Row>[];
  private readonly widths: number[];
  private hasHeader = false;

  constructor(output: Output, columns: readonly Column<Row>[]) {
    this.output = output;
    this.columns = columns;
    this.widths = columns.map((column) => column.title.length);
  }

  async add(rows: readonly Row[]): Promise<void> {
    if (rows.length === 0) return;
    const cells = rows.map((row) => this.columns.map((column) => this.cell(column, row)));
    for (const row of cells) {
      row.forEach((cell, index) => {
        this.widths[index] = Math.max(this.widths[index] ?? 0, displayWidth(cell));
      });
    }
    if (!this.hasHeader)
      await this.output.line(this.output.paint('bold', this.render(this.columns.map((column) => column.title))));
    this.hasHeader = true;
    await this.output.write(rows.map((row, index) => `${this.render(cells[index] ?? [], row)}\n`).join(''));
  }

  private cell({ text, maxWidth = Infinity }: Column<Row>, row: Row): string {
    const shown = printable(text(row)) || '-';
    return this.output.isTerminal ? cut(shown, maxWidth) : shown;
  }

  private render(cells: readonly string[], row?: Row): string {
    return cells
      .map((cell, index) => {
        const column = this.columns[index];
        const style = row === undefined ? undefined : column?.style?.(row);
        const painted = style === undefined ? cell : this.output.paint(style, cell);
        const missing = (this.widths[index] ?? 0) - displayWidth(cell);
        if (column?.right) return ' '.repeat(missing) + painted;
        return index === cells.length - 1 ? painted : painted + ' '.repeat(missing);
      })
      .join('  ');
  }
}

/** Prints names and values, one pair a line, without empty values. */
export async function writeFacts(output: Output, facts: readonly (readonly [string, string])[]): Promise<void> {
  const shown = facts.filter(([, value]) => value !== '');
  const longest = Math.max(...shown.map(([name]) => name.length));
  const lines = shown.map(([name, value]) => `${output.paint('dim', name.padEnd(longest))}  ${printable(value)}\n`);
  await output.write(lines.join(''));
}

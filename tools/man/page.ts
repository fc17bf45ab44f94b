/** Text as roff input: no character has a special meaning, and a minus sign can be copied into a shell. */
function escapeText(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll("'", '\\(aq')
    .replaceAll('`', '\\(ga')
    .replaceAll('^', '\\(ha')
    .replaceAll('~', '\\(ti')
    .replaceAll(/[^\t\n -~]/gu, (character) => `\\[u${hex(character)}]`)
    .replaceAll(/^\./gm, '\\&.');
}

function hex(character: string): string {
  return (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
}

/** An argument of a macro. */
function quote(text: string): string {
  return `"${escapeText(text).replaceAll('"', '\\(dq')}"`;
}

export interface PageTitle {
  name: string;
  section: number;
  /** One line, without a full stop. */
  summary: string;
  version: string;
}

/** A manual page under construction, in the macros of man(7). */
export class ManPage {
  readonly file: string;
  private readonly lines: string[];

  constructor({ name, section, summary, version }: PageTitle) {
    this.file = `${name}.${section}`;
    this.lines = [
      `.TH ${quote(name.toUpperCase())} ${section} "" ${quote(`blockstore ${version}`)} ${quote('blockstore manual')}`,
      '.nh',
      '.ad l',
    ];
    this.section('NAME').paragraph(`${name} - ${summary}`);
  }

  section(title: string): this {
    return this.push(`.SH ${quote(title)}`);
  }

  subsection(title: string): this {
    return this.push(`.SS ${quote(title)}`);
  }

  paragraph(text: string): this {
    return this.push('.PP', escapeText(text));
  }

  /** A term in bold with its description. */
  item(term: string, description: string): this {
    return this.push('.TP', `.B ${quote(term)}`, escapeText(description));
  }

  items(entries: Iterable<readonly [string | number, string]>): this {
    for (const [term, description] of entries) this.item(String(term), description);
    return this;
  }

  /** Lines that are printed as they are. */
  example(lines: readonly string[]): this {
    return this.push('.PP', '.nf', '.RS 4', ...lines.map(escapeText), '.RE', '.fi');
  }

  toString(): string {
    return `${this.lines.join('\n')}\n`;
  }

  private push(...lines: string[]): this {
    this.lines.push(...lines);
    return this;
  }
}

/**
 * Control, format (bidi, zero-width), unassigned and private characters and lone surrogates; separators of lines; characters without
 * a glyph, such as U+3164, and the empty Braille pattern.
 */
const unprintable = /[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u{2800}]/u;
const everyUnprintable = new RegExp(unprintable, 'gu');

export function isPrintable(text: string): boolean {
  return !unprintable.test(text);
}

/**
 * Returns the text with unprintable characters as escapes, such as \\u{202e}: text from records and from other programs must not
 * move the cursor or change the order of what is shown.
 */
export function printable(text: string): string {
  return text.replaceAll(everyUnprintable, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`);
}

/** The same for text of several lines. */
export function printableLines(text: string): string {
  return text.split('\n').map(printable).join('\n');
}

/** Returns the value as JSON whose unprintable characters are escaped, so that it is safe on a terminal and equal when parsed. */
export function printableJson(value: unknown, indent?: number): string {
  // Only the indentation has line ends; within a string they are escaped already.
  return JSON.stringify(value, null, indent).replaceAll(everyUnprintable, (character) =>
    character === '\n' ? character : character.split('').map(escapedUnit).join(''),
  );
}

function escapedUnit(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

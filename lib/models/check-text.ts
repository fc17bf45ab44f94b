import { errors } from '../errors.ts';
import { isPrintable } from '../printable.ts';
import { isId } from './id.ts';

const maxBytes = 255;
/** It would be drawn over the character before it. */
const beginsWithMark = /^\p{M}/u;
const ancestorForm = /^vol-[0-9a-f]{8}$/i;

export function isUuid(text: string): boolean {
  return isId(text.toLowerCase());
}

/** `vol-` and the first eight digits of an id: how the 2010 BlockStore named volumes. */
export function isAncestorForm(text: string): boolean {
  return ancestorForm.test(text);
}

/**
 * Checks a text that is stored in a record and shown to others: a name, an owner, an instance, a host. Returns it in the composed
 * form of Unicode: the same characters are always the same text. Throws InvalidArgument.
 */
export function checkText(field: string, given: string): string {
  const text = given.normalize('NFC');
  if (text === '' || Buffer.byteLength(text) > maxBytes) {
    const shown = text.length > 40 ? `${text.slice(0, 40)}…` : text;
    throw errors.invalidArgument(field, shown, `1 to ${maxBytes} bytes long`);
  }
  if (!isPrintable(text) || text.includes('\u{FFFD}') || beginsWithMark.test(text)) {
    throw errors.invalidArgument(field, text, '1 to 255 printable characters');
  }
  if (text.trim() !== text) throw errors.invalidArgument(field, text, 'free of spaces at its beginning and end');
  return text;
}

/** Checks the name of a volume as checkText() does; it must not be taken for an id or an option. */
export function checkVolumeName(given: string): string {
  const text = checkText('name', given);
  if (text.startsWith('-')) throw errors.invalidArgument('name', text, 'free of a hyphen at its beginning');
  if (isUuid(text) || isAncestorForm(text)) {
    throw errors.invalidArgument('name', text, 'possible: it has the form of an id');
  }
  return text;
}

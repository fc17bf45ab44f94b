import { errors } from '../../errors.ts';
import { checkText } from '../../models/check-text.ts';
import { isHexId } from '../../models/hex-id.ts';

/** Checks the name of a user or a project as checkText() does; it must not be taken for an id or an option. Throws InvalidArgument. */
export function checkIdentityName(given: string): string {
  const text = checkText('name', given);
  if (text.startsWith('-')) throw errors.invalidArgument('name', text, 'free of a hyphen at its beginning');
  if (isHexId(text)) throw errors.invalidArgument('name', text, 'possible: it has the form of an id');
  return text;
}

/** Returns what becomes of texts of a record: '' removes one, undefined leaves it as it is. Throws InvalidArgument. */
export function textFields(texts: Readonly<Record<string, string | undefined>>) {
  const set: Record<string, string> = {};
  const unset: string[] = [];
  for (const [field, text] of Object.entries(texts)) {
    if (text === '') unset.push(field);
    else if (text !== undefined) set[field] = checkText(field, text);
  }
  return { set, unset };
}

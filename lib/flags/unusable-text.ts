/** All but the tab. */
const controlCharacter = /(?!\t)\p{Cc}/u;
const invisibleCharacter = /(?!\t)[\p{Cf}\p{Zl}\p{Zp}]/u;

/** Returns why the text cannot be part of a setting, without showing it, or undefined. */
export function unusableText(text: string): string | undefined {
  if (text.includes('\u{FFFD}')) return 'is not valid UTF-8'; // Node.js puts it in place of every other byte
  if (controlCharacter.test(text)) return 'has a control character';
  const [invisible] = invisibleCharacter.exec(text) ?? [];
  if (invisible === undefined) return undefined;
  return `has an invisible character, U+${(invisible.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`;
}

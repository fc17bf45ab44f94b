import { unusableText } from './unusable-text.ts';

/** One `name = value` of a configuration file. */
export interface Setting {
  /** Undefined above the first section. */
  section: string | undefined;
  name: string;
  value: string;
  line: number;
}

export interface ConfigFile {
  settings: Setting[];
  sections: { name: string; line: number }[];
  /** One line each, without values, which can be secrets. */
  problems: { line: number; text: string }[];
}

const byteOrderMark = /^\uFEFF/;
const commentSign = /(?:^|\s)(?:#|;|\/\/)/;
/** As text processors and web pages have them. */
const typographicQuote = /^[\u2018-\u201F\u00AB\u2039]/;

/**
 * Parses lines `name = value` and `[section]`. A line that begins with # is a comment. A value can be quoted; an unquoted one
 * must not contain #, ; or // after a space, which could be a comment or part of a password.
 */
export function parseConfigFile(content: string): ConfigFile {
  const file: ConfigFile = { settings: [], sections: [], problems: [] };
  let section: string | undefined;
  const lines = content.replace(byteOrderMark, '').split(/\r?\n/);
  for (const [index, text] of lines.entries()) {
    const line = index + 1;
    const plain = text.trim();
    if (plain === '' || plain.startsWith('#')) continue;
    const problem = (words: string) => file.problems.push({ line, text: words });
    const unusable = unusableText(plain);
    if (unusable !== undefined) {
      problem(unusable);
      continue;
    }
    const [, header] = /^\[\s*(.*?)\s*\](?:\s+#.*)?$/.exec(plain) ?? [];
    if (header !== undefined) {
      section = header;
      file.sections.push({ name: header, line });
      continue;
    }
    const [, name, raw] = /^(?:--)?([A-Za-z][\w-]*)\s*=\s*(.*)$/.exec(plain) ?? [];
    if (name === undefined || raw === undefined) {
      problem('is neither "name = value" nor "[section]"');
      continue;
    }
    const value = unquoted(raw);
    if (value !== undefined) file.settings.push({ section, name, value, line });
    else if (/^["']/.test(raw)) problem(`${name}: the value has an opening quote without a closing quote at its end`);
    else if (typographicQuote.test(raw)) problem(`${name}: use the quotes " or '`);
    else problem(`${name}: put the comment on its own line, or quote a value that contains #, ; or //`);
  }
  return file;
}

/** Returns undefined for an ambiguous value. */
function unquoted(raw: string): string | undefined {
  if (/^["']/.test(raw)) {
    const [, , inner] = /^(["'])((?:(?!\1).)*)\1(?:\s+#.*)?$/.exec(raw) ?? [];
    return inner;
  }
  return commentSign.test(raw) || typographicQuote.test(raw) ? undefined : raw;
}

/** Returns a value in the form that parseConfigFile reads back. */
export function quoted(value: string): string {
  const isPlain = !/^["'\s]|\s$/.test(value) && !commentSign.test(value) && !typographicQuote.test(value);
  if (isPlain) return value;
  return value.includes('"') ? `'${value}'` : `"${value}"`;
}

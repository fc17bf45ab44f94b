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

const byteOrderMark = '\uFEFF';
/** All but the tab. */
const controlCharacter = /(?!\t)\p{Cc}/u;

/**
 * Parses lines `name = value` and `[section]`. A line that begins with # is a comment. A value can be quoted; an unquoted one
 * must not contain # after a space, which could be a comment or part of a password.
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
    if (controlCharacter.test(plain)) {
      problem('has a control character');
      continue;
    }
    const [, header] = /^\[\s*(.*?)\s*\]$/.exec(plain) ?? [];
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
    else problem(`${name}: put the comment on its own line, or quote a value that contains #`);
  }
  return file;
}

/** Returns undefined for an ambiguous value. */
function unquoted(raw: string): string | undefined {
  if (/^["']/.test(raw)) {
    const [, , inner] = /^(["'])((?:(?!\1).)*)\1(?:\s+#.*)?$/.exec(raw) ?? [];
    return inner;
  }
  return /(?:^|\s)#/.test(raw) ? undefined : raw;
}

/** Returns a value in the form that parseConfigFile reads back. */
export function quoted(value: string): string {
  if (!/^["'\s]|(?:^|\s)#|\s$/.test(value)) return value;
  return value.includes('"') ? `'${value}'` : `"${value}"`;
}

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
  /** One line each, without anything that may be a secret. */
  problems: { line: number; text: string }[];
}

const byteOrderMark = '\uFEFF';
/** All but the tab. */
const controlCharacter = /(?!\t)\p{Cc}/u;

/**
 * Reads lines `name = value` and `[section]`. A line that begins with # is a comment. A value may be in quotes; without them
 * it must have no # after a space, for that could be a comment or part of a password.
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
    else if (/^["']/.test(raw))
      problem(`${name}: the value begins with a quote that nothing, or something else, follows`);
    else problem(`${name}: write the comment on a line of its own, or put a value that has a # in quotes`);
  }
  return file;
}

/** Undefined for what could be meant in two ways. */
function unquoted(raw: string): string | undefined {
  if (/^["']/.test(raw)) {
    const [, , inner] = /^(["'])((?:(?!\1).)*)\1(?:\s+#.*)?$/.exec(raw) ?? [];
    return inner;
  }
  return /(?:^|\s)#/.test(raw) ? undefined : raw;
}

/** Returns a value as it must be written in a file to be read back. */
export function quoted(value: string): string {
  if (!/^["'\s]|(?:^|\s)#|\s$/.test(value)) return value;
  return value.includes('"') ? `'${value}'` : `"${value}"`;
}

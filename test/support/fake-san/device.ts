/** What a stand-in of storage prints for a command line, as its command line does. */
export interface Answer {
  stdout: string;
  stderr: string;
  exitCode: number;
}

export interface Device {
  /** Carries out one line, with that standard input, and keeps the state that it leads to. */
  run(line: string, input?: string): Answer;
}

export const done = (stdout = ''): Answer => ({ stdout, stderr: '', exitCode: 0 });
export const refused = (reason: string, exitCode = 1): Answer => ({ stdout: '', stderr: `${reason}\n`, exitCode });

/** Splits a line at spaces, with single quotes and backslashes as a POSIX shell has them, and none of its other syntax. */
export function posixWords(line: string): string[] {
  const words: string[] = [];
  for (const [word] of line.matchAll(/(?:'[^']*'|\\.|[^\s'\\])+/g)) {
    const plain = [...word.matchAll(/'([^']*)'|\\(.)|([^'\\]+)/g)].map(([, quoted, escaped, bare = '']) => {
      if (/[;&|<>()$`"*?[\]#~!{}]/.test(bare)) throw new Error(`a shell would interpret ${bare} in ${line}`);
      return quoted ?? escaped ?? bare;
    });
    words.push(plain.join(''));
  }
  return words;
}

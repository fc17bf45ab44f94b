/** Returns a path as it is, from a table in /proc, which has spaces and backslashes as octal numbers. */
export function unescaped(path: string): string {
  return path.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

/** Lets the process end before its standard input does. Of a file that has no `unref`. */
export function releaseInput(): void {
  process.stdin.destroy();
}

/**
 * Arguments, after the key `access`, with which a writing command changes nothing. HSET has none such: scripts write with it first.
 * PUBLISH is tried where there is something to publish.
 */
const growing: Readonly<Record<string, string>> = {
  SET: `'x', 'XX'`,
  XADD: `'NOMKSTREAM', '*', 'm', ''`,
  ZADD: `'XX', '0', 'x'`,
};
const others: Readonly<Record<string, string>> = {
  DEL: '',
  HDEL: `'x'`,
  ZREM: `'x'`,
  ZREMRANGEBYSCORE: `'1', '0'`,
};

/**
 * Returns what a script does before all else: it tries the commands with which it will write, for one that Redis refuses in the middle
 * would leave half a change. `frees`: a Lua condition under which it may also run without memory. Without memory Redis refuses no command
 * once a script has called another one that writes: so the order of the attempts decides.
 */
export function accessCheck(commands: ReadonlySet<string>, frees: string): string {
  const attempts = (table: Readonly<Record<string, string>>) =>
    Object.entries(table).flatMap(([name, args]) => (commands.has(name) ? [attempt(name, args)] : []));
  const [grow, other] = [attempts(growing), attempts(others)];
  if (grow.length + other.length < 2) return '';
  const usual = refuse([...grow, ...other]);
  const full = refuse([...other, ...grow]);
  if (frees === 'true') return full;
  return frees === 'false' ? usual : `if ${frees} then\n${full}\nelse\n${usual}\nend`;
}

function attempt(name: string, args: string): string {
  return `refusal_of('${name}', key_access()${args === '' ? '' : `, ${args}`})`;
}

function refuse(attempts: readonly string[]): string {
  return `do\n  local refusal = ${attempts.join('\n    or ')}\n  if refusal then return refusal end\nend`;
}

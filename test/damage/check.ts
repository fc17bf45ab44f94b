import { setTimeout as pause } from 'node:timers/promises';
import { DamagePlace } from './place.ts';
import { type KeyDamage, casesFor } from './cases.ts';

/** Names of keys have the names of their volumes in place of ids, which differ in every cluster. */
async function shownKeys({ store }: DamagePlace): Promise<Map<string, string>> {
  const { redis, keys } = store;
  const all = await redis.keys('*');
  const records = all.filter((key) => /:(volume|abandoned|snapshot):[^:]+$/.test(key));
  const names = new Map<string, string>();
  for (const key of records) names.set(key.split(':').at(-1) ?? '', (await redis.hget(key, 'name')) ?? '');
  for (const key of all.filter((name) => /:token:[^:]+$/.test(name))) names.set(key.split(':').at(-1) ?? '', 'one');
  return new Map(
    all.map((key) => {
      const name = key.slice(keys.prefix.length);
      const shown = name.split(':').map((part) => names.get(part) ?? part);
      return [shown.join(':'), key];
    }),
  );
}

/** Every key of a small cluster with every way to remove or alter it. */
export async function allCases(): Promise<KeyDamage[]> {
  const place = await DamagePlace.start();
  try {
    const keys = await shownKeys(place);
    const cases = await Promise.all([...keys].map(([shown, key]) => casesFor(place.store, key, shown)));
    return cases.flat();
  } finally {
    await place.close();
  }
}

export function nameOf({ key, damage }: KeyDamage): string {
  return `${key} ${damage.name}`;
}

/** What only n2 could compare: "blockstore audit" says that it is lost, and not audited. */
const ofLostNode = /^(node:n2|backend:n2@|topic:volume\.n2$|volume:kept$|abandoned:)/;

/** Damages one key of a new cluster. Returns what is wrong then: the damage is neither healed by two reports nor reported, or worse. */
export async function check({ key: shown, damage }: KeyDamage): Promise<string[]> {
  const place = await DamagePlace.start();
  try {
    const key = (await shownKeys(place)).get(shown) ?? '';
    const clean = await place.audit({ repair: false });
    const before = await place.state();
    await damage.make(place.store.redis, place.store, key);
    const problems = clean.found.map((line) => `before: ${line}`);
    problems.push(...(await place.internalErrors()));
    const { found, notExamined } = await place.audit({ repair: false });
    // A volume that is busy is named as not examined, and the exit code says so.
    const isNamed = notExamined.includes(key.split(':').at(-1) ?? '') || ofLostNode.test(shown);
    const differences = await reportsUntilAsBefore(place, before);
    if (found.length === 0 && !isNamed) {
      problems.push(...differences.map((line) => `neither healed nor reported: ${line}`));
    }
    problems.push(...(await place.internalErrors()));
    if (place.hasEnded) problems.push('the daemon has ended');
    return problems;
  } finally {
    await place.close();
  }
}

/** Returns what is still different after the reports that heal it: two, and more on a busy machine, as what they begin ends later. */
async function reportsUntilAsBefore(place: DamagePlace, before: ReadonlyMap<string, string>): Promise<string[]> {
  const reports = 6;
  for (let report = 1; ; report += 1) {
    await place.report();
    const now = await place.state();
    const names = [...new Set([...before.keys(), ...now.keys()])];
    const different = names.filter((name) => before.get(name) !== now.get(name));
    const lines = different.map((name) => `${name}: ${before.get(name) ?? 'absent'} → ${now.get(name) ?? 'absent'}`);
    if (lines.length === 0 || report === reports) return lines;
    await pause(20 * report);
  }
}

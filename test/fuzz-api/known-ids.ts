import { z } from 'zod';
import type { Random } from '../simulation/random.ts';

/** Older ones are mostly gone. */
const maxOfNoun = 40;
const objectForm = z.record(z.string(), z.unknown());

/** Ids of objects that answers have named, by the kind of objects, such as `volumes`: the word before an id in a path. */
export class KnownIds {
  private readonly random: Random;
  private readonly byNoun = new Map<string, string[]>();

  constructor(random: Random) {
    this.random = random;
  }

  /** Returns an id of that kind; '': of any. */
  some(noun: string): string {
    const nouns = noun === '' ? [...this.byNoun.keys()] : [noun];
    const ids = this.byNoun.get(this.random.pick(nouns) ?? '') ?? [];
    return this.random.pick(ids) ?? this.random.uuid();
  }

  /** Takes the ids of an answer, of the object itself and of those in its lists. `nounOf`: their kind, by the key in the answer. */
  learn(answer: unknown, nounOf: (key: string) => string): void {
    const { data = {} } = objectForm.safeParse(answer);
    for (const [key, value] of Object.entries(data)) {
      for (const item of Array.isArray(value) ? value.slice(0, 10) : [value]) {
        const { data: object } = objectForm.safeParse(item);
        if (typeof object?.['id'] === 'string') this.add(nounOf(key), object['id']);
      }
    }
  }

  add(noun: string, id: string): void {
    const ids = this.byNoun.get(noun) ?? [];
    this.byNoun.set(noun, ids);
    if (ids.includes(id)) return;
    ids.push(id);
    if (ids.length > maxOfNoun) ids.shift();
  }
}

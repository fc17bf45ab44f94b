export interface Entry {
  id: string;
  fields: readonly string[];
}

interface Pending {
  consumer: string;
  time: number;
}

interface Group {
  last: string;
  pending: Map<string, Pending>;
}

/** A stream with consumer groups, as far as topics use it. */
export class Stream {
  private entries: Entry[] = [];
  readonly groups = new Map<string, Group>();
  private lastId = '0-0';

  copy(): Stream {
    const copy = new Stream();
    copy.entries = [...this.entries];
    copy.lastId = this.lastId;
    for (const [name, { last, pending }] of this.groups) copy.groups.set(name, { last, pending: new Map(pending) });
    return copy;
  }

  get length(): number {
    return this.entries.length;
  }

  get all(): readonly Entry[] {
    return this.entries;
  }

  add(now: number, fields: readonly string[]): string {
    const [time, count] = partsOf(this.lastId);
    this.lastId = now > time ? `${now}-0` : `${time}-${count + 1}`;
    this.entries.push({ id: this.lastId, fields });
    return this.lastId;
  }

  delete(id: string): boolean {
    const index = this.entries.findIndex((entry) => entry.id === id);
    if (index >= 0) this.entries.splice(index, 1);
    return index >= 0;
  }

  clear(): number {
    const { length } = this.entries;
    this.entries = [];
    return length;
  }

  /** False when it is there already. */
  makeGroup(name: string): boolean {
    if (this.groups.has(name)) return false;
    this.groups.set(name, { last: '0-0', pending: new Map() });
    return true;
  }

  acknowledge(group: string, id: string): boolean {
    return this.groups.get(group)?.pending.delete(id) ?? false;
  }

  /** Entries that nobody of the group was given yet; they are the consumer's from now on. */
  readNew(group: Group, consumer: string, count: number, time: number): Entry[] {
    const fresh = this.entries.filter((entry) => compareIds(entry.id, group.last) > 0).slice(0, count);
    for (const { id } of fresh) {
      group.pending.set(id, { consumer, time });
      group.last = id;
    }
    return fresh;
  }

  /** What the consumer was given and has not acknowledged; without fields where the entry is gone. */
  readPending(
    group: Group,
    consumer: string,
    from: string,
    count: number,
  ): { id: string; fields: readonly string[] | null }[] {
    return [...group.pending]
      .filter(([id, pending]) => pending.consumer === consumer && compareIds(id, from) > 0)
      .map(([id]) => id)
      .toSorted(compareIds)
      .slice(0, count)
      .map((id) => ({ id, fields: this.find(id)?.fields ?? null }));
  }

  /** Entries that others left lying for `age`: theirs no more. What is gone leaves the list. */
  claim(
    group: Group,
    consumer: string,
    age: number,
    time: number,
    count: number,
  ): { entries: Entry[]; gone: string[] } {
    const entries: Entry[] = [];
    const gone: string[] = [];
    for (const id of [...group.pending.keys()].toSorted(compareIds)) {
      const pending = group.pending.get(id);
      if (!pending || time - pending.time < age || entries.length >= count) continue;
      const entry = this.find(id);
      if (entry) {
        group.pending.set(id, { consumer, time });
        entries.push(entry);
      } else {
        group.pending.delete(id);
        gone.push(id);
      }
    }
    return { entries, gone };
  }

  private find(id: string): Entry | undefined {
    return this.entries.find((entry) => entry.id === id);
  }
}

function partsOf(id: string): [number, number] {
  const [time = '0', count = '0'] = id.split('-');
  return [Number(time), Number(count)];
}

function compareIds(one: string, other: string): number {
  const [time, count] = partsOf(one);
  const [otherTime, otherCount] = partsOf(other);
  return time - otherTime || count - otherCount;
}

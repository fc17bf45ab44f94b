export interface Entry {
  id: string;
  fields: readonly string[];
}

/** A stream, as far as topics use it. */
export class Stream {
  private entries: Entry[] = [];
  private lastId = '0-0';

  copy(): Stream {
    const copy = new Stream();
    copy.entries = [...this.entries];
    copy.lastId = this.lastId;
    return copy;
  }

  get length(): number {
    return this.entries.length;
  }

  /** Keeps the last `most` entries. */
  add(now: number, fields: readonly string[], most = Infinity): string {
    const [time, count] = partsOf(this.lastId);
    this.lastId = now > time ? `${now}-0` : `${time}-${count + 1}`;
    this.entries.push({ id: this.lastId, fields });
    if (this.entries.length > most) this.entries.shift();
    return this.lastId;
  }

  delete(id: string): boolean {
    const index = this.entries.findIndex((entry) => entry.id === id);
    if (index >= 0) this.entries.splice(index, 1);
    return index >= 0;
  }

  /** At most `count` entries that came after the one with that id; after `0`, all. */
  after(id: string, count: number): Entry[] {
    return this.entries.filter((entry) => compareIds(entry.id, id) > 0).slice(0, count);
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

interface Known {
  /** The create was acknowledged. */
  made: boolean;
  /** A delete was asked for, whatever was answered. */
  deleteAsked: boolean;
  /** One of a volume with its snapshots, while its node is lost. */
  snapshotsAsked: boolean;
  /** A delete was acknowledged. */
  deleted: boolean;
  /** A create whose answer did not come may still be carried out. */
  uncertain: boolean;
  /** Redis has lost changes since: what was acknowledged may have to be found again, and what was deleted may be back. */
  doubtful: boolean;
}

export interface Facts {
  /** Whether there is a record. */
  has: (id: string) => boolean;
  /** Whether there is none, or one that says what keeps it: a lost node still has to remove what it had. */
  gone: (id: string) => boolean;
  /** Whether there is storage on any machine. */
  stored: (id: string) => boolean;
}

/** What the clients know of volumes or snapshots from replies, and what must hold because of it. */
export class Model {
  private readonly volumes = new Map<string, Known>();
  private readonly settled = new Set<string>();
  private readonly what: string;

  /** `what`: the word for the objects. */
  constructor(what = 'volume') {
    this.what = what;
  }

  /** Volumes that may be there. */
  get ids(): string[] {
    return [...this.volumes.keys()];
  }

  known(id: string): Known {
    const found = this.volumes.get(id) ?? {
      made: false,
      deleteAsked: this.settled.has(id),
      snapshotsAsked: this.settled.has(id),
      deleted: false,
      uncertain: false,
      doubtful: false,
    };
    this.volumes.set(id, found);
    return found;
  }

  doubtAll(): void {
    for (const known of this.volumes.values()) known.doubtful = true;
  }

  problems({ has, gone, stored }: Facts): string[] {
    return [...this.volumes].flatMap(([id, { made, deleteAsked, deleted, uncertain, doubtful }]) => {
      if (doubtful) return [];
      if (made && !deleteAsked) {
        if (!has(id)) return [`${this.what} ${id} was acknowledged and has no record`];
        return stored(id) ? [] : [`${this.what} ${id} was acknowledged and has no storage`];
      }
      return deleted && !uncertain && !gone(id) ? [`${this.what} ${id} was deleted and has a record`] : [];
    });
  }

  /** Nothing is under way: what is gone is gone for good, and is spoken of no more. */
  settle(facts: Facts): string[] {
    for (const [id, known] of this.volumes) {
      if (known.doubtful && known.deleted && facts.has(id)) known.deleted = false;
      known.doubtful = false;
    }
    const problems = this.problems(facts);
    for (const [id, { deleted }] of this.volumes) {
      if (facts.has(id)) continue;
      this.volumes.delete(id);
      this.settled.add(id);
      if (deleted && facts.stored(id)) problems.push(`${this.what} ${id} was deleted and has storage`);
    }
    return problems;
  }
}

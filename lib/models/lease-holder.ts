/** Who holds the lease of a node name: a state directory, the machine that it is on, that machine's run, and the locked file. */
export interface Holder {
  /** For people: the other fields decide. */
  host: string;
  /** The random id of the state directory. */
  state: string;
  machine: string;
  boot: string;
  /** The file that the daemon locked, by its file system and inode: a copy of the state directory has another one. */
  lock: string;
}

const shownDigits = 12;

/** Returns the holder as the record of a lease has it, such as `host1 (state 0a1b…, machine 2c3d…, boot 4e5f…, lock 8.1a)`. */
export function formatHolder({ host, state, machine, boot, lock }: Holder): string {
  const [states, machines, boots] = [state, machine, boot].map((id) => id.slice(0, shownDigits) || 'unknown');
  return `${host} (state ${states}, machine ${machines}, boot ${boots}, lock ${lock})`;
}

/** How the holder of a lease relates to a daemon that wants it. */
export type HolderRelation =
  /** The same state directory on the same run of the same machine: an earlier daemon of it. */
  | 'same'
  /** The same, but another locked file: a daemon on a copy of the directory, or one whose file was removed or moved. */
  | 'otherLock'
  /** The same state directory on another run of the same machine: a daemon before a reboot, or one on a clone. */
  | 'earlierBoot'
  /** A copy of the state directory on another machine. */
  | 'clone'
  | 'unrelated';

export function relationOf(ours: string, theirs: string): HolderRelation {
  const [own, other] = [parseHolder(ours), parseHolder(theirs)];
  if (own === undefined || other === undefined || own.state !== other.state) return 'unrelated';
  if (own.machine !== other.machine) return 'clone';
  if (own.boot !== other.boot) return 'earlierBoot';
  return own.lock === other.lock ? 'same' : 'otherLock';
}

function parseHolder(text: string): Omit<Holder, 'host'> | undefined {
  // A daemon of an earlier version writes no lock.
  const form = / \(state (\w+), machine (\w+), boot (\w+)(?:, lock ([\w.]+))?\)$/;
  const [, state, machine, boot, lock = ''] = form.exec(text) ?? [];
  return state === undefined || machine === undefined || boot === undefined
    ? undefined
    : { state, machine, boot, lock };
}

import { Node } from '../../lib/models/node.ts';
import { Hopeless, until } from '../support/until.ts';
import type { Place } from './place.ts';

/** Counts the reports of a node from when it is made. */
export class Reports {
  private readonly place: Place;
  private readonly seen = new Set<number | undefined>();

  constructor(place: Place) {
    this.place = place;
  }

  /** How many came since the first call. */
  async count(): Promise<number> {
    const { state } = await Node.lookup(this.place.store, this.place.node);
    this.seen.add(state.reportTime);
    return this.seen.size - 1;
  }
}

/** Resolves when the node has reported so many times. Rejects soon after the signal. */
export async function reported(place: Place, times: number, signal?: AbortSignal): Promise<void> {
  const reports = new Reports(place);
  const what = `the node reports ${times} times`;
  const enough = async () => {
    if (signal?.aborted) throw new Hopeless(what);
    return (await reports.count()) >= times;
  };
  await until(enough, what);
}

import { Node } from '../../lib/models/node.ts';
import { until } from '../until.ts';
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

/** Resolves when the node has reported so many times. */
export async function reported(place: Place, times: number): Promise<void> {
  const reports = new Reports(place);
  await until(async () => (await reports.count()) >= times, `the node reports ${times} times`, 60_000);
}

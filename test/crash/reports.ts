import { lookupNode } from '../../lib/models/node.ts';
import { Hopeless, until } from '../support/until.ts';
import type { Place } from './place.ts';

/** Counts the reports of a node from its construction on. */
export class Reports {
  private readonly place: Place;
  private readonly seen = new Set<number | undefined>();

  constructor(place: Place) {
    this.place = place;
  }

  /** Returns the number of reports since the first call. */
  async count(): Promise<number> {
    const { reportTime } = await lookupNode(this.place.store, this.place.node);
    this.seen.add(reportTime);
    return this.seen.size - 1;
  }
}

/** Resolves after that many reports of the node. Rejects soon after the signal. */
export async function reported(place: Place, times: number, signal?: AbortSignal): Promise<void> {
  const reports = new Reports(place);
  const what = `the node reports ${times} times`;
  const enough = async () => {
    if (signal?.aborted) throw new Hopeless(what);
    return (await reports.count()) >= times;
  };
  await until(enough, what);
}

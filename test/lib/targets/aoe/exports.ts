import { formatAddress } from '../../../../lib/aoe/address.ts';
import type { ExportSpec, Target } from '../../../../lib/targets/target.ts';
import type { HostSession } from '../conformance.ts';
import type { ExportPlace } from '../pair.ts';
import type { Place } from './place.ts';
import { AoeSession } from './session.ts';

/** Exports of a place on loopback, each at the next slot, with hosts there. */
export class AoeExports implements ExportPlace {
  readonly hosts = ['52:54:00:00:00:01', '52:54:00:00:00:02'] as const;
  private readonly place: Place;
  private readonly sessions: AoeSession[] = [];
  private slot = 0;

  constructor(place: Place) {
    this.place = place;
  }

  target(): Promise<Target> {
    return this.place.readyTarget();
  }

  specOf(storage: Pick<ExportSpec, 'id' | 'path'>): ExportSpec {
    const { shelf } = this.place;
    this.slot += 1;
    return { ...storage, address: formatAddress({ shelf, slot: this.slot }), readOnly: false, hosts: [] };
  }

  async login(spec: ExportSpec, host: string): Promise<HostSession> {
    const session = await AoeSession.open(spec, host, 'lo');
    this.sessions.push(session);
    return session;
  }

  /** The target keeps no list: those are that it still answers. */
  async users({ address }: ExportSpec): Promise<string[]> {
    const open = this.sessions.filter((session) => !session.isClosed && session.address === address);
    const answered = open.map((session) =>
      session.read(0, 512).then(
        () => [session.host],
        () => [],
      ),
    );
    return (await Promise.all(answered)).flat();
  }

  async remove(): Promise<void> {
    for (const session of this.sessions) await session.close();
    await this.place.remove();
  }
}

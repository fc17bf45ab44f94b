import type { BlockstoreError } from '../../lib/errors.ts';
import { shelfOf } from '../../lib/aoe/address.ts';
import type { Chap, ExportSpec, FoundExport, SeenAddress, Target, TargetProblem } from '../../lib/targets/target.ts';

/** Exports in memory at addresses of the pool, which a test can change unnoticed. */
export class FakeTarget implements Target {
  readonly name: string = 'fake';
  readonly addressing: Target['addressing'] = 'aoe';
  readonly authentication: Target['authentication'] = 'none';
  readonly endpoint = '';
  readonly exports = new Map<string, FoundExport>();
  /** Every export that was ever asked for. */
  readonly specs: ExportSpec[] = [];
  /** What answers on the wire. */
  seen: SeenAddress[] = [];
  /** What each verb fails with. */
  setupFault: Error | undefined;
  exportFault: Error | undefined;
  failedExports = 0;
  removeFault: Error | undefined;
  restarts = 0;
  /** A problem of all its exports. */
  problem: BlockstoreError | undefined;

  async setup(): Promise<void> {
    if (this.setupFault) throw this.setupFault;
  }

  async ensureExport(spec: ExportSpec): Promise<void> {
    if (this.exportFault) {
      this.failedExports += 1;
      throw this.exportFault;
    }
    this.specs.push(spec);
    this.exports.set(spec.id, spec);
  }

  resizeExport(spec: ExportSpec): Promise<void> {
    return this.ensureExport(spec);
  }

  async removeExport(id: string): Promise<void> {
    if (this.removeFault) throw this.removeFault;
    this.exports.delete(id);
  }

  async listExports(): Promise<FoundExport[]> {
    return [...this.exports.values()];
  }

  async listTraces(): Promise<string[]> {
    return [...this.exports.values()].flatMap(({ id }) => id ?? []);
  }

  problems(): readonly TargetProblem[] {
    return this.problem ? [{ error: this.problem }] : [];
  }

  async discover(shelves: readonly number[]): Promise<SeenAddress[]> {
    return this.seen.filter(({ address }) => shelves.includes(shelfOf(address)));
  }

  async close(): Promise<void> {}
}

/** The same at addresses of its own, which it derives from the ids of volumes, with secrets. */
export class OwnAddressTarget extends FakeTarget {
  override readonly addressing = 'own';
  override readonly authentication = 'chap';
  /** What a flag of the node can change. */
  portal = '192.0.2.1:3260';

  /** Of a host that has one for all its volumes. */
  shared: Chap | undefined;

  async shareChap(_id: string, _hosts: readonly string[], fresh: Chap): Promise<Chap> {
    return this.shared ?? fresh;
  }

  addressOf(id: string): string {
    return `${this.portal},1 iqn.2010-10.org.openstack:volume-${id} 1`;
  }
}

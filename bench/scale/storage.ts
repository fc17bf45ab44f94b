import { FakeDriver } from '../../lib/drivers/fake/driver.ts';
import type { ExportSpec, FoundExport, SeenAddress, Target, TargetProblem } from '../../lib/targets/target.ts';
import { type Layout, presentVolume } from './layout.ts';

/** Free beside the volumes that are there: less than the largest volume. */
const freeGiB = 900;

/** Storage that remembers its volumes, those of the layout from the beginning. */
export async function storageOf(node: number, layout: Layout): Promise<FakeDriver> {
  const driver = new FakeDriver({ totalBytes: (layout.perNode + freeGiB) * 2 ** 30 });
  for (let number = 0; number < layout.perNode; number += 1) {
    const { id, labels } = presentVolume(node, number, layout);
    await driver.createVolume({ id, size: 1, sizeBytes: 2 ** 30, labels });
  }
  return driver;
}

/** Exports that are remembered alone, with addresses of the cluster's AoE shelves. */
export class SimulatedTarget implements Target {
  readonly name = 'simulated';
  readonly addressing = 'aoe';
  readonly authentication = 'none';
  readonly endpoint = '';
  private readonly exports = new Map<string, FoundExport>();

  async setup(): Promise<void> {}

  async ensureExport({ id, path, address, readOnly, hosts }: ExportSpec): Promise<void> {
    this.exports.set(id, { id, path, address, readOnly, hosts });
  }

  resizeExport(spec: ExportSpec): Promise<void> {
    return this.ensureExport(spec);
  }

  async removeExport(id: string): Promise<void> {
    this.exports.delete(id);
  }

  async listExports(): Promise<FoundExport[]> {
    return [...this.exports.values()];
  }

  async listTraces(): Promise<string[]> {
    return [];
  }

  problems(): readonly TargetProblem[] {
    return [];
  }

  async discover(_shelves: readonly number[]): Promise<SeenAddress[]> {
    return [];
  }

  async close(): Promise<void> {}
}

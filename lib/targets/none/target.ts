import type { ExportSpec, FoundExport, Target, TargetProblem } from '../target.ts';

/** Exports nothing: for fake storage, and for a start without the right to raw sockets. Nothing here ever fails. */
export class NoneTarget implements Target {
  readonly name = 'none';
  readonly addressing = 'none';
  readonly authentication = 'none';
  readonly endpoint = '';

  async setup(): Promise<void> {}

  async ensureExport(_spec: ExportSpec): Promise<void> {}

  async resizeExport(_spec: ExportSpec): Promise<void> {}

  async removeExport(_id: string): Promise<void> {}

  async listExports(): Promise<FoundExport[]> {
    return [];
  }

  async listTraces(): Promise<string[]> {
    return [];
  }

  problems(): readonly TargetProblem[] {
    return [];
  }

  async close(): Promise<void> {}
}

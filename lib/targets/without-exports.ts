import type { ExportSpec, FoundExport, Target, TargetProblem } from './target.ts';

/** Exports nothing: for storage that hosts reach by themselves, and where nobody is to reach volumes. */
export abstract class WithoutExports implements Target {
  abstract readonly name: string;
  readonly addressing = 'none';
  readonly authentication = 'none';

  get endpoint(): string {
    return '';
  }

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

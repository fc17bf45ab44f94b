import { isDeepStrictEqual } from 'node:util';
import type { CreateOptions, VolumeSpec } from '../../lib/drivers/driver.ts';
import { FakeDriver } from '../../lib/drivers/fake/driver.ts';

type Action =
  | 'setup'
  | 'createVolume'
  | 'hasVolume'
  | 'ensureVolume'
  | 'labelVolume'
  | 'deleteVolume'
  | 'listVolumes'
  | 'stats'
  | 'close';

/** A call of a driver. A verb of a volume has its fields as parameters, other verbs have none. */
export interface LoggedCall {
  action: Action;
  parameters: Partial<VolumeSpec>;
}

/** The fake driver, which logs each of its calls with its parameters: the LoggingVolumeDriver of the 2010 code. */
export class LoggingDriver extends FakeDriver {
  private logs: LoggedCall[] = [];

  /** In the order of the calls. */
  get allLogs(): readonly LoggedCall[] {
    return this.logs;
  }

  clearLogs(): void {
    this.logs = [];
  }

  /** Returns the calls of that action whose parameters have these fields with equal values. */
  logsLike(action: Action, fields: Partial<VolumeSpec> = {}): LoggedCall[] {
    const values = new Map<string, unknown>(Object.entries(fields));
    return this.logs.filter((call) => {
      const parameters = new Map<string, unknown>(Object.entries(call.parameters));
      return (
        call.action === action && [...values].every(([name, value]) => isDeepStrictEqual(parameters.get(name), value))
      );
    });
  }

  override async setup(): Promise<void> {
    this.log('setup');
    return super.setup();
  }

  override async createVolume(volume: VolumeSpec, options?: CreateOptions) {
    this.log('createVolume', volume);
    return super.createVolume(volume, options);
  }

  override async hasVolume(volume: VolumeSpec): Promise<boolean> {
    this.log('hasVolume', volume);
    return super.hasVolume(volume);
  }

  override async ensureVolume(volume: VolumeSpec): Promise<void> {
    this.log('ensureVolume', volume);
    return super.ensureVolume(volume);
  }

  override async labelVolume(volume: VolumeSpec): Promise<void> {
    this.log('labelVolume', volume);
    return super.labelVolume(volume);
  }

  override async deleteVolume(volume: VolumeSpec): Promise<void> {
    this.log('deleteVolume', volume);
    return super.deleteVolume(volume);
  }

  override async listVolumes() {
    this.log('listVolumes');
    return super.listVolumes();
  }

  override async stats() {
    this.log('stats');
    return super.stats();
  }

  override async close(): Promise<void> {
    this.log('close');
    return super.close();
  }

  private log(action: Action, parameters: Partial<VolumeSpec> = {}): void {
    this.logs.push({ action, parameters: structuredClone(parameters) });
  }
}

import { errors } from '../errors.ts';
import type { Connection, Connector, NetworkDisks } from './connector.ts';

/** Volumes that guests reach by themselves, and that are never devices of a host. */
export class GuestsOnlyConnector implements Connector {
  readonly name: string;
  readonly otherHost = '';
  readonly network: NetworkDisks;

  constructor(name: string, network: NetworkDisks) {
    this.name = name;
    this.network = network;
  }

  devicePath(_address: string): string {
    return '';
  }

  async isOnHost(_address: string): Promise<boolean> {
    return false;
  }

  async hostsToAdmit(_volume: string): Promise<string[]> {
    return [];
  }

  async isAdmitted(_hosts: readonly string[]): Promise<boolean> {
    return true;
  }

  async requireDevices(volume: string): Promise<void> {
    throw this.refusal(volume);
  }

  async connect(address: string): Promise<Connection> {
    throw this.refusal(this.network.nameOf(address));
  }

  async disconnect(_address: string): Promise<void> {}

  async revalidate(address: string): Promise<number> {
    throw this.refusal(this.network.nameOf(address));
  }

  private refusal(volume: string): Error {
    const reason = `the kernel has no devices of ${this.name} volumes`;
    return errors.connectorFailed(volume, reason, 'attach it to a libvirt domain of this host: --domain');
  }
}

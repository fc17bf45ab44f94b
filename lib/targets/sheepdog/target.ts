import { sheepdogAddress, sheepdogEndpoint } from '../../sheepdog/address.ts';
import { WithoutExports } from '../without-exports.ts';

export interface SheepdogTargetOptions {
  /** Of a daemon of the cluster, as hosts reach it. */
  address: string;
  port: number;
}

/** Says where hosts find images of Sheepdog, which they reach by themselves. */
export class SheepdogTarget extends WithoutExports {
  readonly name = 'sheepdog';
  private readonly options: SheepdogTargetOptions;

  constructor(options: SheepdogTargetOptions) {
    super();
    this.options = options;
  }

  override get endpoint(): string {
    return sheepdogEndpoint(this.options.address, this.options.port);
  }

  addressOf(id: string): string {
    return sheepdogAddress(`volume-${id}`);
  }
}

import {
  type Portal,
  formatIscsiAddress,
  isIscsiName,
  portalGroup,
  portalText,
  tryParsePortal,
  volumeAddress,
} from './address.ts';
import { portalIn } from './portal.ts';
import type { Watch } from '../targets/server-watch.ts';
import type { TargetProblem } from '../targets/target.ts';

export interface PortalTargetOptions {
  portal: Portal;
  /** Beginning of the names of targets (iscsi_target_prefix). */
  targetPrefix: string;
  /** Whether new attachments get a secret (iscsi_chap). */
  chap: boolean;
  durability: 'sync' | 'cached';
}

interface Flags {
  iscsi_ip_address: string;
  iscsi_port: number;
  iscsi_target_prefix: string;
  iscsi_chap: boolean;
  iscsi_durability: 'sync' | 'cached';
}

export function portalTargetOptions(flags: Flags): PortalTargetOptions {
  return {
    portal: portalIn(flags),
    targetPrefix: flags.iscsi_target_prefix,
    chap: flags.iscsi_chap,
    durability: flags.iscsi_durability,
  };
}

/** What the iSCSI servers of this host have in common: a target for each volume at one portal, which a watch rebuilds. */
export abstract class PortalTarget<Options extends PortalTargetOptions = PortalTargetOptions> {
  readonly addressing = 'own';
  readonly authentication: 'chap' | 'none';
  protected readonly options: Options;
  protected abstract readonly watch: Watch;

  constructor(options: Options) {
    this.options = options;
    this.authentication = options.chap ? 'chap' : 'none';
  }

  get endpoint(): string {
    return portalText(this.options.portal);
  }

  addressOf(id: string): string {
    return volumeAddress(this.options.portal, this.options.targetPrefix, id);
  }

  problems(): readonly TargetProblem[] {
    return this.watch.problems;
  }

  get restarts(): number {
    return this.watch.restarts;
  }

  /** The server and its exports go on. */
  async close(): Promise<void> {
    await this.watch.end();
  }
}

/** Returns the address of any target that is found; its name alone where that, or the portal, has another form. */
export function foundAddress(portal: string, targetName: string, lun: number): string {
  const at = tryParsePortal(portal);
  return at && isIscsiName(targetName) ? formatIscsiAddress({ ...at, portalGroup, targetName, lun }) : targetName;
}

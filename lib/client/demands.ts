import type { Requirements } from '../models/requirements.ts';
import { typesOf } from '../models/type.ts';
import { volumesOf } from '../models/volume.ts';
import type { Store } from '../redis/store.ts';

/** What a volume's record, or the request for it, asks of its backend. */
export interface Asked {
  /** The id of its type; '' = none. */
  type: string;
  /** The zone that it is to be in; '' = any. */
  wantedZone: string;
  /** Volumes on whose nodes it is not to be. */
  apartFrom: readonly string[];
  /** Several hosts are to have it at once. */
  isMultiattach: boolean;
}

export interface Demands {
  requirements: Requirements;
  /** Besides those of its type; '' = any. */
  zone: string;
  /** Its hosts encrypt it. */
  isEncrypted: boolean;
  /** Nodes that it is not to be on, with the volume that is there. */
  apart: ReadonlyMap<string, string>;
  /** Its hosts can go on with it at this target alone. */
  attached?: { volume: string; target: string };
}

const noType = { requirements: {}, encryption: undefined };

/** Undefined where nothing is asked. A volume that is gone keeps the new one from no node. Throws TypeNotFound. */
export async function demandsOf(store: Store, asked: Asked): Promise<Demands | undefined> {
  const { type, wantedZone, apartFrom, isMultiattach } = asked;
  if (type === '' && wantedZone === '' && apartFrom.length === 0 && !isMultiattach) return undefined;
  const { requirements, encryption } = type === '' ? noType : await typesOf(store).lookup(type);
  const { states } = await volumesOf(store).readAll(apartFrom);
  return {
    requirements: { ...requirements, ...(isMultiattach ? { multiattach: 'yes' } : {}) },
    zone: wantedZone,
    isEncrypted: encryption !== undefined,
    apart: new Map(states.map(({ id, node }) => [node, id])),
  };
}

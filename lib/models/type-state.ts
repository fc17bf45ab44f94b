import { type Hash, UnreadableError } from './hash.ts';
import { type TypeEncryption, encryptionIn } from './type-encryption.ts';
import { isId } from './id.ts';
import { type Limits, limitsIn } from './limits.ts';
import { metadataIn } from './metadata.ts';
import { type Requirements, requirementsIn } from './requirements.ts';

/** A project that can use a private type has a field of its own. */
const accessPrefix = 'access:';

/** A type of volumes: what they require of their backends. */
export interface TypeState {
  id: string;
  name: string;
  description: string;
  requirements: Requirements;
  limits: Limits;
  metadata: Readonly<Record<string, string>>;
  /** Every project can use it; otherwise those of `projects` alone. */
  isPublic: boolean;
  projects: readonly string[];
  /** How the hosts encrypt its volumes; undefined = they need not be. */
  encryption: TypeEncryption | undefined;
  /** The id of the QoS spec whose limits it has; '' = none. */
  qosSpec: string;
  /** Milliseconds since the epoch. */
  createTime: number;
}

/** Throws UnreadableError for a record that this version cannot read. */
export function parseType(id: string, hash: Hash): TypeState {
  const { name = '', createTime = '' } = hash;
  if (!isId(id)) throw new UnreadableError('has an id that is no UUID');
  if (name === '' || !/^\d{1,16}$/.test(createTime)) throw new UnreadableError('lacks its name or creation time');
  return {
    id,
    name,
    description: hash['description'] ?? '',
    requirements: requirementsIn(hash),
    limits: limitsIn(hash),
    metadata: metadataIn(hash),
    isPublic: hash['private'] !== 'true',
    projects: projectsIn(hash),
    encryption: encryptionIn(hash),
    qosSpec: hash['qosSpec'] ?? '',
    createTime: Number(createTime),
  };
}

export function accessField(project: string): string {
  return accessPrefix + project;
}

/** Whether the volumes of a project can have the type. */
export function isUsableBy({ isPublic, projects }: TypeState, project: string): boolean {
  return isPublic || projects.includes(project);
}

function projectsIn(hash: Hash): string[] {
  const fields = Object.keys(hash).filter((field) => field.startsWith(accessPrefix));
  return fields.map((field) => field.slice(accessPrefix.length)).toSorted();
}

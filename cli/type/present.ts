import type { Limits } from '../../lib/models/limits.ts';
import type { TypeState } from '../../lib/models/type-state.ts';
import { isoTime, timeAgo } from '../format.ts';
import type { Column } from '../table.ts';

/** Returns a record in the form of --json. */
export function typeJson({ description, createTime, limits, encryption, qosSpec, ...rest }: TypeState): object {
  return {
    ...rest,
    limits: limitsJson(limits),
    description: description || null,
    encryption: encryption ? { ...encryption, createTime: isoTime(encryption.createTime) } : null,
    qosSpec: qosSpec || null,
    createTime: isoTime(createTime),
  };
}

export const typeColumns: readonly Column<TypeState>[] = [
  { title: 'ID', text: (type) => type.id },
  { title: 'NAME', text: (type) => type.name, maxWidth: 32 },
  { title: 'REQUIRES', text: ({ requirements }) => pairs(requirements) },
];

export function typeFacts(type: TypeState): [string, string][] {
  return [
    ['id', type.id],
    ['name', type.name],
    ['description', type.description],
    ['requires', pairs(type.requirements)],
    ['limits', limitsText(type.limits)],
    ['QoS spec', type.qosSpec],
    ['encryption', type.encryption?.provider ?? ''],
    ['projects', type.isPublic ? 'all' : type.projects.join(', ') || 'none'],
    ['metadata', pairs(type.metadata)],
    ['created', timeAgo(type.createTime)],
  ];
}

function pairs(fields: Readonly<Record<string, string>>): string {
  return Object.entries(fields)
    .map(([key, value]) => `${key}=${value}`)
    .join(', ');
}

/** Of a type or a volume: null for none. */
export function limitsJson({ iops, bytesPerSecond }: Limits): object {
  return { iops: iops ?? null, bytesPerSecond: bytesPerSecond ?? null };
}

export function limitsText({ iops, bytesPerSecond }: Limits): string {
  const given = [
    iops === undefined ? '' : `${iops} reads and writes a second`,
    bytesPerSecond === undefined ? '' : `${bytesPerSecond} bytes a second`,
  ];
  return given.filter((text) => text !== '').join(', ');
}

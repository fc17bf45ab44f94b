const kinds = ['backup', 'snapshot', 'image'] as const;

/** What the data of a volume are replaced by: a backup, its latest snapshot, or an image. */
export interface RestoreSource {
  kind: (typeof kinds)[number];
  id: string;
}

/** Returns its text in the record of the volume, and in the label of its storage: of a backup the id alone. */
export function writeSource({ kind, id }: RestoreSource): string {
  return kind === 'backup' ? id : `${kind}:${id}`;
}

/** Undefined for ''. */
export function sourceIn(text: string): RestoreSource | undefined {
  if (text === '') return undefined;
  const kind = kinds.find((one) => text.startsWith(`${one}:`));
  return kind === undefined ? { kind: 'backup', id: text } : { kind, id: text.slice(kind.length + 1) };
}

/** Returns it as a message names it. */
export function sourceName({ kind, id }: RestoreSource): string {
  return `${kind} ${id}`;
}

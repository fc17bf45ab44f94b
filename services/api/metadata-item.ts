/** Returns the value of a key; undefined without it, also where every object has something of that name, such as `constructor`. */
export function metadataItem(metadata: Readonly<Record<string, string>>, key: string): string | undefined {
  return Object.hasOwn(metadata, key) ? metadata[key] : undefined;
}

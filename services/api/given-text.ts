/** Returns a field with a text that a request gives; none where it gives none, or ''. */
export function givenText<Name extends string>(key: Name, value: string | null | undefined): { [K in Name]?: string } {
  const fields: { [K in Name]?: string } = {};
  if (value !== undefined && value !== null && value !== '') fields[key] = value;
  return fields;
}

/** Returns what a request gives under one of two names; null and '' as ''. */
export function eitherText(one: string | null | undefined, other: string | null | undefined): string | undefined {
  const given = one === undefined ? other : one;
  return given === null ? '' : given;
}

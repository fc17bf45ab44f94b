/** After which nobody knows whether a request was recorded, or stays so. */
export const unsureCodes: ReadonlySet<string> = new Set(['RedisUnreachable', 'NotReplicated', 'ChangeLost']);

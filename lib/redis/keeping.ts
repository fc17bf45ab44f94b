import type { Store } from './store.ts';

/**
 * How this Redis might lose records, one line each; none when it keeps them. Nothing is said of what its user may not ask.
 */
export async function keepingProblems(store: Store): Promise<string[]> {
  const [config, replication] = await store.read((redis) =>
    Promise.all([
      redis.config('GET', 'appendonly', 'maxmemory-policy', 'maxmemory').catch(() => undefined),
      redis.info('replication').catch(() => ''),
    ]),
  );
  const settings = pairsOf(config);
  const problems: string[] = [];
  const replicas = Number(/connected_slaves:(\d+)/.exec(replication)?.[1] ?? 0);
  if (settings.get('appendonly') === 'no' && replicas === 0) {
    problems.push('Redis has neither an append-only file nor a replica: a crash loses records; set "appendonly yes"');
  }
  const policy = settings.get('maxmemory-policy');
  if (policy !== undefined && policy !== 'noeviction' && settings.get('maxmemory') !== '0') {
    problems.push(
      `Redis evicts keys when memory is full (maxmemory-policy ${policy}): set "maxmemory-policy noeviction"`,
    );
  }
  return problems;
}

function pairsOf(config: unknown): Map<string, string> {
  if (!Array.isArray(config)) {
    return new Map(
      Object.entries(typeof config === 'object' && config !== null ? config : {}).map(([k, v]) => [k, String(v)]),
    );
  }
  const texts = config.map(String);
  return new Map(texts.flatMap((name, index) => (index % 2 === 0 ? [[name, texts[index + 1] ?? '']] : [])));
}

import { randomUUID } from 'node:crypto';
import type { Call } from '../../../../services/api/call.ts';
import { type Maker, makers, parametersOf } from './makers.ts';
import type { PolicyPlace } from './place.ts';
import type { Trial } from './trials.ts';

/** The project of those who try calls, and another one. */
export const [own, foreign] = ['p1', 'p2'];

/** What the parameters of a path, and the ids in a request, refer to. */
export type Owner = 'own' | 'foreign' | 'absent';

export interface Sent {
  path: string;
  body: unknown;
}

/** Returns a request; `ofPath`, `ofIds`: what it refers to there, undefined: nothing that is of a project. */
export async function requestOf(
  place: PolicyPlace,
  { path, action }: Call,
  { body, query }: Trial,
  owners: { path: Owner; ids: Owner },
): Promise<{ request: Sent; ofPath: Maker['of'] | undefined; ofIds: Maker['of'] | undefined }> {
  const found: { [K in 'path' | 'ids']?: Maker['of'] } = {};
  const make = async (part: 'path' | 'ids', parameter: string, parent = '') => {
    const maker = makers.get(parameter);
    if (!maker) throw new Error(`policy/makers.ts has no maker for ${parameter}`);
    if (maker.of !== 'everybody') found[part] = maker.of;
    if (maker.of === 'project' && owners[part] === 'absent') return randomUUID();
    return maker.make(place, owners[part] === 'own' ? own : foreign, parent);
  };
  let filled = path;
  let parent = '';
  for (const parameter of parametersOf(path)) {
    parent = await make('path', parameter, parent);
    filled = filled.replace(/:[a-z_]+/, parent);
  }
  const reference = (parameter: string) => make('ids', parameter);
  const given = await body?.(reference);
  const search = (await query?.(reference)) ?? '';
  const request = {
    path: `/v3/${own}${filled}${search}`,
    body: action === undefined ? given : { [action]: given ?? null },
  };
  return { request, ofPath: found.path, ofIds: found.ids };
}

import { type Index, type RecordKind, type Sum, kindNames, kinds } from '../models/kinds.ts';
import type { LuaFunction } from './keys.ts';

/**
 * The table of record kinds as Lua functions: `record_key(kind, id)`; `entries_of(kind, id, record, time)`, which lists the index
 * entries that a record has as {key, member, score, whether only that score is right}; `reindex(kind, id, before, after, time)`, which makes the entries of a record
 * those of `after`, nil standing for a record that does not exist; and `sums_of(kind, record)`, which lists what its size counts in
 * as {key, field, whether it is an allocation}, false where it lacks a field of the key, or does not count there.
 */
export function kindFunctions(): LuaFunction[] {
  const all = kindNames.map((name): [string, RecordKind] => [name, kinds[name]]);
  const keys = all.map(([name, kind]) => `  if kind == '${name}' then return ${text(kind.key)} end`);
  const entries = all.map(
    ([name, kind]) => `  if kind == '${name}' then\n${kind.indexes.map(entry).join('\n')}\n  return list end`,
  );
  const moves = all.map(([name, kind]) => `  if kind == '${name}' then\n${kind.indexes.map(move).join('\n')}\n  end`);
  const sums = all.flatMap(([name, { sums: own = [] }]) =>
    own.length === 0 ? [] : [`  if kind == '${name}' then return { ${own.map(sumIn).join(', ')} } end`],
  );
  return [
    { name: 'record_key', source: `local function record_key(kind, id)\n${keys.join('\n')}\nend` },
    {
      name: 'entries_of',
      source: `local function entries_of(kind, id, record, time)\n  local list = {}\n${entries.join('\n')}\nend`,
    },
    {
      name: 'reindex',
      source: `local function reindex(kind, id, before, after, time)\n${moves.join('\n')}\nend`,
    },
    { name: 'sums_of', source: `local function sums_of(kind, record)\n${sums.join('\n')}\n  return {}\nend` },
  ];
}

function sumIn({ key, field, isAllocation, unless }: Sum): string {
  const counts = unless === undefined ? '' : ` and not record['${unless}']`;
  return `${has(fieldsIn(key))}${counts} and { ${text(key)}, '${field}', ${isAllocation === true} } or false`;
}

function entry(index: Index): string {
  const { key, member = '{id}' } = index;
  const fields = requiredBy(index);
  const body = `list[#list + 1] = { ${text(key)}, ${text(member, '')}, ${scoreIn(index)}, ${index.score !== 'now'} }`;
  return fields.length === 0 ? `  ${body}` : `  if ${has(fields)} then ${body} end`;
}

/** Statements that touch the index only where the entry differs: most changes of a record move no entry. */
function move(index: Index): string {
  const { key, member = '{id}', score } = index;
  const scored = typeof score === 'object' ? [score.field] : [];
  const named = [...new Set([...fieldsIn(key), ...fieldsIn(member), ...scored])];
  const isIn = (record: string) => [record, ...requiredBy(index).map((field) => `${record}['${field}']`)].join(' and ');
  const same = ['was', 'is', ...named.map((field) => `before['${field}'] == after['${field}']`)].join(' and ');
  const remove = `redis.pcall('ZREM', ${text(key, 'KEYS[1]', 'before')}, ${text(member, '', 'before')})`;
  const add = `redis.pcall('ZADD', ${text(key, 'KEYS[1]', 'after')}, ${scoreIn(index, 'after')}, ${text(member, '', 'after')})`;
  return `    do
      local was, is = ${isIn('before')}, ${isIn('after')}
      if not (${same}) then
        if was then ${remove} end
        if is then ${add} end
      end
    end`;
}

/** Fields that a record must have to be in the index. */
function requiredBy({ key, member = '{id}', when }: Index): string[] {
  return [...new Set([...fieldsIn(key), ...fieldsIn(member), ...(when === undefined ? [] : [when])])];
}

function scoreIn({ score }: Index, record = 'record'): string {
  return score === undefined ? '0' : score === 'now' ? 'time' : `${record}['${score.field}']`;
}

function fieldsIn(template: string): string[] {
  return Array.from(template.matchAll(/\{(\w+)\}/g), ([, name = '']) => name).filter((name) => name !== 'id');
}

function has(fields: readonly string[]): string {
  return fields.map((field) => `record['${field}']`).join(' and ');
}

/** A template as a Lua expression, after the prefix. */
function text(template: string, prefix = 'KEYS[1]', record = 'record'): string {
  const parts = template
    .split(/(\{\w+\})/)
    .filter((part) => part !== '')
    .map((part) => {
      const field = /^\{(\w+)\}$/.exec(part)?.[1];
      if (field === undefined) return `'${part.replaceAll('\0', String.raw`\0`)}'`;
      return field === 'id' ? 'id' : `${record}['${field}']`;
    });
  return [...(prefix === '' ? [] : [prefix]), ...parts].join(' .. ');
}

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';

const etc = join(import.meta.dirname, '..', '..', 'etc');
export const rulesFile = join(etc, 'prometheus', 'blockstore.rules.yml');

/** An expression of PromQL, and where it is. */
export interface Expression {
  where: string;
  text: string;
}

const panelSchema = z.object({
  title: z.string(),
  targets: z.array(z.object({ expr: z.string() })).default([]),
});
const dashboardSchema = z.object({
  panels: z.array(panelSchema),
  templating: z.object({ list: z.array(z.object({ query: z.unknown() })) }),
});
const variableSchema = z.object({ query: z.string() });

/** Every expression of the dashboard, its variables replaced as Grafana does for all nodes. */
export async function dashboardExpressions(): Promise<Expression[]> {
  const text = await readFile(join(etc, 'grafana', 'blockstore.json'), 'utf8');
  const { panels, templating } = dashboardSchema.parse(JSON.parse(text));
  const ofPanels = panels.flatMap(({ title, targets }) => targets.map(({ expr }) => ({ where: title, text: expr })));
  const ofVariables = templating.list.flatMap(({ query }) => {
    const [, selector] = /^label_values\((.+), \w+\)$/.exec(variableSchema.safeParse(query).data?.query ?? '') ?? [];
    return selector === undefined ? [] : [{ where: 'a variable', text: selector }];
  });
  return [...ofPanels, ...ofVariables].map(({ where, text: expr }) => ({
    where,
    text: expr.replaceAll('$__rate_interval', '1m').replaceAll('$instance', '.*'),
  }));
}

/** Every expression of the alerts: each is on one line. */
export async function alertExpressions(): Promise<Expression[]> {
  const lines = (await readFile(rulesFile, 'utf8')).split('\n');
  let where = '';
  return lines.flatMap((line) => {
    where = /^ +- alert: (\S+)$/.exec(line)?.[1] ?? where;
    const [, text] = /^ +expr: (.+)$/.exec(line) ?? [];
    return text === undefined ? [] : [{ where, text }];
  });
}

/** A metric as an expression names it, with the labels that it is selected by, and the text of both. */
export interface Selector {
  name: string;
  labels: readonly string[];
  text: string;
}

/** The metrics that an expression reads. */
export function selectorsIn({ text }: Expression): Selector[] {
  return Array.from(
    text.matchAll(/\b((?:blockstore|process|nodejs)_\w+|up)\b(\{[^}]*\})?/g),
    ([whole, name = '', braces = '']) => ({
      name,
      labels: Array.from(braces.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g), ([, label = '']) => label),
      text: whole,
    }),
  );
}

/** Labels that an expression groups by. */
export function groupingsIn({ text }: Expression): string[] {
  return Array.from(text.matchAll(/\b(?:by|on|without|group_left)\s*\(([^)]*)\)/g), ([, list = '']) =>
    list.split(',').map((label) => label.trim()),
  ).flat();
}

/** An element of the answers of CLIQ, which have no text. */
export interface Element {
  name: string;
  attributes: Readonly<Record<string, string>>;
  children: Element[];
}

const entities: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };
const tag = /<(\/?)([A-Za-z][\w.-]*)((?:\s+[\w.:-]+\s*=\s*(?:"[^"<]*"|'[^'<]*'))*)\s*(\/?)>/y;

/** Returns the one element of the text; undefined for text that has anything else, or ends before its end. */
export function parseXml(text: string): Element | undefined {
  const source = text.trim().replace(/^<\?xml[^>]*\?>\s*/, '');
  const root: Element = { name: '', attributes: {}, children: [] };
  const open = [root];
  for (let at = 0; at < source.length; ) {
    tag.lastIndex = at;
    const [whole = '', closing, name = '', rest = '', single] = tag.exec(source) ?? [];
    const parent = open.at(-1);
    if (whole === '' || !parent || (open.length === 1 && root.children.length > 0)) return undefined;
    if (closing === '/') {
      if (open.length === 1 || parent.name !== name) return undefined;
      open.pop();
    } else {
      const element: Element = { name, attributes: attributesIn(rest), children: [] };
      parent.children.push(element);
      if (single !== '/') open.push(element);
    }
    at += whole.length;
    at += /^\s*/.exec(source.slice(at, at + 1000))?.[0].length ?? 0;
  }
  return open.length === 1 ? root.children[0] : undefined;
}

function attributesIn(text: string): Record<string, string> {
  const pairs = [...text.matchAll(/([\w.:-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')/g)];
  return Object.fromEntries(pairs.map(([, name = '', one, other]) => [name, decoded(one ?? other ?? '')]));
}

function decoded(text: string): string {
  return text.replaceAll(/&(?:#(\d+)|#x([0-9a-f]+)|(\w+));/gi, (whole, decimal, hex, name) => {
    if (decimal !== undefined) return String.fromCodePoint(Number(decimal));
    if (hex !== undefined) return String.fromCodePoint(Number.parseInt(hex, 16));
    return entities[name] ?? whole;
  });
}

import { XMLBuilder, XMLParser, XMLValidator } from 'fast-xml-parser';
import { z } from 'zod';

/** An element of a document that was read. Values are text, whatever they look like. */
export interface Element {
  name: string;
  attributes: Readonly<Record<string, string>>;
  children: Element[];
  /** What it contains outside of its children, references resolved. */
  text: string;
}

/** An element to write. */
export interface NewElement {
  name: string;
  attributes?: Readonly<Record<string, string>>;
  children?: readonly NewElement[];
  text?: string;
}

const maxLength = 64 * 2 ** 20;
const [textName, attributesName] = ['#text', ':@'];

const common = {
  preserveOrder: true,
  ignoreAttributes: false,
  attributeNamePrefix: '',
  textNodeName: textName,
  processEntities: true,
} as const;
const parser = new XMLParser({
  ...common,
  htmlEntities: true, // numeric references are resolved with these alone
  parseTagValue: false,
  parseAttributeValue: false,
  trimValues: false,
  ignorePiTags: true,
  maxNestedTags: 1000, // a chain of overlays is nested
  onDangerousProperty: (name) => name, // no object has a name of the document as a property that is called
});
const builder = new XMLBuilder({ ...common, suppressEmptyNode: true, suppressBooleanAttributes: false });

const nodesShape = z.array(z.record(z.string(), z.unknown()));
const attributesShape = z.record(z.string(), z.string());

/**
 * Returns the one element of a document; undefined for text that is not well-formed, that is cut, or has anything else before or behind
 * the element. Documents that define entities are refused: what they expand to has no limit.
 */
export function parseXml(text: string): Element | undefined {
  if (text.length > maxLength || /<!DOCTYPE/i.test(text)) return undefined;
  // In an element of ours, text beside that of the document shows, which the validator ignores behind its end.
  const wrapped = `<document>${text.trim().replace(/^<\?xml\s[^>]*\?>/, '')}</document>`;
  if (XMLValidator.validate(wrapped) !== true) return undefined;
  try {
    const [document, ...others] = contentOf(parser.parse(wrapped)).elements;
    const [root, ...more] = document?.children ?? [];
    const isAlone = others.length === 0 && more.length === 0 && document?.text.trim() === '';
    return isAlone ? root : undefined;
  } catch {
    return undefined; // too deep, or with names that the parser refuses
  }
}

/** Returns the element as text; whatever its attributes and texts contain, it is no markup. */
export function writeXml(element: NewElement): string {
  return builder.build([nodeOf(element)]);
}

/** Returns the elements below an element, at any depth, in the order of the document. */
export function descendants(element: Element, name: string): Element[] {
  return element.children.flatMap((child) => [...(child.name === name ? [child] : []), ...descendants(child, name)]);
}

function contentOf(nodes: unknown): { elements: Element[]; text: string } {
  const elements: Element[] = [];
  let text = '';
  for (const { [attributesName]: attributes = {}, [textName]: part, ...rest } of nodesShape.parse(nodes)) {
    text += typeof part === 'string' ? part : '';
    for (const [name, content] of Object.entries(rest)) {
      const { elements: children, text: own } = contentOf(content);
      elements.push({ name, attributes: attributesShape.parse(attributes), children, text: own });
    }
  }
  return { elements, text };
}

function nodeOf({ name, attributes = {}, children = [], text }: NewElement): object {
  const content = [...(text === undefined ? [] : [{ [textName]: text }]), ...children.map(nodeOf)];
  return { [name]: content, [attributesName]: attributes };
}

/** @typedef {Node | string | number | null | undefined | false} Child */
/** @typedef {Record<string, string | number | boolean | null | undefined>} Attributes */

/**
 * Returns an element. Attributes that are undefined, null or false are left out. Text is never read as HTML.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Attributes} [attributes]
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    made.setAttribute(name, value === true ? '' : String(value));
  }
  made.append(...nodes(children));
  return made;
}

/**
 * @param {readonly Child[]} children
 * @returns {(Node | string)[]}
 */
function nodes(children) {
  return children.flatMap((child) => {
    if (child === null || child === undefined || child === false) return [];
    return [typeof child === 'number' ? String(child) : child];
  });
}

/**
 * Replaces what an element contains.
 * @param {Element} parent
 * @param {...Child} children
 */
export function fill(parent, ...children) {
  parent.replaceChildren(...nodes(children));
}

/**
 * @param {string} id
 * @returns {HTMLElement}
 */
export function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no ${id}`);
  return found;
}

/**
 * @param {string} label
 * @param {() => void} onClick
 * @param {Attributes} [attributes]
 */
export function button(label, onClick, attributes = {}) {
  const made = element('button', { type: 'button', ...attributes }, label);
  made.addEventListener('click', onClick);
  return made;
}

/**
 * Items of a list or a table that are shown anew only where they differ: whoever reads or uses one is not disturbed.
 * @template Item
 */
export class Items {
  /**
   * @param {Element} parent
   * @param {(item: Item) => string} keyOf
   * @param {(item: Item) => Element} make
   */
  constructor(parent, keyOf, make) {
    this.parent = parent;
    this.keyOf = keyOf;
    this.make = make;
    /** @type {Map<string, { text: string, node: Element }>} */
    this.shown = new Map();
  }

  /** @param {readonly Item[]} items */
  update(items) {
    const keys = new Set(items.map(this.keyOf));
    for (const [key, { node }] of this.shown) {
      if (keys.has(key)) continue;
      node.remove();
      this.shown.delete(key);
    }
    items.forEach((item, index) => this.place(item, index));
  }

  /**
   * @param {Item} item
   * @param {number} index
   */
  place(item, index) {
    const key = this.keyOf(item);
    const made = this.make(item);
    const text = made.outerHTML;
    const before = this.shown.get(key);
    if (before && before.text === text) {
      if (this.parent.children[index] !== before.node)
        this.parent.insertBefore(before.node, this.parent.children[index] ?? null);
      return;
    }
    const focus = before?.node.contains(document.activeElement)
      ? document.activeElement?.getAttribute('data-focus')
      : null;
    before?.node.remove();
    this.parent.insertBefore(made, this.parent.children[index] ?? null);
    this.shown.set(key, { text, node: made });
    const focused = focus ? made.querySelector(`[data-focus="${CSS.escape(focus)}"]`) : null;
    if (focused instanceof HTMLElement) focused.focus();
  }
}

/**
 * A table of items, in a region that scrolls by itself where it is too wide.
 * @template Item
 */
export class Table {
  /**
   * @param {object} options
   * @param {string} options.caption
   * @param {readonly { title: string, cell: (item: Item) => Child | Child[], kind?: 'wide' | 'number' }[]} options.columns
   * @param {(item: Item) => string} options.keyOf
   * @param {string} options.none What is shown without items.
   */
  constructor({ caption, columns, keyOf, none }) {
    const body = element('tbody');
    const head = columns.map(({ title, kind }) => element('th', { scope: 'col', class: kind }, title));
    this.table = element(
      'table',
      {},
      element('caption', {}, caption),
      element('thead', {}, element('tr', {}, ...head)),
      body,
    );
    this.none = element('p', { class: 'none' }, none);
    this.content = element('div', { class: 'table' }, this.table, this.none);
    // Where it scrolls, the keyboard reaches it.
    const scrolls = new ResizeObserver(() => {
      const isTooWide = this.content.scrollWidth > this.content.clientWidth;
      for (const [name, value] of Object.entries({ tabindex: '0', role: 'region', 'aria-label': caption })) {
        if (isTooWide) this.content.setAttribute(name, value);
        else this.content.removeAttribute(name);
      }
    });
    scrolls.observe(this.content);
    scrolls.observe(this.table);
    this.items = new Items(body, keyOf, (item) => {
      const cells = columns.map(({ cell, kind }, index) => {
        const content = [cell(item)].flat();
        return index === 0
          ? element('th', { scope: 'row', class: kind }, ...content)
          : element('td', { class: kind }, ...content);
      });
      return element('tr', {}, ...cells);
    });
    this.update([]);
  }

  /** @param {readonly Item[]} items */
  update(items) {
    this.items.update(items);
    this.table.hidden = items.length === 0;
    this.none.hidden = items.length > 0;
  }
}

import { button, element } from './dom.js';

/**
 * @typedef {{
 *   name: string, label: string, kind?: 'text' | 'number' | 'checkbox' | 'select', value?: string, hint?: string, isRequired?: boolean,
 *   least?: number, most?: number, options?: readonly { value: string, label: string }[],
 * }} Field
 */

let count = 0;

/**
 * Opens a form in a dialog. It shows the command that does the same as it would be with what is filled in. Values are texts; that of a
 * box that is not checked is ''.
 * @param {object} options
 * @param {string} options.title
 * @param {string} [options.text]
 * @param {readonly Field[]} options.fields
 * @param {string} options.action The label of the button.
 * @param {boolean} [options.isDangerous]
 * @param {(values: Record<string, string>) => string} options.command
 * @param {(values: Record<string, string>) => Promise<void>} options.submit Throws ApiError.
 */
export function openForm({ title, text, fields, action, isDangerous = false, command, submit }) {
  count += 1;
  const id = `form-${count}`;
  const inputs = new Map(fields.map((field) => [field.name, inputFor(field, `${id}-${field.name}`)]));
  const values = () => Object.fromEntries(Array.from(inputs, ([name, input]) => [name, valueOf(input)]));
  const shown = element('code', { tabindex: 0, 'aria-labelledby': `${id}-command`, role: 'group' });
  const copied = element('span', { role: 'status', class: 'copied' });
  const problem = element('p', { role: 'alert', class: 'problem' });
  const submitButton = element('button', { type: 'submit', class: isDangerous ? 'primary danger' : 'primary' }, action);
  const form = element(
    'form',
    {},
    element('h2', { id }, title),
    text !== undefined && element('p', {}, text),
    ...fields.map((field) => labelled(field, inputs.get(field.name), `${id}-${field.name}`)),
    element(
      'div',
      { class: 'command' },
      element('p', { id: `${id}-command` }, 'The same by the command line'),
      shown,
      button('Copy the command', () => void copy(shown, copied)),
      copied,
    ),
    problem,
    element(
      'div',
      { class: 'buttons' },
      submitButton,
      button('Cancel', () => dialog.close()),
    ),
  );
  const dialog = element('dialog', { 'aria-labelledby': id }, form);
  const refresh = () => {
    shown.textContent = command(values());
    copied.textContent = '';
  };
  form.addEventListener('input', refresh);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    void run();
  });
  const run = async () => {
    submitButton.disabled = true;
    problem.textContent = '';
    try {
      await submit(values());
      dialog.close();
    } catch (error) {
      problem.textContent = error instanceof Error ? error.message : String(error);
    } finally {
      submitButton.disabled = false;
    }
  };
  dialog.addEventListener('close', () => dialog.remove());
  document.body.append(dialog);
  refresh();
  dialog.showModal();
  const [first] = inputs.values();
  if (first instanceof HTMLInputElement) first.select();
}

/** @typedef {HTMLInputElement | HTMLSelectElement} Input */

/**
 * @param {Field} field
 * @param {string} id
 * @returns {Input}
 */
function inputFor({ kind = 'text', value = '', hint, isRequired, least, most, options = [] }, id) {
  const common = { id, required: isRequired === true, 'aria-describedby': hint === undefined ? null : `${id}-hint` };
  if (kind === 'select') {
    const choices = options.map((one) =>
      element('option', { value: one.value, selected: one.value === value }, one.label),
    );
    return element('select', common, ...choices);
  }
  if (kind === 'checkbox')
    return element('input', { ...common, type: 'checkbox', value: 'yes', checked: value !== '' });
  const limits =
    kind === 'number' ? { min: least, max: most, step: 1 } : { maxlength: most ?? 255, spellcheck: 'false' };
  return element('input', { ...common, type: kind, value, autocomplete: 'off', ...limits });
}

/** @param {Input} input */
function valueOf(input) {
  if (input instanceof HTMLInputElement && input.type === 'checkbox') return input.checked ? input.value : '';
  return input.value.trim();
}

/**
 * @param {Field} field
 * @param {Input | undefined} input
 * @param {string} id
 */
function labelled({ label, hint, kind, isRequired }, input, id) {
  const name = element(
    'label',
    { for: id },
    label,
    isRequired === true && element('span', { class: 'required' }, ' (required)'),
  );
  const note = hint !== undefined && element('p', { id: `${id}-hint`, class: 'hint' }, hint);
  if (kind === 'checkbox') return element('div', { class: 'field check' }, input, name, note);
  return element('div', { class: 'field' }, name, input, note);
}

/**
 * @param {HTMLElement} code
 * @param {HTMLElement} note
 */
async function copy(code, note) {
  try {
    await navigator.clipboard.writeText(code.textContent ?? '');
    note.textContent = 'Copied';
  } catch {
    // Browsers allow it on HTTPS and on this machine alone: the reader copies what is selected.
    const selection = getSelection();
    selection?.selectAllChildren(code);
    note.textContent = 'Selected: copy it by the keyboard';
  }
}

import { session, signIn } from './api.js';
import { element } from './dom.js';

/**
 * The form for those whom the API does not know.
 * @param {object} options
 * @param {string} options.reason
 * @param {() => void} options.onSignedIn
 * @returns {Element[]}
 */
export function signInForm({ reason, onSignedIn }) {
  const user = element('input', {
    id: 'user',
    autocomplete: 'username',
    required: true,
    autocapitalize: 'none',
    spellcheck: 'false',
  });
  const password = element('input', {
    id: 'password',
    type: 'password',
    autocomplete: 'current-password',
    required: true,
  });
  const project = element('input', { id: 'project', required: true, autocapitalize: 'none', spellcheck: 'false' });
  const domain = element('input', { id: 'domain', value: 'Default', required: true });
  const problem = element('p', { role: 'alert', class: 'problem' }, reason);
  const submit = element('button', { type: 'submit', class: 'primary' }, 'Sign in');
  const form = element(
    'form',
    { class: 'sign-in', 'aria-labelledby': 'sign-in' },
    field('User', user),
    field('Password', password),
    field('Project', project),
    field('Domain', domain),
    submit,
  );
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    void run(submit, problem, async () => {
      await signIn({ user: user.value, password: password.value, project: project.value, domain: domain.value });
      onSignedIn();
    });
  });
  return [element('h1', { id: 'sign-in', tabindex: -1 }, 'Sign in'), problem, form, tokenForm(onSignedIn)];
}

/**
 * Of an identity service elsewhere.
 * @param {() => void} onSignedIn
 */
function tokenForm(onSignedIn) {
  const token = element('input', { id: 'token', type: 'password', autocomplete: 'off', required: true });
  const submit = element('button', { type: 'submit' }, 'Use the token');
  const form = element('form', { class: 'sign-in' }, field('Token', token), submit);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    session.set({ token: token.value.trim(), user: '', project: '' });
    onSignedIn();
  });
  const hint = 'Of an identity service elsewhere: openstack token issue -f value -c id';
  return element('details', {}, element('summary', {}, 'I have a token'), element('p', { class: 'hint' }, hint), form);
}

/**
 * @param {string} label
 * @param {HTMLInputElement} input
 */
function field(label, input) {
  return element('div', { class: 'field' }, element('label', { for: input.id }, label), input);
}

/**
 * @param {HTMLButtonElement} submit
 * @param {HTMLElement} problem
 * @param {() => Promise<void>} work
 */
async function run(submit, problem, work) {
  submit.disabled = true;
  problem.textContent = '';
  try {
    await work();
  } catch (error) {
    problem.textContent = error instanceof Error ? error.message : String(error);
  } finally {
    submit.disabled = false;
  }
}

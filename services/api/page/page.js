import { ApiError, get, session, signOut } from './api.js';
import { button, byId, element, fill } from './dom.js';
import { eventText } from './events-table.js';
import { Live } from './live.js';
import { nodeList, nodeView } from './nodes.js';
import { overview } from './overview.js';
import { signInForm } from './sign-in.js';
import { volumeView } from './volume.js';
import { volumeList } from './volume-list.js';

/** @typedef {import('./documents.js').View} View */
/** @typedef {import('./documents.js').Context} Context */
/** @typedef {import('./documents.js').Caller} Caller */

const shownMs = 10_000;

/** @type {readonly [RegExp, (context: Context) => View][]} */
const views = [
  [/^\/?$/, overview],
  [/^\/volumes$/, volumeList],
  [/^\/volumes\/([^/]+)$/, volumeView],
  [/^\/nodes$/, nodeList],
  [/^\/nodes\/([^/]+)$/, nodeView],
];

const main = byId('main');
/** @type {Caller | undefined} */
let caller;
/** @type {View | undefined} */
let current;
/** Volumes that the reader has changed: how that ends is announced. @type {Map<string, string>} */
const watched = new Map();

const live = new Live({
  async update(events) {
    const view = current;
    await view?.update(events);
    if (view === current) main.removeAttribute('aria-busy');
    announceEnds(events);
  },
  onSuccess: () => showConnection(''),
  onError(error) {
    if (error instanceof ApiError && error.status === 401) return askToSignIn('The session has ended: sign in again.');
    if (error instanceof ApiError && [403, 404].includes(error.status)) return showConnection(error.message);
    return showConnection(`${error instanceof Error ? error.message : String(error)}; trying again`);
  },
});

/** @param {string} text */
function showConnection(text) {
  const shown = byId('connection');
  if (shown.textContent !== text) shown.textContent = text;
}

/** @param {string} text */
function announce(text) {
  const note = element('p', {}, text);
  byId('announcements').append(note);
  setTimeout(() => note.remove(), shownMs);
}

/** @param {import('./documents.js').ClusterEvent[]} events The newest first. */
function announceEnds(events) {
  for (const event of events.toReversed()) {
    const name = watched.get(event.volume_id ?? '');
    if (name === undefined || event.event.endsWith('.start')) continue;
    const hint = event.fault?.hint ? ` ${event.fault.hint}` : '';
    announce(`${name}: ${eventText(event)}${event.fault ? `: ${event.fault.message}.${hint}` : ''}`);
  }
}

/** Shows what the address names. `isFirst`: the reader has not chosen it on this page. */
function show(isFirst = false) {
  if (!caller) return;
  const [path = '', search = ''] = location.hash.slice(1).split('?', 2);
  const isAdministrator = caller.roles.includes('admin');
  const [pattern, make] = views.find(([form]) => form.test(path)) ?? [/^/, overview];
  const parts = (pattern.exec(path) ?? []).slice(1).map(decoded);
  const view = make({
    caller,
    isAdministrator,
    canChange: isAdministrator || caller.roles.includes('member'),
    parts,
    query: new URLSearchParams(search),
    refresh: () => live.poke(),
    changed(text, volume) {
      announce(text);
      if (volume) watched.set(volume.id, volume.name);
      live.poke();
    },
  });
  current = view;
  document.title = `${view.title} – blockstore`;
  const title = element('h1', { tabindex: -1 }, view.title);
  main.setAttribute('aria-busy', 'true');
  fill(main, title, ...view.content);
  for (const link of document.querySelectorAll('#pages a')) {
    const target = link.getAttribute('href')?.slice(1) ?? '';
    const isCurrent = target === '/' ? path === '/' || path === '' : path.startsWith(target);
    if (isCurrent) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  if (!isFirst) title.focus();
  live.poke();
}

/** @param {string} part */
function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** @param {string} reason */
function askToSignIn(reason) {
  session.clear();
  caller = undefined;
  current = undefined;
  live.stop();
  byId('pages').hidden = true;
  fill(byId('session'));
  main.removeAttribute('aria-busy');
  document.title = 'Sign in – blockstore';
  fill(main, ...signInForm({ reason, onSignedIn: () => void begin(false) }));
  main.querySelector('input')?.focus();
}

/** @param {boolean} isFirst */
async function begin(isFirst) {
  try {
    caller = (await get('/blockstore/caller')).caller;
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) {
      askToSignIn(session.get() === undefined ? '' : 'The token is not valid, or has expired.');
      return;
    }
    showConnection(`${error instanceof Error ? error.message : String(error)}; trying again`);
    setTimeout(() => void begin(isFirst), 3000);
    return;
  }
  showConnection('');
  byId('pages').hidden = false;
  byId('of-administrator').hidden = !caller?.roles.includes('admin');
  const out = session.get() !== undefined && button('Sign out', () => void signOut().then(() => askToSignIn('')));
  fill(byId('session'), element('span', {}, `${caller?.user_id} in ${caller?.project_id} `), out);
  live.start();
  show(isFirst);
}

byId('skip').addEventListener('click', (event) => {
  event.preventDefault();
  main.focus();
});
addEventListener('hashchange', () => show());
void begin(true);

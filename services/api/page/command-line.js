/** The commands that do the same as the page: see `blockstore help`. */

/**
 * Returns a word as a shell takes it.
 * @param {string | number} word
 */
function quoted(word) {
  const text = String(word);
  if (/^[\w@%+=:,./-]+$/.test(text)) return text;
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

/**
 * @param {...(string | number | readonly (string | number)[])} words Options without a value are left out as empty lists.
 */
function line(...words) {
  return ['blockstore', ...words.flat()].map(quoted).join(' ');
}

/**
 * Returns an option with its value; nothing where there is none.
 * @param {string} name
 * @param {string} value
 */
function option(name, value) {
  return value === '' ? [] : [name, value];
}

/** @param {{ user_id: string, project_id: string }} caller */
function owner({ user_id: user, project_id: project }) {
  return [...option('--user', user), ...(project === 'default' ? [] : ['--project', project])];
}

/**
 * @param {Record<string, string>} values
 * @param {{ user_id: string, project_id: string }} caller
 */
export function createLine(
  { size = '', name = '', description = '', type = '', zone = '', origin = '', source = '', multiattach = '' },
  caller,
) {
  return line(
    'volume',
    'create',
    size,
    option('--name', name),
    option('--description', description),
    option('--type', type),
    option('--zone', zone),
    origin === '' ? [] : option(`--${origin}`, source),
    multiattach === '' ? [] : ['--multiattach'],
    owner(caller),
  );
}

/**
 * @param {string} id
 * @param {Record<string, string>} values
 */
export function attachLine(id, { instance = '', host = '', device = '', access = '', hosts = '', readonly = '' }) {
  return line(
    'volume',
    'attach',
    id,
    option('--instance', instance),
    option('--host', host),
    option('--mountpoint', device),
    access === '' ? [] : option(`--${access}`, hosts),
    readonly === '' ? [] : ['--mode', 'ro'],
  );
}

/**
 * @param {string} id
 * @param {string | null} instance
 */
export function detachLine(id, instance) {
  return line('volume', 'detach', id, option('--instance', instance ?? ''));
}

/**
 * @param {string} id
 * @param {Record<string, string>} values
 */
export function extendLine(id, { size = '' }) {
  return line('volume', 'extend', id, size);
}

/**
 * @param {string} id
 * @param {Record<string, string>} values
 * @param {boolean} isAttached
 */
export function snapshotLine(id, { name = '' }, isAttached) {
  return line('snapshot', 'create', id, option('--name', name), isAttached ? ['--force'] : []);
}

/**
 * @param {string} id
 * @param {Record<string, string>} values
 */
export function deleteLine(id, { cascade = '' }) {
  return line('volume', 'delete', id, cascade === '' ? [] : ['--cascade']);
}

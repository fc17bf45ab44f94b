import { grantRole } from '../../lib/client/identity/assignments.ts';
import { createProject } from '../../lib/client/identity/projects.ts';
import { createUser } from '../../lib/client/identity/users.ts';
import type { Flags } from '../../lib/flags/definitions.ts';
import type { Log } from '../../lib/log.ts';
import type { Role } from '../../lib/models/role.ts';
import type { Store } from '../../lib/redis/store.ts';
import { type ApiAnswer, type ApiClient, startApi } from './api.ts';
import type { Cluster } from './cluster.ts';

export const testPassword = 'correct horse battery';

/** Somebody with roles in a project. */
export interface Member {
  user: string;
  name: string;
  project: string;
  projectName: string;
}

/** An API with auth_strategy local, and users of it. The caller closes it. */
export class LocalApi {
  readonly client: ApiClient;
  readonly store: Store;
  private readonly stop: () => Promise<void>;

  private constructor(client: ApiClient, store: Store, stop: () => Promise<void>) {
    this.client = client;
    this.store = store;
    this.stop = stop;
  }

  static async start(cluster: Cluster, given: Partial<Record<keyof Flags, string>> = {}, log?: Log): Promise<LocalApi> {
    const { api, client } = await startApi(cluster, { auth_strategy: 'local', ...given }, log);
    return new LocalApi(client, await cluster.store(), () => api.stop());
  }

  close(): Promise<void> {
    return this.stop();
  }

  /** Makes a user with `testPassword`, and a project of the same name unless one is given by its id. */
  async member(name: string, roles: readonly Role[], { project }: { project?: string } = {}): Promise<Member> {
    const place = project ?? (await createProject(this.store, { name })).id;
    const { id } = await createUser(this.store, { name, password: testPassword });
    for (const role of roles) await grantRole(this.store, id, place, role);
    return { user: id, name, project: place, projectName: name };
  }

  /** Asks for a token as clients do. `scope`: undefined for none. */
  token(user: object, scope?: object | string): Promise<ApiAnswer> {
    return this.client.post('/identity/v3/auth/tokens', {
      auth: { identity: { methods: ['password'], password: { user } }, ...(scope === undefined ? {} : { scope }) },
    });
  }

  /** A client that is signed in for the project. Throws where that fails. */
  async as({ user, project }: Member): Promise<ApiClient> {
    const answer = await this.token({ id: user, password: testPassword }, { project: { id: project } });
    const text = answer.headers.get('x-subject-token');
    if (text === null) throw new Error(`${answer.status} ${JSON.stringify(answer.body)}`);
    return this.client.with({ 'x-auth-token': text });
  }
}

import { grantRole } from '../../lib/client/identity/assignments.ts';
import { createProject } from '../../lib/client/identity/projects.ts';
import { issueToken } from '../../lib/client/identity/tokens.ts';
import { createUser } from '../../lib/client/identity/users.ts';
import type { Role } from '../../lib/models/role.ts';
import { usersOf } from '../../lib/models/user.ts';
import type { Store } from '../../lib/redis/store.ts';
import type { Random } from '../simulation/random.ts';
import { plainSecret } from './secrets.ts';
import type { Account } from './sign-ins.ts';

const kinds = ['admin', 'member', 'service', 'reader', 'unscoped'] as const;
type Kind = (typeof kinds)[number];
const lifetimeMs = 3_600_000;

/** Somebody who is signed in until a request ends that. */
export interface Actor extends Account {
  token: string;
}

/** Somebody with each role, and with none. Requests change and delete them: others take their place. */
export class Actors {
  private readonly store: Store;
  private readonly random: Random;
  private readonly current = new Map<Kind, Actor>();
  private readonly making = new Map<Kind, Promise<void>>();
  private count = 0;

  private constructor(store: Store, random: Random) {
    this.store = store;
    this.random = random;
  }

  static async create(store: Store, random: Random): Promise<Actors> {
    const actors = new Actors(store, random);
    for (const kind of kinds) await actors.replace(kind);
    return actors;
  }

  all(): Actor[] {
    return [...this.current.values()];
  }

  of(kind: Kind): Actor {
    const actor = this.current.get(kind);
    if (!actor) throw new Error(`there is no ${kind}`);
    return actor;
  }

  /** Somebody else takes the place of whoever has that token. */
  async renew(token: string): Promise<void> {
    const [kind] = [...this.current].find(([, actor]) => actor.token === token) ?? [];
    if (kind === undefined) return;
    const making = this.making.get(kind) ?? this.replace(kind).finally(() => this.making.delete(kind));
    this.making.set(kind, making);
    await making;
  }

  private async replace(kind: Kind): Promise<void> {
    this.count += 1;
    const name = `${kind} ${this.count}`;
    const { id: project } = await createProject(this.store, { name });
    const password = plainSecret(this.random);
    const { id } = await createUser(this.store, { name, password });
    const role: Role = kind === 'unscoped' ? 'reader' : kind;
    await grantRole(this.store, id, project, role);
    const user = await usersOf(this.store).lookup(id);
    const scope = kind === 'unscoped' ? '' : project;
    const token = await issueToken(this.store, { user, project: scope, methods: ['password'], lifetimeMs });
    this.current.set(kind, { id, name, project, password, token });
  }
}

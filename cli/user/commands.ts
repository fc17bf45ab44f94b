import { type Command, Option } from 'commander';
import { roles } from '../../lib/models/role.ts';
import { atLeastOne, lengthOfTime } from '../arguments.ts';
import { Context } from '../context.ts';
import type { CloudsOptions } from './clouds-yaml.ts';
import type { CreateUserOptions } from './create.ts';
import type { UpdateUserOptions } from './update.ts';

export interface ListUsersOptions {
  limit?: number;
  marker?: string;
}

export interface InProject {
  project: string;
}

const passwordHelp = `
The password is typed on the terminal, or is the first line of the standard input. It has 8 to 256 bytes.`;
const user = ['<user>', 'id or name'] as const;
const project = ['--project <project>', 'id or name of the project'] as const;

export function addUserCommands(program: Command): void {
  const users = program
    .command('user')
    .helpCommand(false)
    .description('manage those who sign in at the API (auth_strategy local)');
  addCreate(users);
  addReading(users);
  addUpdate(users);
  addRoles(users);
  addCredentials(users);
}

function addCreate(users: Command): void {
  users
    .command('create')
    .description('create a user and print its id')
    .argument('<name>', 'name of the user')
    .option('--description <text>', 'description')
    .option('--email <address>', 'address for mail')
    .option('--project <project>', 'project in which the user gets a role')
    .addOption(new Option('--role <role>', 'the role in that project (default: member)').choices(roles))
    .option('--admin', 'make an administrator of it, in the project "admin" unless --project names another one')
    .option('--generate', 'choose a password, and print it in a second line')
    .option('--no-password', 'without a password: it signs in by application credentials alone')
    .addHelpText(
      'after',
      `${passwordHelp}

Examples:
  blockstore user create --admin ann
  blockstore user create bob --project web --role reader --generate`,
    )
    .action(async (name: string, options: CreateUserOptions, command: Command) => {
      const { createUserByName } = await import('./create.ts');
      await createUserByName(Context.of(command), name, options);
    });
}

function addReading(users: Command): void {
  users
    .command('list')
    .description('list users in order of their creation')
    .option('--limit <n>', 'print at most n users, then a marker', atLeastOne)
    .option('--marker <marker>', 'continue after the marker of an earlier list')
    .addHelpText('after', '\nExample:\n  blockstore user list')
    .action(async (options: ListUsersOptions, command: Command) => {
      const { listUsers } = await import('./list.ts');
      await listUsers(Context.of(command), options);
    });
  users
    .command('show')
    .description('print the details of a user: roles and application credentials')
    .argument(...user)
    .addHelpText('after', '\nExample:\n  blockstore user show ann')
    .action(async (reference: string, _options: object, command: Command) => {
      const { showUser } = await import('./show.ts');
      await showUser(Context.of(command), reference);
    });
}

function addUpdate(users: Command): void {
  users
    .command('update')
    .description('change a user; a new password and --disable end its tokens')
    .argument(...user)
    .option('--name <name>', 'new name')
    .option('--description <text>', 'description; "" removes it')
    .option('--email <address>', 'address for mail; "" removes it')
    .option('--password', 'give it a new password')
    .option('--generate', 'give it a new password, and print it in a second line')
    .option('--enable', 'let it sign in')
    .option('--disable', 'do not let it sign in')
    .addHelpText('after', `${passwordHelp}\n\nExample:\n  blockstore user update ann --password`)
    .action(async (reference: string, options: UpdateUserOptions, command: Command) => {
      const { updateUserByName } = await import('./update.ts');
      await updateUserByName(Context.of(command), reference, options);
    });
  users
    .command('delete')
    .description('delete users, with their tokens, roles and application credentials')
    .argument('<user...>', 'ids or names')
    .addHelpText('after', '\nExample:\n  blockstore user delete ann')
    .action(async (references: readonly string[], _options: object, command: Command) => {
      const { deleteUsers } = await import('./delete.ts');
      await deleteUsers(Context.of(command), references);
    });
}

function addRoles(users: Command): void {
  for (const [verb, description] of [
    ['grant', 'give a user a role in a project'],
    ['revoke', 'take a role of a user in a project; its tokens end'],
  ] as const) {
    users
      .command(verb)
      .description(description)
      .argument(...user)
      .addArgument(users.createArgument('<role>', 'reader, member, service or admin').choices(roles))
      .requiredOption(...project)
      .addHelpText('after', `\nExample:\n  blockstore user ${verb} ann member --project web`)
      .action(async (reference: string, role: string, options: InProject, command: Command) => {
        const { changeRole } = await import('./roles.ts');
        await changeRole(Context.of(command), verb, { reference, role, project: options.project });
      });
  }
}

function addCredentials(users: Command): void {
  users
    .command('clouds-yaml')
    .description('print a clouds.yaml with a new application credential, by which clients sign in as the user')
    .argument(...user)
    .requiredOption(...project)
    .option('--url <address>', 'address of the API (default: api_url, or the first one of api_listen)')
    .option('--cloud <name>', 'name of the cloud in the file', 'blockstore')
    .option('--name <name>', 'name of the application credential (default: one that is free)')
    .option('--expires <time>', 'how long it is valid, such as 12h or 90d (default: until it is deleted)', lengthOfTime)
    .addHelpText(
      'after',
      `
The secret is shown at no other time. The application credential has the roles that the user has now in the project.

Example:
  blockstore user clouds-yaml ann --project web --url http://192.0.2.7:8776 > ~/.config/openstack/clouds.yaml`,
    )
    .action(async (reference: string, options: CloudsOptions, command: Command) => {
      const { printCloudsYaml } = await import('./clouds-yaml.ts');
      await printCloudsYaml(Context.of(command), reference, options);
    });
  users
    .command('delete-credential')
    .description('delete an application credential of a user; its tokens end')
    .argument(...user)
    .argument('<credential>', 'id or name of the application credential')
    .addHelpText('after', '\nExample:\n  blockstore user delete-credential ann backup-job')
    .action(async (reference: string, credential: string, _options: object, command: Command) => {
      const { deleteUserCredential } = await import('./delete-credential.ts');
      await deleteUserCredential(Context.of(command), reference, credential);
    });
}

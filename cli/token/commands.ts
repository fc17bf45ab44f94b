import type { Command } from 'commander';
import { Context } from '../context.ts';
import type { IssueOptions } from './issue.ts';
import type { RevokeOptions } from './revoke.ts';

export function addTokenCommands(program: Command): void {
  const token = program
    .command('token')
    .helpCommand(false)
    .description('issue and revoke tokens of the API (auth_strategy local)');
  token
    .command('issue')
    .description('print a new token of a user, valid for token_lifetime')
    .argument('<user>', 'id or name')
    .option('--project <project>', 'project that it is for (default: that of the user)')
    .addHelpText(
      'after',
      `
A request has the token in the header X-Auth-Token. It is shown at no other time.

Example:
  curl -H "X-Auth-Token: $(blockstore token issue ann --project web)" http://192.0.2.7:8776/v3/volumes`,
    )
    .action(async (reference: string, options: IssueOptions, command: Command) => {
      const { issueTokenFor } = await import('./issue.ts');
      await issueTokenFor(Context.of(command), reference, options);
    });
  token
    .command('revoke')
    .description('end a token, the first line of the standard input, or all of a user')
    .option('--user <user>', 'every token of this user')
    .addHelpText('after', '\nExample:\n  blockstore token revoke --user ann')
    .action(async (options: RevokeOptions, command: Command) => {
      const { revokeTokens } = await import('./revoke.ts');
      await revokeTokens(Context.of(command), options);
    });
}

import { type Command, Argument } from 'commander';
import { Context } from '../context.ts';
import { shells } from './shells.ts';

export function addCompletionCommands(program: Command): void {
  program
    .command('completion')
    .description('print the shell script that completes commands, volumes and nodes')
    .addArgument(new Argument('<shell>', 'the shell').choices(shells))
    .addHelpText(
      'after',
      `
Examples:
  blockstore completion bash >/etc/bash_completion.d/blockstore
  blockstore completion zsh >/usr/local/share/zsh/site-functions/_blockstore
  blockstore completion fish >~/.config/fish/completions/blockstore.fish`,
    )
    .action(async (shell: string, _options: object, command: Command) => {
      const { shellScript } = await import('./scripts.ts');
      await Context.of(command).output.write(shellScript(shell));
    });
  program
    .command('__complete', { hidden: true })
    .argument('[words...]')
    .action(async (words: string[]) => {
      const { complete } = await import('./complete.ts');
      await complete(program, words);
    });
}

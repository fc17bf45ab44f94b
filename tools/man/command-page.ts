import type { Command } from 'commander';
import type { ManPage } from './page.ts';

/** Adds every command of the tree with its arguments, options, notes and examples. */
export function addCommands(page: ManPage, program: Command): void {
  for (const command of leavesOf(program)) {
    const help = command.createHelp();
    page.subsection(help.commandUsage(command)).paragraph(sentence(command.description()));
    page.items(help.visibleArguments(command).map((argument) => [argument.name(), help.argumentDescription(argument)]));
    page.items(optionsOf(command));
    addNotes(page, command);
  }
}

/** Returns the options of one command, without the global ones and --help. */
export function optionsOf(command: Command): (readonly [string, string])[] {
  const help = command.createHelp();
  return help
    .visibleOptions(command)
    .filter(({ long }) => long !== '--help')
    .map((option) => [option.flags, help.optionDescription(option)]);
}

/** Returns the commands that have no subcommands. */
export function leavesOf(command: Command): Command[] {
  const children = command.createHelp().visibleCommands(command);
  return children.length === 0 ? [command] : children.flatMap(leavesOf);
}

/** The text after the help of a command: paragraphs, and examples, whose lines are indented. */
function addNotes(page: ManPage, command: Command): void {
  for (const block of helpAfter(command).trim().split('\n\n')) {
    const lines = block.split('\n');
    const prose = lines.filter((line) => !line.startsWith('  '));
    if (prose.length > 0 && prose.join('') !== '') page.paragraph(prose.join('\n'));
    const examples = lines.filter((line) => line.startsWith('  '));
    if (examples.length > 0) page.example(examples.map((line) => line.trim()));
  }
}

/** Returns the help of a command without the part that commander generates. */
function helpAfter(command: Command): string {
  let text = '';
  const writeOut = (part: string) => {
    text += part;
  };
  command.configureOutput({ writeOut }).outputHelp();
  return text.slice(command.helpInformation().length);
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

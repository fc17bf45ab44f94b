import type { Command } from 'commander';
import { atLeastOne } from '../arguments.ts';
import { Context } from '../context.ts';
import type { CreateProjectOptions } from './create.ts';
import type { UpdateProjectOptions } from './update.ts';

export interface ListProjectsOptions {
  limit?: number;
  marker?: string;
}

const project = ['<project>', 'id or name'] as const;

export function addProjectCommands(program: Command): void {
  const projects = program
    .command('project')
    .helpCommand(false)
    .description('manage the projects of the API (auth_strategy local)');
  addCreate(projects);
  addReading(projects);
  addUpdate(projects);
}

function addCreate(projects: Command): void {
  projects
    .command('create')
    .description('create a project and print its id')
    .argument('<name>', 'name of the project')
    .option('--description <text>', 'description')
    .addHelpText(
      'after',
      `
Its volumes have its id: blockstore volume list --project <id>

Example:
  blockstore project create web`,
    )
    .action(async (name: string, options: CreateProjectOptions, command: Command) => {
      const { createProjectByName } = await import('./create.ts');
      await createProjectByName(Context.of(command), name, options);
    });
}

function addReading(projects: Command): void {
  projects
    .command('list')
    .description('list projects in order of their creation')
    .option('--limit <n>', 'print at most n projects, then a marker', atLeastOne)
    .option('--marker <marker>', 'continue after the marker of an earlier list')
    .addHelpText('after', '\nExample:\n  blockstore project list')
    .action(async (options: ListProjectsOptions, command: Command) => {
      const { listProjects } = await import('./list.ts');
      await listProjects(Context.of(command), options);
    });
  projects
    .command('show')
    .description('print the details of a project: users with roles, and what it has')
    .argument(...project)
    .addHelpText('after', '\nExample:\n  blockstore project show web')
    .action(async (reference: string, _options: object, command: Command) => {
      const { showProject } = await import('./show.ts');
      await showProject(Context.of(command), reference);
    });
}

function addUpdate(projects: Command): void {
  projects
    .command('update')
    .description('change a project; tokens for one that is disabled are not valid')
    .argument(...project)
    .option('--name <name>', 'new name')
    .option('--description <text>', 'description; "" removes it')
    .option('--enable', 'let users sign in for it')
    .option('--disable', 'do not let users sign in for it')
    .addHelpText('after', '\nExample:\n  blockstore project update web --disable')
    .action(async (reference: string, options: UpdateProjectOptions, command: Command) => {
      const { updateProjectByName } = await import('./update.ts');
      await updateProjectByName(Context.of(command), reference, options);
    });
  projects
    .command('delete')
    .description('delete projects without volumes, snapshots and transfers, with their roles, quotas and tokens')
    .argument('<project...>', 'ids or names')
    .addHelpText('after', '\nExample:\n  blockstore project delete web')
    .action(async (references: readonly string[], _options: object, command: Command) => {
      const { deleteProjects } = await import('./delete.ts');
      await deleteProjects(Context.of(command), references);
    });
}

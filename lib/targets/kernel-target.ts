import { existsSync } from 'node:fs';
import { type Finding, ok, warn } from '../check.ts';
import { CommandError } from '../command-error.ts';
import { type BlockstoreError, errors } from '../errors.ts';
import type { Processes } from '../process.ts';
import { configfsRoot } from './configfs.ts';

const mount = ['mount', '-t', 'configfs', 'configfs', configfsRoot] as const;

/** A target that is part of the kernel and is configured by configfs. */
export interface KernelTarget {
  /** In the middle of a sentence. */
  name: string;
  /** Names as in /sys/module. The first makes the directory. */
  modules: readonly string[];
  /** Its directory in configfs. */
  directory: string;
  /** Name of a file in /etc/modules-load.d. */
  file: string;
  /** What a kernel that has it was built with. */
  options: string;
  /** What to do where there is none. */
  instead: string;
}

/** What this process may do, and where. */
export interface Kernel {
  /** Whether this process may change configfs. */
  isRoot: boolean;
  /** The directory of the kernel's target. */
  directory: string;
}

export function thisKernel({ directory }: KernelTarget): Kernel {
  return { isRoot: process.getuid?.() === 0, directory };
}

/** Also for the next boot. A daemon that systemd keeps from loading modules cannot do it itself. */
export function loadModules({ modules, file }: KernelTarget): string {
  return `modprobe -a ${modules.join(' ')}; printf '%s\\n' ${modules.join(' ')} >/etc/modules-load.d/${file}`;
}

/** Loads the modules of a target and mounts configfs, as far as this process may. Throws KernelTargetUnusable. */
export async function prepareKernel(target: KernelTarget, processes: Processes, kernel: Kernel): Promise<void> {
  if (!kernel.isRoot) throw notRoot(target);
  if (!existsSync(kernel.directory)) {
    const [command, ...args] = mount;
    await attempt(processes, 'modprobe', ['-a', ...target.modules]);
    if (!existsSync(kernel.directory)) await attempt(processes, command, args); // systemd has done it
  }
  checkDirectory(target, kernel.directory);
}

/** Checks that the modules are loaded or can be, and that configfs is mounted. Throws KernelTargetUnusable. */
export async function checkKernelTarget(target: KernelTarget, processes: Processes, kernel: Kernel): Promise<Finding> {
  const isLoaded = (module: string) => existsSync(`/sys/module/${module}`);
  for (const module of target.modules) {
    if (isLoaded(module)) continue;
    try {
      await processes.run('modinfo', [module]);
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      const hint = `run a kernel with ${target.options}, or ${target.instead}`;
      throw errors.kernelTargetUnusable(target.name, `this kernel has no module ${module}`, hint);
    }
  }
  if (!kernel.isRoot) throw notRoot(target);
  checkDirectory(target, kernel.directory);
  const absent = target.modules.filter((module) => !isLoaded(module));
  return absent.length === 0
    ? ok(`${target.name} is loaded`)
    : warn(`not all modules of ${target.name} are loaded: ${absent.join(', ')}`, loadModules(target));
}

/** After a failure its caller examines the kernel. */
async function attempt(processes: Processes, command: string, args: readonly string[]): Promise<void> {
  try {
    await processes.run(command, args);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
  }
}

function checkDirectory(target: KernelTarget, directory: string): void {
  if (existsSync(directory)) return;
  const [first = ''] = target.modules;
  if (existsSync(`/sys/module/${first}`)) {
    throw errors.kernelTargetUnusable(target.name, 'configfs is not mounted', mount.join(' '));
  }
  throw errors.kernelTargetUnusable(target.name, `the module ${first} is not loaded`, loadModules(target));
}

/** Why a change of configfs at the start failed with that code. */
export function refused(target: KernelTarget, code: string, module: string): BlockstoreError {
  return code === 'EROFS'
    ? errors.kernelTargetUnusable(
        target.name,
        '/sys is read-only for the daemon',
        'use the unit of this version: ReadWritePaths=/sys/kernel/config',
      )
    : errors.kernelTargetUnusable(target.name, `the module ${module} is not loaded (${code})`, loadModules(target));
}

function notRoot({ name, instead }: KernelTarget): BlockstoreError {
  return errors.kernelTargetUnusable(name, 'only root may configure it', `run the daemon as root, or ${instead}`);
}

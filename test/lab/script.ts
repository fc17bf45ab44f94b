import type { LabNode } from './node.ts';

/**
 * Runs TypeScript on a machine as a daemon or a command would. `setting` are imports and declarations, `body` the body of a
 * function; what it returns is printed as JSON, what it throws as "code: message".
 */
export async function runScript(node: LabNode, setting: string, body: string): Promise<string> {
  const text = `
    import { ChildProcesses } from './lib/process.ts';
    import { silentLog } from './lib/log.ts';
    const context = { processes: new ChildProcesses(), log: silentLog };
    ${setting}
    try {
      const result = await (async () => { ${body} })();
      if (result !== undefined) console.log(JSON.stringify(result));
    } catch (error) {
      console.log(error.code + ': ' + error.message);
    }`;
  return node.sh(`node --input-type=module-typescript -e '${text.replaceAll("'", String.raw`'\''`)}'`);
}

/** Calls a method of an AoeConnector on a machine. `args` are TypeScript. */
export function onConnector(node: LabNode, verb: string, ...args: string[]): Promise<string> {
  const setting = `
    import { AoeConnector } from './lib/connectors/aoe.ts';
    const connector = new AoeConnector(context);`;
  return runScript(node, setting, `return await connector.${verb}(${args.join(', ')});`);
}

import { keepCompiledCode } from '../lib/cli/compile-cache.ts';

keepCompiledCode();
const { main } = await import('../lib/cli/main.ts');
await main(process.argv.slice(2));

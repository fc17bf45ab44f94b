import { keepCompiledCode } from '../cli/compile-cache.ts';

keepCompiledCode();
const { main } = await import('../cli/main.ts');
await main(process.argv.slice(2));

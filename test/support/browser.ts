import { existsSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';

const executablePath = '/usr/bin/chromium';

/** Returns why no browser can run here; undefined if one can. */
export function missingForBrowser(): string | undefined {
  return existsSync(executablePath) ? undefined : 'tests of the page need a browser: apt-get install chromium';
}

/** A Chromium of Debian with a profile of its own, which is removed with it. It asks nothing of the network by itself. */
export function startBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath,
    headless: true,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}

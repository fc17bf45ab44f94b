import axe from 'axe-core';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { z } from 'zod';

/** A busy machine takes long. */
const limitMs = 120_000;
const focusedSchema = z.object({ id: z.string(), text: z.string() });
const violationsSchema = z.array(
  z.object({
    id: z.string(),
    help: z.string(),
    nodes: z.array(z.object({ html: z.string(), failureSummary: z.string().optional() })),
  }),
);

/** A tab of a browser with a profile of its own, which notes what its page does wrong. The caller disposes of it. */
export class WebPage implements AsyncDisposable {
  readonly page: Page;
  /** Errors of the page, and requests to other hosts. An answer that is an error of the API is none. */
  readonly mistakes: readonly string[];
  private readonly url: string;

  private constructor(page: Page, url: string, mistakes: readonly string[]) {
    this.page = page;
    this.url = url;
    this.mistakes = mistakes;
  }

  /** `url`: of the API. */
  static async open(browser: Browser, url: string, options: BrowserContextOptions = {}): Promise<WebPage> {
    const context = await browser.newContext({ reducedMotion: 'reduce', ...options });
    const page = await context.newPage();
    page.setDefaultTimeout(limitMs);
    const mistakes: string[] = [];
    page.on('pageerror', ({ message }) => mistakes.push(message));
    page.on('dialog', (dialog) => mistakes.push(`a script ran: ${dialog.message()}`));
    page.on('console', (message) => {
      if (message.type() === 'error' && !message.text().startsWith('Failed to load resource'))
        mistakes.push(message.text());
    });
    page.on('request', (request) => {
      if (!request.url().startsWith(url)) mistakes.push(`asked ${request.url()}`);
    });
    return new WebPage(page, url, mistakes);
  }

  /** Shows a view, such as `#/volumes`, as its address opens it. */
  async show(hash: string): Promise<void> {
    await this.page.goto(`${this.url}/${hash}`);
    await this.page.locator('main:not([aria-busy]) h1').waitFor();
  }

  /** Returns what keeps people with a screen reader or a keyboard from using what is shown, one line each. */
  async violations(): Promise<string[]> {
    await this.page.evaluate(axe.source);
    const found: unknown = await this.page.evaluate('axe.run().then(({ violations }) => violations)');
    return violationsSchema
      .parse(found)
      .flatMap(({ id, help, nodes }) =>
        nodes.map(({ html, failureSummary = '' }) => `${id}: ${help}: ${html.slice(0, 200)} ${failureSummary}`),
      );
  }

  /** What the keyboard acts on. */
  async focused(): Promise<{ id: string; text: string }> {
    const found: unknown = await this.page.evaluate(
      '({ id: document.activeElement.id, text: document.activeElement.textContent })',
    );
    return focusedSchema.parse(found);
  }

  /** Pixels by which it is wider than its window. */
  async overflow(): Promise<number> {
    return z.number().parse(await this.page.evaluate('document.documentElement.scrollWidth - innerWidth'));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.page.context().close();
  }
}

import { FakeDriver } from '../../lib/drivers/fake/driver.ts';

/** Storage without data that every node given the same object reaches. */
export class SharedDriver extends FakeDriver {
  override readonly capabilities;

  constructor(identity = 'fake:pool') {
    super();
    this.capabilities = { ...new FakeDriver().capabilities, shared: identity };
  }
}

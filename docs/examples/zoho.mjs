// Calls Zoho with access tokens that Vault hands out. Node 20.11 or newer, no packages.
//
//   VAULT_ADDR=https://... VAULT_TOKEN=... node zoho.mjs zoho/creds/crm /crm/v8/org
export class Zoho {
  #path; #held; #flight; #retry = 0;
  constructor(path) { this.#path = path; }

  // fetch sends a request to the account's API gateway, or to a whole address, and once
  // more with another token if Zoho rejects the first and Vault has another.
  async fetch(path, init = {}) {
    const used = await this.#token();
    const response = await this.#send(used, path, init);
    if (response.status !== 401 || /scope/i.test(await response.clone().text())) return response;
    const next = await this.#read(used.token_id).catch(() => used);
    return next.token_id === used.token_id ? response : this.#send(next, path, init);
  }

  #send(token, path, init) {
    const headers = { ...Object.fromEntries(new Headers(init.headers)), authorization: token.authorization };
    return fetch(new URL(path, token.api_domain), { ...init, headers });
  }

  // A token is kept for ttl, and while Vault is away as long as it lives.
  async #token() {
    const held = this.#held;
    if (held && performance.now() < held.next) return held;
    const lives = held && Date.now() < Date.parse(held.expire_time) - 30_000;
    if (lives && performance.now() < this.#retry) return held;
    const read = this.#read();
    return lives ? (read.catch(() => {}), held) : read;
  }

  // One read at a time, whoever waits for it.
  #read(rejected) {
    if (rejected && this.#held.token_id !== rejected) return Promise.resolve(this.#held);
    return this.#flight ??= this.#ask(rejected)
      .then(held => this.#held = held, error => { this.#retry = performance.now() + 5_000; throw error; })
      .finally(() => this.#flight = undefined);
  }

  async #ask(rejected) {
    const address = `${process.env.VAULT_ADDR}/v1/${this.#path}${rejected ? `?rejected=${rejected}` : ''}`;
    const response = await fetch(address, { headers: { 'X-Vault-Token': process.env.VAULT_TOKEN }, signal: AbortSignal.timeout(30_000) });
    const answer = await response.json();
    if (!response.ok) throw new Error(`no access token from Vault: ${answer.errors}`);
    return { ...answer.data, next: performance.now() + answer.data.ttl * 1000 };
  }
}

if (import.meta.filename === process.argv[1]) {
  const response = await new Zoho(process.argv[2]).fetch(process.argv[3]);
  console.log(response.status, await response.text());
}

// Calls Zoho with access tokens that Vault hands out. Node 20.11 or newer, no packages.
//
//   VAULT_ADDR=https://... VAULT_TOKEN=... node zoho.mjs zoho/creds/crm /crm/v8/org

// Answers with 401 that are not about the token: a scope or organization that it does not
// have, a missing resource, a page. [host and path, status line + media type + body]
const mismatches = [
  [/^/, /\b(OAUTH_SCOPE_MISMATCH|INVALID_OAUTHSCOPE|oauthtoken_scope_invalid|Invalid OAuthScope|OAUTH_ORG_MISMATCH)\b/],
  [/\bworkdrive\b/i, /"R008"/],
  [/\/(books|inventory)\//, /"code"\s*:\s*"?57\b/],
  [/^/, /^.*\n(text\/html\b.*\n\s*([^\s{[]|$)|.*\n\s*<(!doctype )?html)/i], // JSON that is called text/html is no page
];

// Whether an answer of Zoho, at the address that was asked, says that the token is dead.
// PhoneBridge says so with 400.
async function rejects(response, asked) {
  const { status, statusText, headers, url } = response, { host, pathname } = new URL(url);
  if (status !== 401 && status !== 400 || host !== asked.host) return false; // another host did not get the token
  const text = await response.clone().text();
  if (status === 400) return text.includes('"INVALID_TOKEN"');
  const answer = [statusText, headers.get('content-type'), text].join('\n');
  return headers.get('www-authenticate')?.includes('expired_token')
    || !mismatches.some(([where, says]) => where.test(host + pathname) && says.test(answer));
}

// The text of a response, which may have at most some bytes.
async function limited(response, most) {
  const chunks = [];
  for await (const chunk of response.body ?? []) {
    chunks.push(chunk);
    if ((most -= chunk.length) < 0) throw Object.assign(new Error(), { name: 'the answer is longer than 1 MiB' });
  }
  return Buffer.concat(chunks).toString();
}

// Seconds of a clock that a step of the machine's clock does not move.
const clock = () => performance.now() / 1000;

// Time left until a point of the token's life. clock may stand still while the machine
// sleeps, so the machine's clock counts if it says less.
const left = (held, until) => until - Math.max(clock() - held.began, Date.now() / 1000 - held.wall);

export class Zoho {
  #path; #held; #reading; #asked; #error; #retry = 0; #reported = 0;
  constructor(path) { this.#path = path; }

  // fetch sends a request to the account's API gateway, or to a whole address, and once
  // more with another token if Zoho rejects the first and Vault has another. A body that
  // can be read only once (a stream) is not sent again: the next request has the next token.
  async fetch(path, init = {}) {
    const used = await this.#token();
    const response = await this.#send(used, path, init);
    if (!await rejects(response, new URL(path, used.api_domain))) return response;
    const next = await this.#rejected(used).catch(() => used);
    return next.token_id === used.token_id || init.body?.[Symbol.asyncIterator] ? response : this.#send(next, path, init);
  }

  #send(token, path, init) {
    const headers = { ...Object.fromEntries(new Headers(init.headers)), authorization: token.authorization };
    return fetch(new URL(path, token.api_domain), { ...init, headers });
  }

  // A token is used for ttl, and until it expires while Vault is down. In its last 30 s a
  // new one is waited for, for 2 s.
  async #token() {
    const held = this.#held, lives = () => held && clock() < held.began + held.life;
    if (held && left(held, held.next) > 0) return held;
    if (clock() < this.#retry && lives()) return held;
    if (clock() < this.#retry) throw this.#error;
    const read = this.#read(), settled = read.catch(() => {});
    if (!lives()) return read;
    if (left(held, held.life) > 30) return held;
    let timer;
    const brief = new Promise(done => timer = setTimeout(done, Math.max(0, this.#asked + 2 - clock()) * 1000));
    const next = await Promise.race([settled, brief]).finally(() => clearTimeout(timer));
    return next ?? (lives() ? held : read);
  }

  // Tells Vault which token Zoho rejected. If Vault keeps it, for a minute no more.
  async #rejected(used) {
    while (this.#reading) await this.#reading;
    if (this.#held.token_id !== used.token_id) return this.#held;
    if (clock() < Math.max(this.#reported, this.#retry)) return used;
    const next = await this.#read(used.token_id);
    if (next.token_id === used.token_id) this.#reported = clock() + 60;
    return next;
  }

  // One read at a time, whoever waits for it. After an error there is none for 5 s, or for
  // as long as Vault says.
  #read(rejected) {
    if (!this.#reading) this.#asked = clock();
    return this.#reading ??= this.#ask(rejected)
      .then(held => this.#held = held, error => {
        [this.#error, this.#retry] = [error, clock() + Math.max(5, error.wait)];
        throw error;
      }).finally(() => this.#reading = undefined);
  }

  async #ask(rejected) {
    const address = `${process.env.VAULT_ADDR?.replace(/\/+$/, '')}/v1/${this.#path}`, began = clock(), wall = Date.now() / 1000;
    const fail = (why, wait = 0) => Object.assign(new Error(`no access token from Vault: ${address} ${why}`), { wait });
    const check = 'check that VAULT_ADDR is the address of a Vault server (a proxy before it may have answered) and that the path is that of a credential';
    let response, text, answer;
    try {
      const headers = { 'X-Vault-Token': process.env.VAULT_TOKEN ?? '' };
      const options = { headers, redirect: 'manual', signal: AbortSignal.timeout(30_000) };
      response = await fetch(address + (rejected ? `?rejected=${rejected}` : ''), options);
      text = await limited(response, 1 << 20);
    } catch (error) { // its message may show the headers
      throw fail(`failed (${error.cause?.code ?? error.name}); ${check}`);
    }
    const { status, headers } = response, date = Date.parse(headers.get('date')) / 1000;
    try { answer = JSON.parse(text); } catch { /* not Vault's */ }
    if (status !== 200) {
      const after = headers.get('retry-after') ?? '', until = Date.parse(after) / 1000 - (date || wall);
      const wait = status === 429 || status === 503 ? Math.min(600, /^\d+$/.test(after) ? +after : until || 0) : 0;
      if (answer?.errors?.length) throw fail(`answered HTTP ${status}: ${answer.errors}`, wait);
      throw fail(`answered HTTP ${status} without Vault's reason; ${check}`, wait);
    }
    const data = answer?.data ?? {}, seconds = time => typeof time === 'string' ? Date.parse(time) / 1000 : NaN;
    const expires = seconds(data.expire_time);
    const wrong = ['access_token', 'authorization', 'token_id'].find(name => typeof data[name] !== 'string' || !/^[ -~]+$/.test(data[name]))
      ?? (data.ttl >= 0 && typeof data.ttl === 'number' ? undefined : 'ttl') ?? (expires ? undefined : 'expire_time')
      ?? (['string', 'undefined'].includes(typeof data.api_domain) ? undefined : 'api_domain');
    if (wrong) throw fail(`answered HTTP 200 with ${text ? (answer ? `no usable ${wrong}` : 'no JSON') : 'an empty body'}; ${check}`);
    // Both times are of Vault's clock: the clock of this machine may be wrong.
    const ttl = Math.max(1, Math.min(data.ttl, 86400)), whole = expires - seconds(data.issue_time);
    const life = date ? Math.max(ttl, Math.min(whole > 0 ? whole : 86400, expires - date - 1)) : ttl;
    return { ...data, began, wall, life, next: clock() - began + ttl };
  }
}

if (import.meta.filename === process.argv[1]) {
  const response = await new Zoho(process.argv[2]).fetch(process.argv[3]);
  console.log(response.status, await response.text());
}

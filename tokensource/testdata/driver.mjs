// Runs docs/examples/zoho.mjs for the tests: one command of JSON a line on standard
// input, one result a line on standard output. Time passes as the commands say.
import readline from 'node:readline';
import { Readable } from 'node:stream';
const { Zoho } = await import(process.argv[2]);
let passed = 0, stepped = 0, zoho;
const [monotonic, wall] = [performance.now.bind(performance), Date.now];
performance.now = () => monotonic() + passed;
Date.now = () => wall() + passed + stepped;

// A command ends when no request is under way, also none that nobody waits for.
const drain = async response => {
  let size = 0;
  for await (const chunk of response.clone().body ?? []) {
    if ((size += chunk.length) > 1 << 21) break; // an answer without end
  }
};
const [send, under] = [globalThis.fetch, new Set()];
globalThis.fetch = (...args) => {
  const response = send(...args);
  const ended = response.then(drain).catch(() => {}).finally(() => under.delete(ended));
  under.add(ended);
  return response;
};
const tick = () => new Promise(done => setImmediate(done));

const bodies = {
  stream: () => new Blob(['stream']).stream(),
  file: () => Readable.from([Buffer.from('file')]),
  iterator: async function* () { yield Buffer.from('iterator'); },
};
const request = body => body && { method: 'POST', body: bodies[body]?.() ?? body, duplex: 'half' };
const call = (path, body) => zoho.fetch(path, request(body)).then(async r => ({ status: r.status, body: await r.text() }), error => ({ error: error.message }));
for await (const line of readline.createInterface({ input: process.stdin })) {
  const { fresh, path, callers, body, pass = 0, step = 0 } = JSON.parse(line);
  if (fresh) [passed, stepped, zoho] = [0, 0, new Zoho('zoho/creds/crm')];
  passed += pass * 1000;
  stepped += step * 1000;
  const results = await Promise.all(Array.from({ length: callers ?? 0 }, () => call(path, body)));
  while (under.size) await Promise.all(under);
  for (let n = 0; n < 5; n++) await tick();
  console.log(JSON.stringify(results));
}

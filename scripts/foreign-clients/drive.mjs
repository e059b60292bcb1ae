// Driver: registers a client at zoho-sim for each file of clients/, runs the file, and prints one row of a table.
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, readdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";

const { WORK, CACHE } = process.env;
const here = import.meta.dirname;
const ready = JSON.parse(readFileSync(join(WORK, "ready.json")));
const root = join(CACHE, "root");
const globbed = (folder, rest) => existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name, rest)) : [];

// environment is what all clients read; each language finds its packages and the authority of zoho-sim by it.
const environment = {
  ...process.env,
  ACCOUNTS: ready.accounts_urls.us, API: ready.api_urls.us, CONTROL: ready.control, REDIRECT: "http://localhost:8910/callback",
  DEVICE_ID: ready.device_client_id, DEVICE_SECRET: ready.device_client_secret,
  SELF_ID: ready.self_client_id, SELF_SECRET: ready.self_client_secret,
  GIT: join(CACHE, "git"), CA: ready.ca_file, CURL_CA_BUNDLE: ready.ca_file, SSL_CERT_FILE: ready.ca_file, REQUESTS_CA_BUNDLE: ready.ca_file, PERL_LWP_SSL_CA_FILE: ready.ca_file,
  PATH: here + ":" + process.env.PATH, HOME: WORK, XDG_CACHE_HOME: undefined, OAUTHLIB_RELAX_TOKEN_SCOPE: "1",
  GOCACHE: goEnv("GOCACHE"), GOMODCACHE: goEnv("GOMODCACHE"), GOFLAGS: "-mod=mod",
  PYTHONPATH: [here, root + "/usr/lib/python3/dist-packages"].join(":"),
  PERL5LIB: [here, root + "/usr/share/perl5", root + "/usr/lib/x86_64-linux-gnu/perl5/5.36"].join(":"),
  RUBYLIB: [here, root + "/usr/lib/ruby/vendor_ruby", root + "/usr/lib/ruby/3.1.0", root + "/usr/lib/x86_64-linux-gnu/ruby/3.1.0",
    root + "/usr/lib/x86_64-linux-gnu/ruby/vendor_ruby/3.1.0", ...globbed(root + "/usr/share/rubygems-integration/all/gems", "lib"), ...globbed(root + "/usr/share/rubygems-integration/all/gems", "lib/concurrent-ruby"), ...globbed(root + "/usr/share/rubygems-integration/3.1.0/gems", "lib"), ...globbed(root + "/usr/lib/ruby/gems/3.1.0/gems", "lib")].join(":"),
};
const shared = "LD_LIBRARY_PATH=" + root + "/usr/lib/x86_64-linux-gnu";
const php = ["-n", "-d", "extension_dir=" + root + "/usr/lib/php/20220829", "-d", "extension=curl", "-d", "extension=mbstring", "-d", "curl.cainfo=" + ready.ca_file, "-d", "openssl.cafile=" + ready.ca_file, "-d", "error_reporting=8191", "-d", "include_path=" + here + ":" + root + "/usr/share/php"];
const commands = { // by the ending of a file
  mjs: ["node"], sh: ["bash"], py: ["/usr/bin/python3", "-W", "ignore"], pl: ["perl"], go: ["go", "run"],
  rb: ["env", shared, root + "/usr/bin/ruby3.1", "-W0"], php: ["env", shared, root + "/usr/bin/php8.2", ...php],
};

function goEnv(name) {
  return spawnSync("go", ["env", name], { encoding: "utf8" }).stdout.trim();
}

async function control(method, path, body) {
  const answer = await fetch(ready.control + path, { method, body: body && JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${method} ${path}: ${await answer.text()}`);
  return answer.json();
}

// Node and Go look for packages in the folders above a file, so the clients run in the folder that has the packages.
cpSync(here, join(CACHE, "run"), { recursive: true });
if (existsSync(join(CACHE, "go"))) {
  cpSync(join(here, "clients"), join(CACHE, "go", "clients"), { recursive: true });
  cpSync(join(here, "sim.go"), join(CACHE, "go", "clients", "sim.go"));
}

console.log("| client | did | trips over | violations |\n|---|---|---|---|");
for (const file of process.argv.slice(2)) {
  const ending = file.split(".").pop();
  const pin = readFileSync(join(here, "clients", file), "utf8").split("\n", 1)[0].replace(/^(<\?php )?[#/]+ *\w+: */, "").split(" ")[0];
  await control("POST", "/reset");
  const client = await control("POST", "/clients", { name: file, redirect_uris: [environment.REDIRECT] });
  const { stdout, stderr, status, error } = spawnSync(commands[ending][0], [...commands[ending].slice(1), ...(ending === "go" ? [join("clients", "sim.go")] : []), join("clients", file)], {
    cwd: join(CACHE, ending === "go" ? "go" : "run"), encoding: "utf8", timeout: 120_000,
    env: { ...environment, CLIENT_ID: client.client_id, CLIENT_SECRET: client.client_secret },
  });
  const lines = stdout.split("\n");
  const did = lines.filter((line) => line.startsWith("ok ")).map((line) => line.slice(3));
  const failed = lines.filter((line) => line.startsWith("no ")).map((line) => line.slice(3));
  if (status !== 0) failed.push("ended: " + (error?.message ?? stderr.trim().split("\n").slice(-3).join(" ")));
  const seen = new Map();
  for (const { kind, detail } of await control("GET", "/violations")) {
    const text = kind + " (" + detail.replace(/100\d\.[0-9A-Za-z…]+/g, "…") + ")";
    seen.set(text, (seen.get(text) ?? 0) + 1);
  }
  const violations = [...seen].map(([text, times]) => times > 1 ? `${text} ${times} times` : text);
  const cell = (list) => list.join("; ").replace(/\s+/g, " ").replaceAll("|", "\\|").slice(0, 600) || "-";
  console.log(`| ${pin} | ${cell(did)} | ${cell(failed)} | ${cell(violations)} |`);
  if (process.env.VERBOSE) console.error(file, stdout, stderr);
}

// Helpers for clients in JavaScript: the addresses of zoho-sim, the browser, and steps that print "ok" or "no".
import { execFileSync } from "node:child_process";
import { createRequire } from "node:module";

const e = process.env;
export const require = createRequire(process.cwd() + "/clients/");
export const id = e.CLIENT_ID, secret = e.CLIENT_SECRET, redirect = e.REDIRECT, accounts = e.ACCOUNTS, api = e.API;
export const self = { id: e.SELF_ID, secret: e.SELF_SECRET }, device = { id: e.DEVICE_ID, secret: e.DEVICE_SECRET };
export const auth = accounts + "/oauth/v2/auth", token = accounts + "/oauth/v2/token", revoke = accounts + "/oauth/v2/token/revoke";
export const user = api + "/crm/v8/users?type=CurrentUser";
export const offline = { access_type: "offline", prompt: "consent" };

// consent is the callback address that the browser of a person who accepts lands on.
export const consent = (url) => new URL(execFileSync("consent", [String(url)], { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }).trim());

// step runs one flow. What it returns is passed on; after a failure the next steps run all the same.
export async function step(name, run) {
  try {
    const result = await run();
    console.log("ok " + name);
    return result;
  } catch (err) {
    console.log("no " + name + ": " + [err?.message ?? err, err?.cause?.message, err?.data && JSON.stringify(err.data)].filter(Boolean).join(", ").slice(0, 300).replace(/\s+/g, " "));
    if (e.VERBOSE) console.error(err);
  }
}

export function must(yes, what) {
  if (!yes) throw new Error(what);
}

// read calls an API with an access token, for clients that do not do so themselves.
export async function read(accessToken, url = user) {
  const answer = await fetch(url, { headers: { Authorization: "Zoho-oauthtoken " + accessToken } });
  must(answer.ok, "API: " + answer.status + " " + await answer.text());
}

export const control = (path, body) => fetch(e.CONTROL + path, { method: "POST", body: JSON.stringify(body) }).then((answer) => answer.json());

// npm: passport@0.7.0 passport-oauth2@1.8.0
import OAuth2Strategy from "passport-oauth2";
import { auth, consent, id, offline, read, redirect, secret, step, token } from "../sim.mjs";

// login runs a strategy as Passport does: first without a callback, then with the address the browser lands on.
export async function login(strategy, options) {
  const session = {};
  const visit = (url) => new Promise((yes, no) => {
    const s = Object.create(strategy);
    Object.assign(s, { redirect: (to) => yes(to), success: (who) => yes(who), fail: (why, status) => no(new Error("failed: " + JSON.stringify(why) + " " + status)), error: no, pass: yes });
    s.authenticate({ url: String(url), query: Object.fromEntries(new URL(url).searchParams), session, headers: {}, connection: {} }, options);
  });
  return visit(consent(await visit(redirect)));
}

if (process.argv[1].endsWith("passport-oauth2.mjs")) {
  class Zoho extends OAuth2Strategy {
    authorizationParams() { return offline; }
  }
  const verify = (access, refresh, profile, done) => done(null, { access, refresh });
  const strategy = new Zoho({ authorizationURL: auth, tokenURL: token, clientID: id, clientSecret: secret, callbackURL: redirect, scope: ["ZohoCRM.users.READ", "ZohoCRM.org.READ"], scopeSeparator: ",", state: true, pkce: true }, verify);
  const tokens = await step("code with PKCE and state", () => login(strategy, {}));
  await step("API", () => read(tokens.access));
  await step("refresh", () => new Promise((yes, no) => strategy._oauth2.getOAuthAccessToken(tokens.refresh, { grant_type: "refresh_token" }, (err, access) => err ? no(new Error(JSON.stringify(err))) : yes(access))));
}

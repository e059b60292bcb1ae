// npm: passport-zoho-crm@0.1.3 passport-oauth2@1.8.0
import passportZoho from "passport-zoho-crm";
import { accounts, auth, id, read, redirect, secret, step, token } from "../sim.mjs";
import { login } from "./passport-oauth2.mjs";

const strategy = (scope) => new passportZoho.Strategy({ clientID: id, clientSecret: secret, callbackURL: redirect, redirect_URL: redirect, scope, response_type: "code", access_type: "offline",
  authorizationURL: auth, tokenURL: token, userProfileURL: accounts + "/oauth/user/info" }, (access, refresh, profile, done) => done(null, { access, refresh, profile }));
const tokens = await step("code and profile", () => login(strategy("AaaServer.profile.READ,ZohoCRM.users.READ"), {}));
await step("API", () => read(tokens.access));
await step("a refresh token", () => { if (!tokens.refresh) throw new Error("none"); });
await step("the scopes that its documentation names", () => login(strategy("ZohoCRM.modules.READ"), {}));

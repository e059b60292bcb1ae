// npm: oauth@0.10.2
import { promisify } from "node:util";
import oauth from "oauth";
import { accounts, consent, id, offline, redirect, secret, step, user } from "../sim.mjs";

const client = new oauth.OAuth2(id, secret, accounts, "/oauth/v2/auth", "/oauth/v2/token");
client.useAuthorizationHeaderforGET(true);
const exchange = (code, params) => new Promise((yes, no) => client.getOAuthAccessToken(code, params, (err, access, refresh, all) => err ? no(new Error(JSON.stringify(err))) : yes({ access, refresh, all })));
const tokens = await step("code", () => exchange(
  consent(client.getAuthorizeUrl({ redirect_uri: redirect, response_type: "code", scope: "ZohoCRM.users.READ", ...offline })).searchParams.get("code"),
  { grant_type: "authorization_code", redirect_uri: redirect }));
await step("API", () => promisify(client.get.bind(client))(user, tokens.access));
await step("refresh", () => exchange(tokens.refresh, { grant_type: "refresh_token" }));
await step("refused refresh is an error", async () => {
  const refused = await exchange("1000.0.0", { grant_type: "refresh_token" });
  if (!refused.access) throw new Error("none, and the access token is " + refused.access);
});

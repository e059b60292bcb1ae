// npm: arctic@3.7.0
import * as arctic from "arctic";
import { auth, consent, id, must, read, redirect, revoke, secret, step, token } from "../sim.mjs";

const client = new arctic.OAuth2Client(id, secret, redirect);
const verifier = arctic.generateCodeVerifier();
const tokens = await step("code with PKCE", () => {
  const url = client.createAuthorizationURLWithPKCE(auth, arctic.generateState(), arctic.CodeChallengeMethod.S256, verifier, ["ZohoCRM.users.READ"]);
  url.searchParams.set("access_type", "offline");
  url.searchParams.set("prompt", "consent");
  return client.validateAuthorizationCode(token, consent(url).searchParams.get("code"), verifier);
});
await step("API", () => read(tokens.accessToken()));
await step("refresh", () => client.refreshAccessToken(token, tokens.refreshToken(), []));
await step("revocation", () => client.revokeToken(revoke, tokens.refreshToken()));
const refused = await step("refused refresh, whose result is no error yet", () => client.refreshAccessToken(token, tokens.refreshToken(), []));
await step("no access token in it", () => must(!refused.hasRefreshToken() && !("access_token" in refused.data), "there is one"));

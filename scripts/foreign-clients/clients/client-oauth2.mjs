// npm: client-oauth2@4.3.3
import ClientOAuth2 from "client-oauth2";
import { auth, consent, id, offline, redirect, secret, self, step, token, user } from "../sim.mjs";

const client = new ClientOAuth2({ clientId: id, clientSecret: secret, accessTokenUri: token, authorizationUri: auth, redirectUri: redirect, scopes: ["ZohoCRM.users.READ"], query: offline });
const tokens = await step("code", () => client.code.getToken(String(consent(client.code.getUri()))));
await step("API", async () => {
  const answer = await fetch(user, tokens.sign({ url: user, method: "get" }));
  if (!answer.ok) throw new Error("API: " + answer.status);
});
await step("refresh", () => tokens.refresh());
await step("client credentials", () => new ClientOAuth2({ clientId: self.id, clientSecret: self.secret, accessTokenUri: token, scopes: ["ZohoCliq.Users.READ"] }).credentials.getToken());

// npm: @fastify/oauth2@8.3.0 fastify@5.12.8
import Fastify from "fastify";
import oauth2 from "@fastify/oauth2";
import { accounts, consent, id, offline, read, redirect, secret, step } from "../sim.mjs";

const app = Fastify();
app.register(oauth2, { name: "zoho", scope: ["ZohoCRM.users.READ"], pkce: "S256", callbackUri: redirect, startRedirectPath: "/login", callbackUriParams: offline, cookie: { secure: false },
  credentials: { client: { id, secret }, options: { authorizationMethod: "body" }, auth: { tokenHost: accounts, tokenPath: "/oauth/v2/token", authorizePath: "/oauth/v2/auth", revokePath: "/oauth/v2/token/revoke" } } });
let granted;
app.get("/callback", async (request, reply) => (granted = await app.zoho.getAccessTokenFromAuthorizationCodeFlow(request, reply)).token);
await app.ready();
const tokens = await step("code with PKCE and state", async () => {
  const first = await app.inject("/login"), back = consent(first.headers.location);
  const answer = await app.inject({ url: back.pathname + back.search, cookies: Object.fromEntries(first.cookies.map((c) => [c.name, c.value])) });
  if (answer.statusCode !== 200) throw new Error(answer.body);
  return granted;
});
await step("API", () => read(tokens.token.access_token));
await step("refresh", () => app.zoho.getNewAccessTokenUsingRefreshToken(tokens.token, {}));
await step("revocation", () => app.zoho.revokeToken(tokens.token, "refresh_token", {}));

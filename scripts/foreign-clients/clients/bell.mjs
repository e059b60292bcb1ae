// npm: @hapi/bell@13.2.0 @hapi/hapi@21.4.9
import Hapi from "@hapi/hapi";
import Bell from "@hapi/bell";
import { accounts, auth, consent, id, must, offline, read, redirect, secret, step, token } from "../sim.mjs";

const server = Hapi.server({ port: 8910, host: "localhost" });
await server.register(Bell);
server.auth.strategy("zoho", "bell", { password: "0123456789abcdef0123456789abcdef", isSecure: false, clientId: id, clientSecret: secret, location: new URL(redirect).origin, providerParams: offline,
  provider: { name: "zoho", protocol: "oauth2", useParamsAuth: true, auth, token, pkce: "S256", scope: ["AaaServer.profile.READ", "ZohoCRM.users.READ"], scopeSeparator: ",",
    profile: async (credentials, params, get) => { credentials.profile = await get(accounts + "/oauth/user/info"); } } });
server.route({ method: "GET", path: "/callback", options: { auth: { strategy: "zoho", mode: "try" } }, handler: (request) => ({ error: request.auth.error?.message, ...request.auth.credentials }) });
const got = await step("code with PKCE, state and profile", async () => {
  const first = await server.inject("/callback"), cookie = first.headers["set-cookie"][0].split(";")[0];
  const back = consent(first.headers.location);
  const { result } = await server.inject({ url: back.pathname + back.search, headers: { cookie } });
  must(result.token, result.error);
  must(result.profile.ZUID, "no profile");
  return result;
});
await step("API", () => read(got.token));

// npm: @auth/core@0.41.3
import { Auth } from "@auth/core";
import Zoho from "@auth/core/providers/zoho";
import { accounts, auth, consent, control, id, must, offline, read, redirect, secret, step, token, user } from "../sim.mjs";

await control("/redirect-uris", { client_id: id, redirect_uri: new URL("/auth/callback/zoho", redirect) });
async function login(provider) {
  const account = {}, base = new URL(redirect).origin, cookies = new Map(), errors = [];
  const config = { secret: "0123456789abcdef0123456789abcdef", trustHost: true, basePath: "/auth", providers: [provider], redirectProxyUrl: undefined,
    callbacks: { jwt: ({ token, account: got, profile }) => { Object.assign(account, got, { profile }); return token; } }, logger: { error: (err) => errors.push(err.cause?.err?.message ?? err.message), warn() {} } };
  const visit = async (path, init = {}) => {
    const answer = await Auth(new Request(base + path, { ...init, headers: { ...init.headers, cookie: [...cookies].map(([k, v]) => k + "=" + v).join("; ") } }), config);
    for (const cookie of answer.headers.getSetCookie()) cookies.set(...cookie.split(";")[0].split(/=(.*)/s).slice(0, 2));
    return answer;
  };
  const { csrfToken } = await (await visit("/auth/csrf")).json();
  const answer = await visit("/auth/signin/zoho", { method: "POST", body: new URLSearchParams({ csrfToken }), headers: { "content-type": "application/x-www-form-urlencoded" } });
  const to = consent(answer.headers.get("location"));
  await visit(to.pathname + to.search);
  must(account.access_token, errors.join(", "));
  return account;
}
const at = { authorization: { url: auth, params: { scope: "AaaServer.profile.READ,ZohoCRM.users.READ", ...offline } }, token, userinfo: accounts + "/oauth/user/info" };
const account = await step("code and profile, as the provider is", () => login({ ...Zoho({ clientId: id, clientSecret: secret }), ...at }));
const body = await step("code and profile, with issuer and client_secret_post", () => login({ ...Zoho({ clientId: id, clientSecret: secret }), ...at, issuer: accounts, client: { token_endpoint_auth_method: "client_secret_post" } }));
if (account ?? body) await step("API", () => read((account ?? body).access_token, user));

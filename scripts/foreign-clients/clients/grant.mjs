// npm: grant@5.4.24
import { auth, consent, id, must, offline, read, redirect, require, secret, step, token } from "../sim.mjs";

const grant = require("grant")({ config: {
  defaults: { origin: new URL(redirect).origin, transport: "state", response: ["tokens", "raw"] },
  zoho: { authorize_url: auth, access_url: token, oauth: 2, key: id, secret, scope: ["ZohoCRM.users.READ", "ZohoCRM.org.READ"], scope_delimiter: ",", redirect_uri: redirect, state: true, pkce: true, custom_params: offline },
}, handler: "node", session: { secret: "0123456789abcdef" } });
let cookie;
const visit = (url) => new Promise((yes, no) => {
  const headers = {}, res = { setHeader: (name, value) => { headers[name] = value; }, end: () => yes({ headers }) };
  grant({ method: "GET", url, headers: { cookie } }, res).then(({ response, redirect: redirected }) => {
    if (headers["set-cookie"]) cookie = [].concat(headers["set-cookie"]).map((c) => c.split(";")[0]).join("; ");
    if (!redirected) yes({ headers, response });
  }, no);
});
const tokens = await step("code with PKCE and state", async () => {
  const { headers } = await visit("/connect/zoho");
  const back = consent(headers.location);
  const { response } = await visit("/connect/zoho/callback" + back.search);
  must(response.access_token, JSON.stringify(response));
  return response;
});
await step("API", () => read(tokens.access_token));

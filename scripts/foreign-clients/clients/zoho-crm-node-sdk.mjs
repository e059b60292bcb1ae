// npm: @zohocrm/nodejs-sdk-8.0@2.0.0
import { join } from "node:path";
import { tmpdir } from "node:os";
import { accounts, api, auth, consent, id, must, offline, redirect, secret, step, token as endpoint } from "../sim.mjs";

export async function run(sdk, start) {
  const url = auth + "?" + new URLSearchParams({ client_id: id, redirect_uri: redirect, response_type: "code", scope: "ZohoCRM.users.READ,ZohoCRM.org.READ", ...offline });
  const token = new sdk.OAuthBuilder().clientId(id).clientSecret(secret).redirectURL(redirect).grantToken(consent(url).searchParams.get("code")).build();
  const store = new sdk.FileStore(join(tmpdir(), `zoho-sdk-${process.pid}.csv`));
  const read = async () => {
    const answer = await new sdk.Org.OrgOperations().getOrganization();
    must(answer && answer.getStatusCode() === 200, "API: " + answer?.getStatusCode());
  };
  await step("code and API", async () => { await start(new sdk.Environment(api, endpoint, api), token, store); await read(); });
  await step("refresh", () => token.refreshAccessToken(token, endpoint));
  await step("API after refresh", read);
  await step("revocation by id", async () => must(await token.revoke(token.getId()) === true, "it returned no success"));
  await step("revocation by token", async () => must(await token.revokeRefreshToken(token.getRefreshToken(), accounts + "/oauth/v2/token/revoke") === true, "it returned no success"));
}

if (process.argv[1].endsWith("zoho-crm-node-sdk.mjs")) {
  const sdk = await import("@zohocrm/nodejs-sdk-8.0");
  await run(sdk, async (environment, token, store) => (await new sdk.InitializeBuilder()).environment(environment).token(token).store(store).initialize());
}

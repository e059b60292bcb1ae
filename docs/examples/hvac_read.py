"""Reads a token with hvac, again when ttl is over, and says which one Zoho rejected.

VAULT_ADDR=https://... VAULT_TOKEN=... python3 hvac_read.py zoho/creds/crm
"""
import os, sys
import hvac, requests

vault = hvac.Client(url=os.environ["VAULT_ADDR"], token=os.environ["VAULT_TOKEN"], verify=os.environ.get("VAULT_CACERT", True))


def read(path):
    # hvac returns None for a 404, and the plain response for an answer that is no JSON.
    answer = vault.read(path)
    data = answer.get("data") if isinstance(answer, dict) else None
    if not data or any(not isinstance(data.get(name), str) for name in ("api_domain", "authorization", "token_id")):
        sys.exit(f"no access token from Vault: {os.environ['VAULT_ADDR']}/v1/{path} is no credential of the Zoho secrets engine; "
                 "check that VAULT_ADDR is the address of a Vault server and that the path is that of a credential")
    return data


def call(token):
    return requests.get(token["api_domain"] + "/crm/v8/org", headers={"Authorization": token["authorization"]}, timeout=60)


token = read(sys.argv[1])
answer = call(token)
if answer.status_code == 401 and "SCOPE" not in answer.text:
    # A parameter stands behind a ?.
    next = read(sys.argv[1] + "?rejected=" + token["token_id"])
    if next["token_id"] != token["token_id"]:
        answer = call(next)
print(answer.status_code, answer.text)

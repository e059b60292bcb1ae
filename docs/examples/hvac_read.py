"""Reads a token with hvac, again when ttl is over, and says which one Zoho rejected.

VAULT_ADDR=https://... VAULT_TOKEN=... python3 hvac_read.py zoho/creds/crm
"""
import os, sys
import hvac, requests

vault = hvac.Client(url=os.environ["VAULT_ADDR"], token=os.environ["VAULT_TOKEN"], verify=os.environ.get("VAULT_CACERT", True))


def call(token):
    return requests.get(token["api_domain"] + "/crm/v8/org", headers={"Authorization": token["authorization"]}, timeout=60)


token = vault.read(sys.argv[1])["data"]
answer = call(token)
if answer.status_code == 401 and "SCOPE" not in answer.text:
    # A parameter stands behind a ?.
    next = vault.read(sys.argv[1] + "?rejected=" + token["token_id"])["data"]
    if next["token_id"] != token["token_id"]:
        answer = call(next)
print(answer.status_code, answer.text)

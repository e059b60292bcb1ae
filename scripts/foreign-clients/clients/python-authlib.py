# deb: python3-authlib=1.2.0-1+deb12u2 python3-requests=2.28.1+dfsg-1
from authlib.common.security import generate_token
from authlib.integrations.requests_client import OAuth2Session
from sim import *

client = OAuth2Session(ID, SECRET, token_endpoint_auth_method="client_secret_post", revocation_endpoint_auth_method="client_secret_post",
                       scope="ZohoCRM.users.READ", redirect_uri=REDIRECT, code_challenge_method="S256", token_endpoint=TOKEN)
verifier = generate_token(48)
url, state = client.create_authorization_url(AUTH, code_verifier=verifier, **OFFLINE)
step("code with PKCE", lambda: client.fetch_token(TOKEN, authorization_response=consent(url), code_verifier=verifier))
step("API", lambda: must(client.get(USER)))
step("refresh", lambda: client.refresh_token(TOKEN))
step("API after refresh", lambda: must(client.get(USER)))
step("revocation", lambda: must(client.revoke_token(REVOKE, token=client.token["refresh_token"])))
machine = OAuth2Session(SELF_ID, SELF_SECRET, token_endpoint_auth_method="client_secret_post", scope="ZohoCliq.Users.READ")
step("client credentials", lambda: machine.fetch_token(TOKEN, grant_type="client_credentials"))

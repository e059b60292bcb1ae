# deb: python3-requests-oauthlib=1.3.0+ds-1 python3-oauthlib=3.2.2-1
from oauthlib.oauth2 import BackendApplicationClient
from requests_oauthlib import OAuth2Session
from sim import *

client = OAuth2Session(ID, redirect_uri=REDIRECT, scope=["ZohoCRM.users.READ", "ZohoCRM.org.READ"])
url, state = client.authorization_url(AUTH, **OFFLINE)
os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"  # the redirect goes to http://localhost
step("code", lambda: client.fetch_token(TOKEN, client_secret=SECRET, include_client_id=True, authorization_response=consent(url)))
step("API", lambda: must(client.get(USER)))
step("refresh", lambda: client.refresh_token(TOKEN, client_id=ID, client_secret=SECRET))
step("API after refresh", lambda: must(client.get(USER)))
step("code with the client as Basic, as is its default", lambda: client.fetch_token(TOKEN, client_secret=SECRET, authorization_response=consent(client.authorization_url(AUTH, **OFFLINE)[0])))
machine = OAuth2Session(client=BackendApplicationClient(SELF_ID, scope="ZohoCliq.Users.READ"))
step("client credentials", lambda: machine.fetch_token(TOKEN, client_id=SELF_ID, client_secret=SELF_SECRET, include_client_id=True))

# deb: python3-oauth2client=4.1.3-3 python3-httplib2=0.20.4-3+deb12u1
import httplib2
from oauth2client.client import OAuth2WebServerFlow
from sim import *

http = httplib2.Http(ca_certs=os.environ["CA"])
flow = OAuth2WebServerFlow(ID, SECRET, "ZohoCRM.users.READ", redirect_uri=REDIRECT, auth_uri=AUTH, token_uri=TOKEN, revoke_uri=REVOKE, pkce=True, **OFFLINE)
query = __import__("urllib.parse").parse
code = lambda: query.parse_qs(query.urlsplit(consent(flow.step1_get_authorize_url())).query)["code"][0]
credentials = step("code with PKCE", lambda: flow.step2_exchange(code(), http=http))


def read():
    status = credentials.authorize(httplib2.Http(ca_certs=os.environ["CA"])).request(USER)[0].status
    if status != 200:
        raise Exception("API: %s" % status)


step("API", read)
step("refresh", lambda: credentials.refresh(http))
step("API after refresh", read)
step("revocation", lambda: credentials.revoke(http))

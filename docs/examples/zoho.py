"""Calls Zoho with access tokens that Vault hands out. Python 3.9 or newer, no packages.

VAULT_ADDR=https://... VAULT_TOKEN=... python3 zoho.py zoho/creds/crm /crm/v8/org
"""
import calendar, json, os, sys, threading, time, urllib.error, urllib.parse, urllib.request


class Zoho:
    def __init__(self, path):
        self.path, self.held, self.next, self.lock = path, None, 0, threading.Lock()

    def call(self, path, **request):
        """Sends a request to the account's API gateway, or to a whole address, and once more
        with another token if Zoho rejects the first and Vault has another: status, body."""
        used = self.token()
        status, body = self.send(used, path, request)
        if status == 401 and b"scope" not in body.lower():
            next = self.token(rejected=used["token_id"])
            if next["token_id"] != used["token_id"]:
                return self.send(next, path, request)
        return status, body

    def send(self, token, path, request):
        request = urllib.request.Request(urllib.parse.urljoin(token["api_domain"], path), **request)
        request.add_unredirected_header("Authorization", token["authorization"])  # for this host alone
        return answered(request, 60)

    def token(self, rejected=None):
        """The token is kept for ttl, and while Vault is away as long as it lives."""
        held = self.held
        if held and time.monotonic() < self.next and not rejected:
            return held
        lives = held and time.time() < calendar.timegm(time.strptime(held["expire_time"], "%Y-%m-%dT%H:%M:%SZ")) - 30
        if not self.lock.acquire(blocking=not lives or bool(rejected)):
            return held  # somebody reads already
        try:
            if self.held is held:  # else somebody has read meanwhile
                self.held = self.ask(rejected)
                self.next = time.monotonic() + self.held["ttl"]
        except OSError:
            if not lives:
                raise
            self.next = time.monotonic() + 5
        finally:
            self.lock.release()
        return self.held

    def ask(self, rejected):
        address = f"{os.environ['VAULT_ADDR']}/v1/{self.path}" + (f"?rejected={rejected}" if rejected else "")
        status, body = answered(urllib.request.Request(address, headers={"X-Vault-Token": os.environ["VAULT_TOKEN"]}), 30)
        if status != 200:
            raise OSError(f"no access token from Vault: {'; '.join(json.loads(body)['errors'])}")
        return json.loads(body)["data"]


def answered(request, timeout):
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as answer:
        return answer.code, answer.read()


if __name__ == "__main__":
    status, body = Zoho(sys.argv[1]).call(sys.argv[2])
    print(status, body.decode())

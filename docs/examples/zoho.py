"""Calls Zoho with access tokens that Vault hands out. Python 3.9 or newer, no packages.

VAULT_ADDR=https://... VAULT_TOKEN=... python3 zoho.py zoho/creds/crm /crm/v8/org
"""
import calendar, email.utils, http.client, json, os, re, sys, threading, time, urllib.error, urllib.parse, urllib.request

# Answers with 401 that are not about the token: a scope or organization that it does not
# have, a missing resource, a page. (host and path, status line + media type + body)
MISMATCHES = [
    (r"", r"\b(OAUTH_SCOPE_MISMATCH|INVALID_OAUTHSCOPE|oauthtoken_scope_invalid|Invalid OAuthScope|OAUTH_ORG_MISMATCH)\b"),
    (r"(?i)\bworkdrive\b", r'"R008"'),
    (r"/(books|inventory)/", r'"code"\s*:\s*"?57\b'),
    # JSON that is called text/html is no page.
    (r"", r"(?i)^.*\n(text/html\b.*\n\s*([^\s{[]|$)|.*\n\s*<(!doctype )?html)"),
]
CHECK = "check that VAULT_ADDR is the address of a Vault server (a proxy before it may have answered) and that the path is that of a credential"


class Zoho:
    def __init__(self, path):
        self.path, self.lock, self.held, self.reading = path, threading.Lock(), None, None
        self.error, self.retry, self.reported = None, 0, 0
        if hasattr(os, "register_at_fork"):  # a child has no thread that ends a read of its parent
            os.register_at_fork(after_in_child=self.forked)

    def forked(self):
        self.lock, self.reading = threading.Lock(), None

    def call(self, path, **request):
        """Sends a request to the account's API gateway, or to a whole address, and once more
        with another token if Zoho rejects the first and Vault has another: status, body. Data
        that is not bytes can be read only once and is not sent again: the next call has the
        next token."""
        used = self.token()
        status, body, dead = self.send(used, path, request)
        if dead:
            try:
                next = self.token(rejected=used["token_id"])
            except OSError:
                next = used  # Zoho's answer says more
            if next["token_id"] != used["token_id"] and isinstance(request.get("data") or b"", (bytes, bytearray)):
                status, body, _ = self.send(next, path, request)
        return status, body

    def send(self, token, path, request):
        """Returns status, body, and whether they say that the token is dead."""
        request = urllib.request.Request(urllib.parse.urljoin(token.get("api_domain", ""), path), **request)
        request.add_unredirected_header("Authorization", token["authorization"])  # for this address alone
        status, reason, headers, body, url = answered(request, 60)
        return status, body, url == request.full_url and rejects(url, status, reason, headers, body)

    def token(self, rejected=None):
        """A token is used for ttl, and until it expires while Vault is down. In its last 30 s
        a new one is waited for, for 2 s. One thread reads at a time. After an error nobody
        does for 5 s, or for as long as Vault says."""
        while True:
            with self.lock:
                held, now, reading = self.held, time.monotonic(), self.reading
                lives = held and now < held["began"] + held["life"]
                if rejected and (held["token_id"] != rejected or now < self.reported):
                    return held
                if held and not rejected and left(held, held["next"]) > 0:
                    return held
                if not reading and now < self.retry:
                    if lives:
                        return held
                    raise OSError(self.error)
                if not reading:
                    reading = threading.Event()
                    reading.began = now
                    threading.Thread(target=self.read, args=(reading, rejected), daemon=True).start()
                    self.reading = reading
            waits = not lives or rejected
            if not waits and left(held, held["life"]) > 30:
                return held
            if not reading.wait(None if waits else max(0, reading.began + 2 - now)) and time.monotonic() < held["began"] + held["life"]:
                return held

    def read(self, reading, rejected):
        held, error = None, None
        try:
            held = self.ask(rejected)
        except Exception as problem:
            error = problem
        with self.lock:
            if held:
                self.held, self.retry = held, 0
                self.reported = time.monotonic() + 60 if held["token_id"] == rejected else 0  # Vault keeps it
            else:
                self.error, self.retry = str(error), time.monotonic() + max(5, getattr(error, "wait", 0))
            self.reading = None
        reading.set()

    def ask(self, rejected):
        address, began, wall = f"{os.environ.get('VAULT_ADDR', '').rstrip('/')}/v1/{self.path}", time.monotonic(), time.time()
        try:
            request = urllib.request.Request(address + (f"?rejected={rejected}" if rejected else ""))
            request.add_unredirected_header("X-Vault-Token", os.environ.get("VAULT_TOKEN", ""))
            status, _, headers, body, _ = answered(request, 30, 1 << 20)
        except Exception as problem:  # the text of others may show the headers
            why = problem if isinstance(problem, OSError) else type(problem).__name__
            raise OSError(f"no access token from Vault: {address} failed ({why}); {CHECK}") from None
        answer, now = parsed(body), seconds(headers.get("Date"))
        if status != 200:
            errors = answer.get("errors")
            why = "; ".join(map(str, errors)) if isinstance(errors, list) and errors else f"no reason of Vault's; {CHECK}"
            error = OSError(f"no access token from Vault: {address} answered HTTP {status}: {why}")
            after = headers.get("Retry-After", "") if status in (429, 503) else ""
            error.wait = min(600, int(after[:9]) if after.isdecimal() else (seconds(after) or 0) - (now or wall))
            raise error
        data = answer.get("data") if isinstance(answer.get("data"), dict) else {}
        wrong = [name for name in ("access_token", "authorization", "token_id") if not re.fullmatch("[ -~]+", text(data, name))]
        wrong += ["ttl"] * (type(data.get("ttl")) not in (int, float) or not data["ttl"] >= 0)
        wrong += ["expire_time"] * (not seconds(text(data, "expire_time"))) + ["api_domain"] * (type(data.get("api_domain", "")) is not str)
        if wrong:
            why = f"no usable {wrong[0]}" if answer else "no JSON" if body else "an empty body"
            raise OSError(f"no access token from Vault: {address} answered HTTP 200 with {why}; {CHECK}")
        # Both times are of Vault's clock: the clock of this machine may be wrong.
        ttl, expires, issued = max(1, min(data["ttl"], 86400)), seconds(data["expire_time"]), seconds(text(data, "issue_time"))
        life = max(ttl, min(expires - issued if issued else 86400, expires - now - 1)) if now else ttl
        return {**data, "began": began, "wall": wall, "life": life, "next": time.monotonic() - began + ttl}


def left(held, until):
    """Time left. The monotonic clock may stand still in a sleep of the machine, the other may step."""
    return until - max(time.monotonic() - held["began"], time.time() - held["wall"])


def rejects(url, status, reason, headers, body):
    """Whether an answer of Zoho says that the token is dead. PhoneBridge says so with 400."""
    if status != 401:
        return status == 400 and b'"INVALID_TOKEN"' in body
    where, kind = urllib.parse.urlsplit(url), headers.get("Content-Type", "")
    answer = f"{reason}\n{kind}\n{body.decode(errors='replace')}"
    return "expired_token" in headers.get("WWW-Authenticate", "") or not any(
        re.search(place, where.netloc + where.path) and re.search(says, answer) for place, says in MISMATCHES)


def text(data, name):
    return data[name] if isinstance(data.get(name), str) else ""


def parsed(body):
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        answer = None
    return answer if isinstance(answer, dict) else {}


def seconds(date):
    """Since 1970, of a date as in expire_time or as in a header; None if it is no date."""
    try:
        if date and date.endswith("Z"):
            return calendar.timegm(time.strptime(date, "%Y-%m-%dT%H:%M:%SZ"))
        return email.utils.parsedate_to_datetime(date).timestamp()
    except (TypeError, ValueError, IndexError):
        return None


def answered(request, timeout, most=None):
    try:
        try:
            answer = urllib.request.urlopen(request, timeout=timeout)
        except urllib.error.HTTPError as refusal:
            answer = refusal
        with answer:
            body, until = b"", time.monotonic() + timeout
            while chunk := answer.read1(1 << 16):
                body += chunk
                if most and (len(body) > most or time.monotonic() > until):
                    raise OSError("its answer is too long")
            return answer.status, answer.reason, answer.headers, body, answer.url
    except http.client.HTTPException as broken:
        raise OSError(f"broken answer: {type(broken).__name__}") from None


if __name__ == "__main__":
    status, body = Zoho(sys.argv[1]).call(sys.argv[2])
    print(status, body.decode())

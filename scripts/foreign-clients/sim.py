# Helpers for clients in Python: the addresses of zoho-sim, the browser, and steps that print "ok" or "no".
import os
import subprocess

ID, SECRET, REDIRECT = os.environ["CLIENT_ID"], os.environ["CLIENT_SECRET"], os.environ["REDIRECT"]
AUTH, TOKEN = os.environ["ACCOUNTS"] + "/oauth/v2/auth", os.environ["ACCOUNTS"] + "/oauth/v2/token"
REVOKE, USER = TOKEN + "/revoke", os.environ["API"] + "/crm/v8/users?type=CurrentUser"
SELF_ID, SELF_SECRET = os.environ["SELF_ID"], os.environ["SELF_SECRET"]
OFFLINE = {"access_type": "offline", "prompt": "consent"}


def consent(url):
    """consent is the callback address that the browser of a person who accepts lands on."""
    return subprocess.run(["consent", url], check=True, capture_output=True, text=True).stdout.strip()


def step(name, run):
    """step runs one flow. After a failure the next steps run all the same."""
    try:
        result = run()
        print("ok " + name)
        return result
    except Exception as error:
        print(("no " + name + ": " + repr(error))[:300])


def must(answer):
    """must fails unless an API answered with 200."""
    if answer.status_code != 200:
        raise Exception("API: %s %s" % (answer.status_code, answer.text))
    return answer

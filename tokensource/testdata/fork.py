"""Forks while docs/examples/zoho.py reads a token. The child prints what it gets from Zoho."""
import os, signal, sys, threading

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(sys.argv[1]))
from zoho import Zoho

zoho = Zoho("zoho/creds/crm")
threading.Thread(target=zoho.call, args=["/crm/v8/org"], daemon=True).start()
sys.stdin.readline()  # Vault has the request
child = os.fork()
if not child:
    signal.alarm(60)
    os.environ["VAULT_TOKEN"] = "child"
    print(*zoho.call("/crm/v8/org"), flush=True)
    os._exit(0)
os._exit(os.waitpid(child, 0)[1] != 0)

"""Runs docs/examples/zoho.py for the tests: one command of JSON a line on standard
input, one result a line on standard output. Time passes as the commands say."""
import concurrent.futures, io, json, os, sys, time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(sys.argv[1]))
from zoho import Zoho

passed, stepped, zoho = 0, 0, None
monotonic, wall = time.monotonic, time.time
time.monotonic = lambda: monotonic() + passed
time.time = lambda: wall() + passed + stepped


BODIES = {
    "text": lambda: b"text",
    "stream": lambda: (chunk for chunk in [b"stream"]),
    "file": lambda: io.BytesIO(b"file"),
    "iterator": lambda: iter([b"iterator"]),
}


def call(path, body):
    try:
        status, body = zoho.call(path, **({"data": BODIES[body]()} if body else {}))
        return {"status": status, "body": body.decode()}
    except OSError as error:
        return {"error": str(error)}


with concurrent.futures.ThreadPoolExecutor(50) as pool:
    for line in sys.stdin:
        command = json.loads(line)
        if command.get("fresh"):
            passed, stepped, zoho = 0, 0, Zoho("zoho/creds/crm")
        passed += command.get("pass", 0)
        stepped += command.get("step", 0)
        results = list(pool.map(call, [command.get("path")] * command.get("callers", 0), [command.get("body")] * command.get("callers", 0)))
        reading = zoho.reading
        if reading:
            reading.wait()
        print(json.dumps(results), flush=True)

#!/bin/sh
# kubernetes 37.0.2 for Python: a command's stream that is closed without a status, as by an API server that is restarted or
# a node that goes away, is no error to WSClient. It says that it is closed and hands out what came so far; only its
# `returncode`, documented as the status or None, raises TypeError. With the status, of success or failure, all is as documented.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check kubernetes==37.0.2 websockets==15.0.1

cat >show.py <<'PY'
import json
import threading

from kubernetes.client import Configuration
from kubernetes.stream.ws_client import WSClient
from websockets.sync.server import serve

SUCCESS = {"status": "Success"}
FAILURE = {"status": "Failure", "reason": "NonZeroExitCode", "details": {"causes": [{"reason": "ExitCode", "message": "3"}]}}


def answer(connection):
    connection.send(b"\x01half of it")
    status = {"/success": SUCCESS, "/failure": FAILURE}.get(connection.request.path)
    if status:
        connection.send(b"\x03" + json.dumps(status).encode())


with serve(answer, "127.0.0.1", 0, subprotocols=["v4.channel.k8s.io"]) as server:
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = "ws://127.0.0.1:{}".format(server.socket.getsockname()[1])
    for case in ("success", "failure", "none"):
        client = WSClient(Configuration(), f"{address}/{case}", {}, capture_all=True)
        client.run_forever(timeout=10)
        try:
            status = client.returncode
        except Exception as error:
            status = f"{type(error).__name__}: {error}"
        print(case, client.is_open(), repr(client.read_all()), status, sep=", ")
    server.shutdown()
PY

said=$(venv/bin/python show.py)
echo "$said"
expected="success, False, 'half of it', 0
failure, False, 'half of it', 3
none, False, 'half of it', TypeError: 'NoneType' object is not subscriptable"
[ "$said" = "$expected" ] || { echo "this has changed" >&2; exit 1; }

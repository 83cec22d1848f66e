#!/bin/sh
# CoreDNS 1.15.0: the Corefile's `{$NAME}` is filled in after the lines were split into words, so that a variable with two words
# is one word with a space in it. `forward` refuses it, by the name of a host that cannot be looked up: two upstreams cannot
# come from one variable. An empty variable is an empty word, which `errors` takes for a log file. `hosts` splits again.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
GOBIN=$folder GOFLAGS=-modcacherw go install github.com/coredns/coredns@v1.15.0

cat >ask.py <<'PY'
import os, socket, struct, subprocess, sys, time

os.environ.update(UPSTREAMS="127.0.0.1 127.0.0.2", NAMES="a.test b.test", NOTHING="")
unused = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
unused.bind(("127.0.0.1", 0))
port = unused.getsockname()[1]
unused.close()


def start(lines: str) -> subprocess.Popen[str]:
    with open("Corefile", "w") as file:
        file.write(f".:{port} {{\n bind 127.0.0.1\n {lines}\n}}\n")
    return subprocess.Popen(["./coredns", "-conf", "Corefile"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def ask(name: str) -> str:
    words = b"".join(bytes([len(word)]) + word.encode() for word in name.split("."))
    query = b"\x00\x01" + struct.pack("!HHHHH", 0x0100, 1, 0, 0, 0) + words + b"\x00\x00\x01\x00\x01"
    for _ in range(100):  # until it listens
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(1)
            client.connect(("127.0.0.1", port))
            try:
                client.send(query)
                answer = client.recv(512)
            except OSError:
                time.sleep(0.1)
                continue
        return f"{int.from_bytes(answer[6:8], 'big')} answers"
    return "no server"


for lines in ("forward . {$UPSTREAMS}", "errors {$NOTHING}\n whoami"):
    said = start(lines).communicate(timeout=30)[0]
    print(said.strip().splitlines()[-1].strip())
server = start("hosts {\n 192.0.2.1 {$NAMES}\n }")
try:
    print("hosts:", *(f"{name} has {ask(name)};" for name in ("a.test", "b.test")))
finally:
    server.terminate()
    server.communicate()
PY

said=$(python3 ask.py)
echo "$said"
expected='plugin/forward: failed to resolve "127.0.0.1 127.0.0.2": lookup 127.0.0.1 127.0.0.2.: no such host
plugin/errors: Corefile:3 - Error during parsing: invalid log file:
hosts: a.test has 1 answers; b.test has 1 answers;'
[ "$said" = "$expected" ] || { echo "this has changed" >&2; exit 1; }

#!/bin/sh
# pulumi 3.259.0 for Python: an error in a resource's inputs is raised from itself. Its __cause__ is the error again, so
# whoever follows the causes to the first one never gets there, and what it comes from is left in __context__ only. The SDK
# wraps what was raised, with the resource's name and then with the input's; the lower of these two has its cause as usual.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pulumi==3.259.0

cat >show.py <<'PY'
import logging

import pulumi

logging.disable()


class Engine(pulumi.runtime.Mocks):
    def new_resource(self, args):
        return args.name, dict(args.inputs)

    def call(self, args):
        return {}


async def failing():
    raise ValueError("no such file")


pulumi.runtime.set_mocks(Engine())


@pulumi.runtime.test
def program():
    pulumi.CustomResource("a:b:C", "name", {"input": failing()})


def first_words(error):
    return " ".join(str(error).split()[:3])


try:
    program()
except ValueError as error:
    print(first_words(error), "- from itself:", error.__cause__ is error)
    lower = error.__context__
    print(first_words(lower), "- from itself:", lower.__cause__ is lower)
    print(first_words(lower.__cause__))
PY

said=$(venv/bin/python show.py)
echo "$said"
expected="While processing resource: - from itself: True
While processing input: - from itself: False
no such file"
[ "$said" = "$expected" ] || { echo "this has changed" >&2; exit 1; }

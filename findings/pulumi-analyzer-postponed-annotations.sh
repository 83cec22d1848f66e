#!/bin/sh
# Pulumi's component analyzer for Python (pulumi 3.272.0, pulumi.provider.experimental) reads no component whose module has
# `from __future__ import annotations`. The same class without that line is read. The error names an attribute of `str`, and
# neither the line nor the module.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pulumi==3.272.0

cat >plain.py <<'PY'
from typing import TypedDict
import pulumi


class BucketArgs(TypedDict):
    size: pulumi.Input[int]


class Bucket(pulumi.ComponentResource):
    url: pulumi.Output[str]

    def __init__(self, name: str, args: BucketArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("lab:index:Bucket", name, {}, opts)
PY
{ echo 'from __future__ import annotations'; cat plain.py; } >postponed.py

cat >read.py <<'PY'
import importlib, sys
from pathlib import Path
from pulumi.provider.experimental.analyzer import Analyzer

component = importlib.import_module(sys.argv[1]).Bucket
try:
    found = Analyzer("lab").analyze_component(component)
    print("read:", sorted(found.inputs), sorted(found.outputs))
except Exception as error:
    print(f"{type(error).__name__}: {error}")
PY

said=$(for module in plain postponed; do echo "$module: $(venv/bin/python read.py $module)"; done)
echo "$said"
expected="plain: read: ['size'] ['url']
postponed: AttributeError: 'str' object has no attribute '__mro__'"
[ "$said" = "$expected" ] || { echo "this has changed" >&2; exit 1; }

#!/bin/sh
# pulumi-kubernetes 4.23.0 for Python: a pod spec that is a plain dict may have its fields in snake_case, and the SDK turns
# those that it knows into Kubernetes' spelling. One that it does not know, because Kubernetes got the field later (here
# restartPolicyRules, of 1.34), stays in snake_case, in which Kubernetes does not know it: no error, no warning. In camelCase
# the same field gets through.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check 'setuptools<81' pulumi==3.190.0 pulumi-kubernetes==4.23.0

cat >program.py <<'PY'
import warnings

import pulumi
import pulumi_kubernetes as kubernetes

warnings.simplefilter("error", UserWarning)


class Engine(pulumi.runtime.Mocks):
    def new_resource(self, args):
        print(*sorted(args.inputs["spec"]["initContainers"][0]))
        return args.name, dict(args.inputs)

    def call(self, args):
        return {}


pulumi.runtime.set_mocks(Engine())


@pulumi.runtime.test
def deploy():
    rules = [{"action": "Restart", "exitCodes": {"operator": "In", "values": [42]}}]
    container = {"name": "a", "image": "b", "image_pull_policy": "Always"}
    pods = [
        kubernetes.core.v1.Pod(name, spec={"init_containers": [{**container, name: rules}]})
        for name in ("restart_policy_rules", "restartPolicyRules")
    ]
    return pulumi.Output.all(*(pod.urn for pod in pods))


deploy()
PY

said=$(venv/bin/python program.py | LC_ALL=C sort)
echo "$said"
expected="image imagePullPolicy name restartPolicyRules
image imagePullPolicy name restart_policy_rules"
[ "$said" = "$expected" ] || { echo "this has changed" >&2; exit 1; }

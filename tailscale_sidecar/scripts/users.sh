# Goes before all else, in the same file, where the pod is to have users of its own (hostUsers: false). A cluster that does
# not know the field drops it and says nothing; root here would then be root on the node.
set -eu

read -r _ user_on_node _ </proc/self/uid_map
if [ "$user_on_node" = 0 ]; then
  echo "This pod has no user namespace, which KernelNetworking(user_namespace=True) asks for: its root is the node's." \
    "The cluster dropped hostUsers. It needs Kubernetes 1.33 or newer, with the feature gate UserNamespacesSupport on." >&2
  exit 1
fi

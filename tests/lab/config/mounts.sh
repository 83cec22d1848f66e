# Runs as the node's first process, in a mount namespace of its own: to the kubelet and containerd
# the machine's state folders are the lab's. Their mounts end with the namespace, and nothing of
# theirs is left on the machine. Argument: the lab's state folder.
set -eu
state=$1
mount --bind "$state" /mnt # stays reachable while what it may lie below is covered
mount -t tmpfs -o mode=755 tmpfs /run
mount -t tmpfs -o mode=755 tmpfs /var/lib
for disk in cni containerd kubelet volumes; do
  mkdir "/var/lib/$disk"
  mount --bind "/mnt/disks/$disk" "/var/lib/$disk"
done
mount --bind /mnt/disks/log /var/log
mkdir -p "$state"
mount --bind /mnt "$state"
# Anybody may open it, as on a node with udev: in a user namespace root is nobody. The machine's own is as it was.
mount -t tmpfs -o mode=755 tmpfs /dev/net
mknod -m 0666 /dev/net/tun c 10 200
mount --make-rshared / # the kubelet's mount propagation asks for it
touch "$state/run/node.ready"
exec sleep infinity

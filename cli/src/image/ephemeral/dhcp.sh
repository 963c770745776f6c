#!/bin/busybox sh
# Called by udhcpc. The agent waits for the file in /run/ironherd.
[ "$1" = bound ] || [ "$1" = renew ] || exit 0
want="$ip/${mask:-24}"
# A renewed lease with the same address must not take the address away, not even for a moment.
if ! ip -4 -o addr show dev "$interface" | grep -qF " $want "; then
    ip -4 addr flush dev "$interface"
    ip addr add "$want" dev "$interface"
fi
[ -n "$mtu" ] && ip link set "$interface" mtu "$mtu"
[ -n "$router" ] && ip route replace default via "${router%% *}" dev "$interface"
for server in $dns; do echo "nameserver $server"; done >/etc/resolv.conf
echo "$want" >"/run/ironherd/$interface.new"
mv "/run/ironherd/$interface.new" "/run/ironherd/$interface"

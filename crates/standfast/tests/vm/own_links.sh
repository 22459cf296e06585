#!/bin/sh
# In a virtual machine: two nodes with interfaces of their own (`use_vmac`, `use_ipvlan`) on parents that
# few host kernels have. Says what failed, and exits with 1.
#   VM_RUN=/path/to/vm-run own_links.sh STANDFAST
# vm-run runs a command in a virtual machine; there it sets VM_RUN_GUEST.
if [ -z "$VM_RUN_GUEST" ]; then
    [ -x "$VM_RUN" ] || { echo "SKIPPED $0: VM_RUN names no program"; exit 0; }
    exec "$VM_RUN" --timeout 600 --fast-time --bin "$1" --add "$1:/usr/local/sbin/keepalived" \
        --bin tcpdump --bin ping --add "$0:/own_links.sh" -- sh /own_links.sh
fi
PATH=/usr/local/sbin:$PATH
mac=00:00:5e:00:01:33

# Names of nodes: the case, then a or b, and c for the client.
node() { # CASE NODE PARENT ADDRESS
    ns=$1$2
    ip netns add "$ns"
    ip link add "$ns" up master br0 type veth peer name eth0 netns "$ns"
    ip -n "$ns" link set lo up
    case $3 in
    eth0) ;;
    bridge) printf '%s\n' 'link add p0 type bridge' 'link set eth0 master p0' ;;
    bond) printf '%s\n' 'link add p0 type bond mode active-backup miimon 50' 'link set eth0 master p0' ;;
    vlan) printf '%s\n' 'link add link eth0 name p0 type vlan id 7' ;;
    vrf) printf '%s\n' 'link add red type vrf table 10' 'link set red up' 'link set eth0 master red' ;;
    dummy) printf '%s\n' 'link add p0 type dummy' ;;
    esac | ip -n "$ns" -batch -
    parent=p0
    case $3 in eth0 | vrf) parent=eth0 ;; esac
    printf '%s\n' 'link set eth0 up' "link set $parent up" "addr add $4/24 dev $parent" |
        ip -n "$ns" -batch - || echo "$ns: failed to set $parent up"
}

start() { # NODE PRIORITY
    cat >"/tmp/$1.conf" <<X
global_defs {
 script_user root
}
vrrp_instance V {
 state BACKUP
 interface $parent
 version 3
 virtual_router_id 51
 priority $2
 advert_int 0.5
 $lines
 virtual_ipaddress {
  10.83.0.100/24
 }
}
X
    ip netns exec "$1" keepalived -n -l -f "/tmp/$1.conf" -p "/run/$1.pid" >"/tmp/$1.log" 2>&1 &
    eval "pid_$1=$!"
}

until_true() { # COMMAND...
    n=0
    until "$@"; do
        n=$((n + 1))
        [ $n -lt 60 ] || return 1
        sleep 0.1
    done
}

holds() { ip -n "$1" -o addr show to 10.83.0.100 | grep -q .; }
has_link() { ip -n "$1" link show vrrp.51 >/dev/null 2>&1; }
reaches() { ip netns exec "$1" ping -c 1 -W 1 10.83.0.100 >/dev/null; }

fail() {
    echo "FAILED $kind: $1"
    tail -n 15 "/tmp/${kind}a.log" "/tmp/${kind}b.log"
    exit 1
}

check() { # WHAT COMMAND...
    what=$1
    shift
    until_true "$@" || fail "$what"
}

begin() { # KIND LINES
    kind=$1 lines=$2
    node "$kind" c "$kind" 10.83.0.3
    node "$kind" a "$kind" 10.83.0.1
    node "$kind" b "$kind" 10.83.0.2
}

finish() {
    for ns in "${kind}a" "${kind}b"; do
        eval "kill -TERM \$pid_$ns; wait \$pid_$ns" 2>/dev/null
        left=$(ip -n "$ns" -o link show type macvlan; ip -n "$ns" -o link show type ipvlan)
        [ -z "$left" ] || fail "$ns keeps $left"
    done
    ip netns del "${kind}a"
    ip netns del "${kind}b"
    ip netns del "${kind}c"
}

virtual_mac() { # KIND
    begin "$1" 'use_vmac'
    a=${kind}a b=${kind}b c=${kind}c
    start "$b" 200
    check 'the other node is master' holds "$b"
    ip netns exec "$a" tcpdump -Z root -i eth0 -Q out --immediate-mode -U -w "/tmp/$a.cap" \
        "ether src $mac" 2>"/tmp/$a.tcpdump" &
    capture=$!
    check 'the capture runs' grep -qs listening "/tmp/$a.tcpdump"
    start "$a" 100
    check 'the backup has its interface' has_link "$a"
    sleep 3
    early=$(tcpdump -nn -e -r "/tmp/$a.cap" 2>/dev/null)
    [ -z "$early" ] || fail "said as a backup: $early"
    eval "kill -TERM \$pid_$b"
    check 'it takes over' holds "$a"
    probe=$c
    [ "$kind" = vrf ] && ip -n "$c" link set eth0 nomaster
    check 'the client reaches it' reaches "$probe"
    known=$(ip -n "$c" neigh show 10.83.0.100)
    case $known in *$mac*) ;; *) fail "the client knows $known" ;; esac
    said=$(tcpdump -nn -r "/tmp/$a.cap" 2>/dev/null | wc -l)
    start "$b" 200
    check 'it yields' holds "$b"
    sleep 1
    holds "$a" && fail "both hold it"
    kill "$capture"
    echo "$kind: silent as a backup, $said frames as master"
    finish
}

own_ipvlan() { # KIND
    begin "$1" 'use_ipvlan ipv 10.83.0.11/24'
    a=${kind}a b=${kind}b
    start "$a" 200
    lines='use_ipvlan ipv 10.83.0.12/24'
    start "$b" 100
    check 'it is master' holds "$a"
    has() { ip -n "$1" -o addr show dev ipv to "$2" | grep -q .; }
    check 'the ipvlan has its address' has "$a" 10.83.0.11
    check 'the ipvlan of the backup has its address' has "$b" 10.83.0.12
    if [ "$kind" = eth0 ]; then
        sleep 2
        holds "$b" && fail "both hold it"
        check 'the client reaches it' reaches "${kind}c"
        eval "kill -TERM \$pid_$a"
        check 'the other takes over' holds "$b"
        check 'the client reaches the other' reaches "${kind}c"
    fi
    echo "ipvlan on $kind: held"
    finish
}

ip link add br0 up type bridge
for parent_kind in ${CASES:-bridge bond vlan vrf}; do virtual_mac "$parent_kind"; done
own_ipvlan eth0
own_ipvlan dummy

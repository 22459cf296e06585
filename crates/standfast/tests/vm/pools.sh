#!/bin/sh
# In a virtual machine: pools of servers on IPVS, with traffic. Every scheduler with NAT, DR and TUN over
# IPv4 and IPv6; persistence, sorry server, quorum; a long download survives a reload, the death of the
# pool process, an unrelated change and the loss of its director. Says what failed, and exits with 1.
#   VM_RUN=/path/to/vm-run pools.sh PROGRAM       (PROGRAM: standfast; keepalived for comparison)
#
#   client --- br-front --- a, b: directors --- br-back --- r1, r2: servers
#      \------------------------------------------/          (direct ways of DR and TUN)
#
# What is slow in here is starting a process: hence `ip -batch` and few curls with many URLs.
if [ -z "$VM_RUN_GUEST" ]; then
    [ -x "$VM_RUN" ] || { echo "SKIPPED $0: VM_RUN names no program"; exit 0; }
    exec "$VM_RUN" --timeout 900 --fast-time --mem 1536 \
        --modules 'ip_vs veth ipip ip6_tunnel ip_gre fou nlmon' --bin nginx --bin curl --bin tcpdump \
        --bin "$1" --add "$1:/usr/local/sbin/keepalived" --add "$0:/pools.sh" \
        -- sh /pools.sh "$(basename "$1")"
fi
PATH=/usr/local/sbin:$PATH
who=$1
schedulers='rr wrr lc wlc lblc lblcr dh sh mh fo ovf sed nq'
failed=0
say() { read -r up _ </proc/uptime; echo "[$up] $*"; }
check() { # WHAT COMMAND...
    what=$1; shift
    if "$@"; then say "ok: $what"; else say "FAILED: $what"; failed=1; fi
}
wait_for() { # SECONDS COMMAND...
    n=$(($1 * 10)); shift
    while [ $n -gt 0 ]; do "$@" && return 0; sleep 0.1; n=$((n - 1)); done
    return 1
}
must() { check "$@"; [ $failed = 0 ] || end; }
end() {
    [ $failed = 0 ] || { echo "last count: $count"; grep -v "Check {\|Quorum {\|Neighbour Adv\|gratuitous\|success\|Activating" /tmp/[ab].log | tail -n 60; }
    exit $failed
}
in_a() { ip netns exec a "$@"; }
in_b() { ip netns exec b "$@"; }

## The network

network() {
    ip -batch - <<'X'
netns add client
netns add a
netns add b
netns add r1
netns add r2
link add br-front up type bridge mcast_snooping 0
link add br-back up type bridge mcast_snooping 0
X
    for n in client a b; do link $n front; done
    for n in client a b r1 r2; do link $n back; done
    address client front 10; address client back 10
    address a front 1; address a back 1
    address b front 2; address b back 2
    address r1 back 11; address r2 back 12
    for d in a b; do
        ip netns exec $d sysctl -q -w net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
        ip -n $d -batch - <<'X'
link add nl up type nlmon
X
    done
    for r in r1 r2; do server $r; done
}
link() { # NODE NET
    ip -batch - <<X
link add $1-$2 up master br-$2 type veth peer name $2 netns $1
X
    ip -n "$1" -batch - <<X
link set lo up
link set $2 up
X
}
address() { # NODE NET NUMBER
    case $2 in front) net=192.168.10 six=fd10:: ;; back) net=10.0.0 six=fd00:: ;; esac
    ip -n "$1" -batch - <<X
addr add $net.$3/24 dev $2
addr add $six$3/64 dev $2 nodad
X
}
server() { # NODE
    ip netns exec "$1" sysctl -q -w net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2
    ip -n "$1" -batch - <<'X'
link set tunl0 up
link set gre0 up
link set ip6tnl0 up
fou add port 6080 gue
route add default via 10.0.0.254
route add local 10.0.0.200/29 dev lo
route add default via fd00::254
route add local fd00::200/125 dev lo
X
    listen=$(seq 8001 8060 | sed 's/.*/  listen &; listen [::]:&;/')
    mkdir -p "/srv/$1"
    head -c 800000 /dev/urandom >/srv/slow
    cat >"/srv/$1.conf" <<X
worker_processes 1; pid /srv/$1.pid; error_log /srv/$1.log; daemon on;
events { worker_connections 512; }
http { access_log off; keepalive_timeout 0; server {
$listen
  location / { return 200 "$1\n"; }
  location /slow { root /srv; limit_rate 20k; } } }
X
    ip netns exec "$1" nginx -c "/srv/$1.conf"
}

## The configuration

virtual() { # ADDRESS PORT SCHEDULER METHOD [LINES]
    echo "virtual_server $1 $2 {"
    printf ' %s\n' 'delay_loop 1' "lvs_sched $3" "lvs_method $4" 'protocol TCP'
    [ -z "$5" ] || printf ' %s\n' "$5"
    case $1 in *:*) net=fd00:: ;; *) net=10.0.0. ;; esac
    real "${net}11" "$2" 3 "$6"
    real "${net}12" "$2" 1 "$6"
    echo '}'
}
real() { # ADDRESS PORT WEIGHT [LINES]
    printf ' %s\n' "real_server $1 $2 {" " weight $3"
    [ -z "$4" ] || printf '  %s\n' "$4"
    printf ' %s\n' ' TCP_CHECK {' '  connect_timeout 1' '  retry 0' '  warmup 1' ' }' '}'
}
configuration() { # PRIORITY
    cat <<X
global_defs {
 router_id vm
 script_user root
 lvs_sync_daemon back V id 7
}
vrrp_instance V {
 state BACKUP
 interface back
 version 3
 virtual_router_id 51
 priority $1
 advert_int 0.2
 virtual_ipaddress {
  192.168.10.100/32 dev front
  10.0.0.254/32 dev back
  10.0.0.200/32 dev back
  10.0.0.201/32 dev back
 }
 virtual_ipaddress_excluded {
  fd10::100/128 dev front
  fd00::254/128 dev back
  fd00::200/128 dev back
  fd00::201/128 dev back
 }
}
X
    port=8001
    for s in $schedulers; do
        for address in 192.168.10.100 fd10::100; do virtual $address $port $s NAT; done
        for address in 10.0.0.200 fd00::200; do virtual $address $port $s DR; done
        for address in 10.0.0.201 fd00::201; do virtual $address $port $s TUN; done
        port=$((port + 1))
    done
    virtual 10.0.0.201 8020 rr TUN '' 'lvs_method TUN type gue port 6080'
    virtual 10.0.0.201 8021 rr TUN '' 'lvs_method TUN type gre'
    virtual 192.168.10.100 8030 rr NAT 'persistence_timeout 50'
    virtual fd10::100 8030 rr NAT 'persistence_timeout 50'
    virtual 192.168.10.100 8031 rr NAT "quorum 4
 quorum_up \"/bin/sh -c 'echo up >>/tmp/quorum'\"
 quorum_down \"/bin/sh -c 'echo down >>/tmp/quorum'\"
 sorry_server 10.0.0.11 8050"
    virtual 192.168.10.100 8040 fo NAT
}

## Looking at it

# How many services of a node have a server.
has() { # NODE ADDRESS NUMBER
    count=$(ip netns exec "$1" ipvsadm -Ln | grep -c -- "-> $2:")
    [ "$count" = "$3" ]
}
R1=10.0.0.11 R2=10.0.0.12
requests() { # FILE: four of each; lines "KIND-SCHEDULER r1-count r2-count"
    port=8001 urls=
    for s in $schedulers; do
        for k in NAT4=192.168.10.100 'NAT6=[fd10::100]' DR4=10.0.0.200 'DR6=[fd00::200]' \
            TUN4=10.0.0.201 'TUN6=[fd00::201]'; do
            urls="$urls http://${k#*=}:$port/?${k%%=*}-$s"
        done
        port=$((port + 1))
    done
    urls="$urls http://10.0.0.201:8020/?GUE-rr http://10.0.0.201:8021/?GRE-rr"
    urls="$urls http://192.168.10.100:8030/?KEEP4-rr http://[fd10::100]:8030/?KEEP6-rr"
    urls="$urls http://192.168.10.100:8031/?QUORUM-rr"
    # shellcheck disable=SC2086
    ip netns exec client curl -g -sS -m 5 -w '%{url_effective}\n' $urls $urls $urls $urls |
        awk '/^r[12]$/ { server = $1; next }
             { sub(/.*[?]/, ""); if (server) n[$0 " " server]++; names[$0] = 1; server = "" }
             END { for (k in names) print k, n[k " r1"] + 0, n[k " r2"] + 0 }' >"$1"
}
got() { # FILE NAME PATTERN-OF-COUNTS
    grep -qE "^$2 $3\$" "$1" || { grep "^$2 " "$1"; return 1; }
}
distributions() { # FILE
    for k in NAT4 NAT6 DR4 DR6 TUN4 TUN6; do
        check "$k: rr is even, wrr goes by weight, hashes stay, fo takes the heaviest, all answer" \
            eval "got $1 $k-rr '2 2' && got $1 $k-wrr '3 1' && got $1 $k-fo '4 0' &&
                  got $1 $k-ovf '[0-4] [0-4]' &&
                  for s in sh dh mh lblc lblcr; do got $1 $k-\$s '(4 0|0 4)' || exit; done &&
                  for s in lc wlc sed nq ovf; do [ \$(sum $1 $k-\$s) = 4 ] || exit; done"
    done
    check 'TUN with GUE and GRE' eval "got $1 GUE-rr '2 2' && got $1 GRE-rr '2 2'"
    check 'persistence' eval "got $1 KEEP4-rr '(4 0|0 4)' && got $1 KEEP6-rr '(4 0|0 4)'"
}
sum() { awk -v k="$2" '$1 == k { print $2 + $3 }' "$1"; }

# How many messages that change IPVS went to the kernel while a capture ran.
listen() { # NODE
    rm -f /tmp/nl.cap
    ip netns exec "$1" tcpdump -Z root -i nl --immediate-mode -U -s 0 -w /tmp/nl.cap 2>/tmp/nl.log &
    tcpdump=$!
    wait_for 5 grep -qs listening /tmp/nl.log
}
heard() {
    sleep 0.5; kill $tcpdump; wait $tcpdump
    # Behind the capture's header: frames of 16 bytes and a length; of each 16 bytes of a "cooked"
    # header, whose end names the protocol, and then messages, one behind the other.
    od -An -v -tu1 -w1 /tmp/nl.cap | awk -v family="$family" '
        { b[NR - 1] = $1 + 0 }
        function two(i) { return b[i] + 256 * b[i + 1] }
        function four(i) { return two(i) + 65536 * two(i + 2) }
        END {
            for (at = 24; at < NR; at = end) {
                end = at + 16 + four(at + 8)
                if (b[at + 16 + 14] * 256 + b[at + 16 + 15] != 16) continue
                for (m = at + 32; m + 20 <= end && four(m) >= 16; m += int((four(m) + 3) / 4) * 4)
                    # A request, none that reads: GET_SERVICE, GET_DEST, GET_DAEMON, GET_CONFIG, GET_INFO.
                    if (two(m + 4) == family && two(m + 6) % 2 && b[m + 16] !~ /^(4|8|11|13|15)$/) n++
            }
            print n + 0
        }'
}
# The number of IPVS in generic netlink, taken from the first request of ipvsadm after the lookup.
find_family() {
    listen a
    in_a ipvsadm -Z
    sleep 0.5; kill $tcpdump; wait $tcpdump
    family=$(od -An -v -tu1 -w1 /tmp/nl.cap | awk '
        { b[NR - 1] = $1 + 0 }
        END { for (at = 24; at < NR; at = end) {
                end = at + 16 + b[at + 8] + 256 * b[at + 9]; t = b[at + 36] + 256 * b[at + 37]
                if (b[at + 31] == 16 && t > 18 && b[at + 48] == 16) { print t; exit } } }')
}

## The story

say 'network'
network
configuration 200 >/tmp/a.conf
configuration 100 >/tmp/b.conf
start() { # NODE
    ip netns exec "$1" keepalived -n -l -D -f "/tmp/$1.conf" -p "/run/$1.pid" -r "/run/$1-v.pid" \
        -c "/run/$1-c.pid" >"/tmp/$1.log" 2>&1 &
    eval "pid_$1=$!"
}
pool_of() { # PID
    for p in $(cat "/proc/$1/task/$1/children"); do
        tr '\0' ' ' <"/proc/$p/cmdline" | grep -q -- '--pool' && { echo "$p"; return; }
    done
    cat /run/a-c.pid
}
services4=$((3 * 13 + 5))
start a; start b
must 'both directors have all services with all servers' \
    wait_for 20 eval "has a $R2 $services4 && has b $R2 $services4"
holds() { ip -n "$1" -o addr show dev front to 192.168.10.100 | grep -q .; }
check 'a is master' wait_for 10 holds a
check 'a copies its connections, b takes them' \
    eval "wait_for 5 eval 'in_a ipvsadm -L --daemon | grep -q master' &&
          wait_for 5 eval 'in_b ipvsadm -L --daemon | grep -q backup'"
find_family
requests /tmp/r1
distributions /tmp/r1
check 'the quorum is there' got /tmp/r1 QUORUM-rr '2 2'

say 'a long download'
ip netns exec client curl -sS -m 120 -o /tmp/long http://192.168.10.100:8040/slow &
download=$!
sleep 3
running() { kill -0 $download 2>/dev/null; }

say 'a reload with one weight changed'
listen a
sed '/^virtual_server 192.168.10.100 8002 /,/^}/ s/  weight 1$/  weight 9/' /tmp/a.conf >/tmp/new
mv /tmp/new /tmp/a.conf
kill -HUP $pid_a
weight_is() { in_a ipvsadm -Ln -t 192.168.10.100:8002 | grep -q "10.0.0.12:8002 *Masq *$1 "; }
check 'the weight is there' wait_for 10 weight_is 9
sleep 2
messages=$(heard); say "$messages messages that change IPVS"
[ "$who" = keepalived ] || check 'they are one' [ "$messages" = 1 ]

say 'the pool process dies'
listen a
pool=$(pool_of $pid_a)
kill -9 "$pool"
new_pool() { p=$(pool_of $pid_a); [ -n "$p" ] && [ "$p" != "$pool" ] && [ -d "/proc/$p" ]; }
check 'there is another' wait_for 10 new_pool
sleep 3
messages=$(heard); say "$messages messages that change IPVS"
[ "$who" = keepalived ] || check 'they are none' [ "$messages" = 0 ]

say 'unrelated changes, and one that is repaired'
in_a ipvsadm -A -t 192.0.2.1:1 -s rr
in_a ipvsadm -a -t 192.0.2.1:1 -r 10.0.0.12:1 -m
if [ "$who" != keepalived ]; then
    in_a ipvsadm -e -t 192.168.10.100:8002 -r 10.0.0.12:8002 -m -w 77
    check 'a weight is put right within 1 s' wait_for 1 weight_is 9
    in_a ipvsadm -D -t 192.168.10.100:8002
    check 'a service is put back within 1 s' wait_for 1 weight_is 9
fi
sleep 1
check "others' services are left alone" eval \
    "in_a ipvsadm -Ln -t 192.0.2.1:1 2>/dev/null | grep -q 10.0.0.12:1"
in_a ipvsadm -D -t 192.0.2.1:1

say 'the director is lost'
check 'the download runs' running
if [ "$who" = keepalived ]; then kill -9 "$pool" "$(cat /run/a-v.pid)"; fi
for p in $(cat /proc/$pid_a/task/$pid_a/children) $pid_a; do kill -STOP "$p"; done
ip link set a-front down
ip link set a-back down
check 'b is master' wait_for 10 holds b
wait $download
check "the download has ended well" [ $? = 0 ]
check 'and is whole' cmp -s /tmp/long /srv/slow
requests /tmp/r2
distributions /tmp/r2

say 'a server dies'
kill "$(cat /srv/r2.pid)"
check 'it leaves all services' eval "wait_for 10 has b $R2 0 && wait_for 10 has b '[[]fd00::12]' 0"
check 'the other stays' has b $R1 $((services4))
requests /tmp/r3
check 'the other answers all' eval '! grep -v " 4 0$" /tmp/r3'
check 'the quorum is lost, the sorry server serves' eval \
    "tail -n 1 /tmp/quorum | grep -q down && in_b ipvsadm -Ln -t 192.168.10.100:8031 | grep -q 10.0.0.11:8050"
ip netns exec r2 nginx -c /srv/r2.conf
check 'it comes back' wait_for 10 has b $R2 $services4
check 'the quorum is back' eval "tail -n 1 /tmp/quorum | grep -q up"

say 'the end'
kill $pid_b; wait $pid_b 2>/dev/null
check 'nothing is left in IPVS' eval '[ "$(in_b grep -c -- "->" /proc/net/ip_vs)" -le 1 ]'
end

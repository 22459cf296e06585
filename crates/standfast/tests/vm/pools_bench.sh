#!/bin/sh
# In a virtual machine: what pools of servers on IPVS cost, standfast beside keepalived in one run. The
# machine counts instructions (`--fast-time`), so its figures do not depend on how busy the host is.
#   VM_RUN=/path/to/vm-run pools_bench.sh STANDFAST [SERVICES SERVERS [FROM_NOTHING [CHECKS]]]
# Defaults: a reload of 2284 services with 37298 servers, 10000 servers from nothing, 2000 checks every 2 s
# (one emulated processor has no time for 10000). 0 leaves a work out.
if [ -z "$VM_RUN_GUEST" ]; then
    [ -x "$VM_RUN" ] || { echo "SKIPPED $0: VM_RUN names no program"; exit 0; }
    program=$1; shift
    exec "$VM_RUN" --timeout 7200 --fast-time --mem 2048 --modules 'ip_vs veth nlmon' --bin nginx \
        --bin tcpdump --bin keepalived --bin "$program" --add "$program:/ours/keepalived" \
        --add "$0:/bench.sh" -- sh /bench.sh "$@"
fi
services=${1:-2284} servers=${2:-37298} nothing=${3:-10000} checks=${4:-2000}
now() { # milliseconds
    read -r up _ </proc/uptime
    echo "${up%.*}${up#*.}0"
}
say() { read -r up _ </proc/uptime; echo "[$up] $*" >&2; }
# Thousandths of a second that a process and its children were on the processor.
spent() {
    for p in "$1" $(cat /proc/"$1"/task/*/children); do
        cat "/proc/$p"/task/*/schedstat
    done 2>/dev/null | awk '{ ns += $1 } END { printf "%d\n", ns / 1000000 }'
}
memory() { # KiB
    for p in "$1" $(cat /proc/"$1"/task/*/children); do
        grep VmRSS "/proc/$p/status"
    done 2>/dev/null | awk '{ n += $2 } END { print n }'
}
# Services with servers at 10.0.0.0/8, evenly spread; all addresses are this machine's own.
configuration() { # SERVICES SERVERS DELAY|none
    awk -v services="$1" -v servers="$2" -v delay="$3" 'BEGIN {
        print "global_defs {\n router_id vm\n checker_log_all_failures\n}"
        for (s = 0; s < services; s++) {
            printf "virtual_server 172.%d.%d.%d 80 {\n", 16 + int(s / 65536), int(s / 256) % 256, s % 256
            print " lvs_sched wlc\n lvs_method NAT\n protocol TCP"
            if (delay != "none") print " delay_loop " delay
            for (r = int(s * servers / services); r < int((s + 1) * servers / services); r++) {
                printf " real_server 10.%d.%d.%d 80 {\n  weight 1\n", int(r / 62500), int(r / 250) % 250, r % 250 + 1
                if (delay != "none") print "  TCP_CHECK {\n   connect_timeout 1\n  }"
                print " }"
            }
            print "}"
        }
    }'
}
last_service() { # SERVICES
    s=$(($1 - 1))
    echo "172.$((16 + s / 65536)).$((s / 256 % 256)).$((s % 256)):80"
}
start() { # ours or keepalived
    program=$1
    [ "$1" != ours ] || program=/ours/keepalived
    "$program" -n -l -f /tmp/conf -p /run/m.pid -r /run/v.pid -c /run/c.pid -C >"/tmp/log" 2>&1 &
    daemon=$!
}
stop() { kill "$daemon"; wait "$daemon" 2>/dev/null; ipvsadm -C; }
until_true() { # SECONDS COMMAND...
    end=$(($(now) + $1 * 1000)); shift
    until "$@"; do
        [ "$(now)" -lt "$end" ] || { say "never: $*"; tail -n 5 /tmp/log >&2; return 1; }
        sleep 0.02
    done
}
# It has done all there was to do when it used a quarter of the processor at most for two seconds.
settle() { # PID
    quiet=0
    while [ $quiet -lt 2 ]; do
        before=$(spent "$1"); sleep 1
        if [ $(($(spent "$1") - before)) -lt 250 ]; then quiet=$((quiet + 1)); else quiet=0; fi
    done
}
has_servers() { [ "$(ipvsadm -Ln -t "$1" 2>/dev/null | grep -c Masq)" = "$2" ]; }
weight_is() { ipvsadm -Ln -t "$1" | grep -q "Masq *$2 "; }
note() { echo "$1|$2|$3" >>/tmp/figures; say "$who: $1: $3 $2"; }

from_nothing() { # PROGRAM
    configuration 100 "$nothing" none >/tmp/conf
    last=$(last_service 100)
    began=$(now); start "$1"
    until_true 600 has_servers "$last" $((nothing / 100)) || return
    note "$nothing servers from nothing" ms $(($(now) - began))
    settle $daemon
    note "$nothing servers from nothing, processor" ms "$(spent $daemon)"
    stop
}
one_weight() { # PROGRAM
    configuration "$services" "$servers" 3600 >/tmp/conf
    last=$(last_service "$services")
    count=$((servers - (services - 1) * servers / services))
    start "$1"
    until_true 3000 has_servers "$last" "$count" || return
    settle $daemon
    note "$services services, $servers servers: memory" KiB "$(memory $daemon)"
    # The last server's.
    awk '{ line[NR] = $0; if ($1 == "weight") at = NR } END { line[at] = "  weight 7"
        for (n = 1; n <= NR; n++) print line[n] }' /tmp/conf >/tmp/new
    mv /tmp/new /tmp/conf
    rm -f /tmp/nl.cap
    tcpdump -Z root -i nl --immediate-mode -U -s 0 -w /tmp/nl.cap 2>/tmp/nl.log &
    tcpdump=$!
    until_true 5 grep -qs listening /tmp/nl.log
    before=$(spent $daemon) began=$(now)
    kill -HUP $daemon
    until_true 3000 weight_is "$last" 7 || return
    note "reload of $services services, $servers servers, one weight changed" ms $(($(now) - began))
    settle $daemon
    note "the same, processor" ms $(($(spent $daemon) - before))
    kill $tcpdump; wait $tcpdump
    note "the same, messages that change IPVS" messages "$(changes)"
    kill -9 $daemon $(cat /proc/$daemon/task/*/children); wait $daemon 2>/dev/null; ipvsadm -C
}
# Requests of generic netlink that change IPVS (its number is the highest but those of ours who read).
changes() {
    od -An -v -tu1 -w1 /tmp/nl.cap | awk '
        { b[NR - 1] = $1 + 0 }
        function two(i) { return b[i] + 256 * b[i + 1] }
        function four(i) { return two(i) + 65536 * two(i + 2) }
        END {
            for (at = 24; at < NR; at = end) {
                end = at + 16 + four(at + 8)
                if (b[at + 16 + 14] * 256 + b[at + 16 + 15] != 16) continue
                for (m = at + 32; m + 20 <= end && four(m) >= 16; m += int((four(m) + 3) / 4) * 4)
                    if (two(m + 4) > 18 && two(m + 6) % 2 && b[m + 16] !~ /^(4|8|11|13|15)$/) n++
            }
            print n + 0
        }'
}
checking() { # PROGRAM
    configuration 100 "$checks" 2 >/tmp/conf
    start "$1"
    sleep 10
    before=$(spent $daemon)
    sleep 10
    note "$checks TCP checks every 2 s, processor in 10 s" ms $(($(spent $daemon) - before))
    note "$checks TCP checks every 2 s, memory" KiB "$(memory $daemon)"
    note "$checks TCP checks every 2 s, servers that fail" servers "$((checks - $(ipvsadm -Ln | grep -c Masq)))"
    stop
}

ip link set lo up
ip route add local 10.0.0.0/8 dev lo
ip link add nl up type nlmon
sysctl -q -w net.core.somaxconn=65535 net.ipv4.ip_local_port_range='1024 65535' net.ipv4.tcp_tw_reuse=1
ulimit -n 65536
printf '%s\n' 'worker_processes 1; pid /run/nginx.pid; error_log /tmp/nginx.log;' \
    'events { worker_connections 20000; }' 'http { access_log off; server { listen 80 backlog=65535; } }' \
    >/tmp/nginx.conf
nginx -c /tmp/nginx.conf
for who in ours keepalived; do
    : >/tmp/figures
    [ "$nothing" = 0 ] || from_nothing $who
    [ "$checks" = 0 ] || checking $who
    [ "$services" = 0 ] || one_weight $who
    mv /tmp/figures /tmp/figures-$who
done
echo '| work | standfast | keepalived | ratio |'
echo '|---|---|---|---|'
awk -F'|' 'NR == FNR { theirs[$1] = $3; next }
    { ratio = theirs[$1] > 0 ? sprintf("%.3f", $3 / theirs[$1]) : ""
      printf "| %s | %d %s | %d %s | %s |\n", $1, $3, $2, theirs[$1], $2, ratio }' \
    /tmp/figures-keepalived /tmp/figures-ours

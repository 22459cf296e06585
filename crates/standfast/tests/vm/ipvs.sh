#!/bin/sh
# In a virtual machine: what `standfast_kernel::ipvs` writes and reads, beside ipvsadm.
#   VM_RUN=/path/to/vm-run ipvs.sh [TEST...]
# vm-run runs a command in a virtual machine.
[ -x "$VM_RUN" ] || { echo "SKIPPED $0: VM_RUN names no program"; exit 0; }
root=$(cd "$(dirname "$0")/../../../.." && pwd)
program=$(cd "$root" && cargo test -p standfast-kernel --test ipvs --no-run --message-format short 2>&1 |
    sed -n 's/.*Executable.*(\(.*\))/\1/p')
[ -n "$program" ] || { echo "FAILED: the test does not build"; exit 1; }
case $program in /*) ;; *) program=$root/$program ;; esac
said=$(mktemp)
"$VM_RUN" --timeout 300 --fast-time --bin "$program" --add "$program:/usr/local/sbin/ipvs-tests" -- \
    ipvs-tests --test-threads 1 --nocapture "$@" >"$said" 2>&1
status=$?
cat "$said"
grep -q '^skipped' "$said" && status=1
rm -f "$said"
exit $status

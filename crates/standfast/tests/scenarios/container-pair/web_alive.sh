#!/bin/bash
# The first `ps` has an en dash, so it never counts any process.
running=`ps -C nginx –no-header | wc -l`
if [ "$running" -eq 0 ]; then
    /usr/local/nginx/sbin/nginx
    sleep 2
    if [ `ps -C nginx --no-header | wc -l` -eq 0 ]; then
        killall keepalived
    fi
fi

#!/bin/bash
count() { ps -C nginx --no-header | wc -l; }

if [ "$(count)" -eq 0 ]; then
    /usr/local/nginx/sbin/nginx
    sleep 3
    if [ "$(count)" -eq 0 ]; then
        killall keepalived
    fi
fi

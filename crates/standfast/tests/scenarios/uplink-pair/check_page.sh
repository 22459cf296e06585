#!/bin/bash
# Two tries for the login page, three seconds apart.
for try in 1 2; do
    code=$(curl --connect-timeout 3 -sL -w '%{http_code}' -o /dev/null http://localhost/login.html)
    [ "$code" = 200 ] && exit 0
    sleep 3
done
exit 1

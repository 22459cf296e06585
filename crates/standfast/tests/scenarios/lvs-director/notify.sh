#!/bin/bash
# One word: the new state.
echo "$*" >> /tmp/notified

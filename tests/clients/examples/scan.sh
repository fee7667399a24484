#!/bin/sh
# scan.sh http://127.0.0.1:3000: scans what is stored, with clamdscan. Needs jq and curl.
set -eu
event=$(cat)
file=$(mktemp)
trap 'rm -f "$file"' EXIT
field() { printf '%s' "$event" | jq -er "$1"; }

# The address is a key to the file, so it is on no command line. 75: run me again later.
printf 'url = "%s%s"\n' "$1" "$(field .data.url)" | curl -sSf -K - -o "$file" || exit 75
status=0
clamdscan --no-summary "$file" > /dev/null || status=$?
case $status in
  0) ;;
  1) echo "a virus in room $(field .data.room), transfer $(field .data.transfer)" >&2 ;; # mail it, post it
  *) exit 75 ;;
esac

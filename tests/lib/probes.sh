#!/bin/sh
# The file has a USDT probe of each name, of provider cosched, at an address in its code.
#
# usage: probes.sh READELF FILE NAME...
set -eu
readelf=$1 file=$2
shift 2
notes=$("$readelf" -n "$file")
failed=0
for name; do
    found=$(printf '%s\n' "$notes" | awk -v want="$name" '
        /Provider:/ { provider = $2 }
        /Name:/ { name = $2 }
        /Location:/ && provider == "cosched" && name == want && $2 !~ /^0x0*,$/ { n++ }
        END { print n + 0 }')
    if [ "$found" -eq 0 ]; then
        echo "probes: $file has no probe $name"
        failed=1
    fi
done
exit $failed

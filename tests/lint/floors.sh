#!/bin/sh
# The include rules of the house: floors of libcosched, one home for each foreign header, no cycles.
# Reads text only, so it also judges code that does not compile on this machine.
#
# usage: floors.sh [TREE]
set -eu
LC_ALL=C
export LC_ALL
top=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
tree=${1:-$top}
cd "$tree"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

for folder in lib daemon ctl tests/support; do
    [ ! -d "$folder" ] || find "$folder" -name '*.[chS]'
done | sort >"$work/files"

# One line an include: file, line, kind (" or <), what.
xargs grep -nE '^[[:space:]]*#[[:space:]]*include[[:space:]]*["<]' /dev/null <"$work/files" |
    sed -nE 's/^([^:]+):([0-9]+):[[:space:]]*#[[:space:]]*include[[:space:]]*(["<])([^">]+)[">].*/\1 \2 \3 \4/p' \
        >"$work/includes"

# Prints what is wrong; writes the edges of the project's own includes to the file "edges".
awk -v edges="$work/edges" '
function folder(path) { sub(/\/[^\/]*$/, "", path); return path }
function wrong(why) { printf "floors: %s:%s: %s: %s\n", file, line, what, why; bad = 1 }
function floor_of(path,    parts) {
    return split(path, parts, "/") > 3 && path ~ /^lib\/src\// ? parts[3] : ""
}
# The project file that a quoted include means, or "".
function resolve(    i, n, places, area) {
    area = file ~ /^lib\// ? "lib/src lib/include" : file ~ /^daemon\// ? "daemon daemon/wire" : "ctl daemon daemon/wire"
    if ((folder(file) "/" what) in known) return folder(file) "/" what
    n = split(area, places, " ")
    for (i = 1; i <= n; i++) if ((places[i] "/" what) in known) return places[i] "/" what
    return ""
}
function lib_rules(target,    mine, theirs) {
    if (what == "uv.h" && file !~ /^lib\/src\/(io\/|sched\/mainloop)/ && file != "lib/include/cosched/io.h")
        wrong("uv.h belongs to sched/mainloop*, io/ and cosched/io.h")
    if (what == "cosched/io.h" && file ~ /^lib\/src\// && file !~ /^lib\/src\/io\//)
        wrong("brings uv.h to a floor that must not know it")
    if (what ~ /^(sqlite3|(cjson\/)?cJSON|ini)\.h$/) wrong("libcosched knows nothing of the daemon")
    if (kind != "\"") return
    # The back ends of the platform seam for the explorer and the simulation live with the tests.
    if (target == "" && what ~ /^(explore|sim)_/ && file ~ /^lib\/src\//) return
    if (target == "") { wrong("not a file of libcosched"); return }
    mine = floor_of(file); theirs = floor_of(target)
    if (mine == "" && theirs != "") wrong("a public header shows an internal one")
    else if (mine != "" && !(mine in level)) wrong("no floor is called " mine)
    else if (theirs != "" && !(theirs in level)) wrong("no floor is called " theirs)
    else if (theirs != "" && level[theirs] > level[mine])
        wrong(mine " (" level[mine] ") includes " theirs " (" level[theirs] "), a higher floor")
}
function daemon_rules(target) {
    if (what == "sqlite3.h" && file !~ /^daemon\/sql(_[a-z]+)?\.c$/) wrong("sqlite3.h belongs to daemon/sql*.c")
    if (what ~ /cJSON\.h$/ && file != "daemon/wire/json.c") wrong("cJSON.h belongs to daemon/wire/json.c")
    if (file ~ /^daemon\/wire\/|^daemon\/job\.[ch]$/ && what ~ /^(uv\.h|cosched\/)/)
        wrong("pure code knows neither loops nor coroutines")
    if (kind == "\"" && target == "") wrong("not a file of the daemon")
    if (kind == "\"" && file ~ /^daemon\/wire\// && target !~ /^daemon\/wire\//)
        wrong("wire is shared with the client and stands alone")
}
function ctl_rules(target) {
    if (what ~ /^(uv\.h|cosched\/|sqlite3\.h)|cJSON\.h$/) wrong("the client links wire only")
    if (what ~ /^(curses|ncurses|term)\.h$|^ncursesw?\// && file != "ctl/top_screen.c") wrong("ncurses belongs to ctl/top_screen.c")
    if (kind == "\"" && target !~ /^(ctl|daemon\/wire)\//) wrong("the client sees its own folder and daemon/wire")
}
BEGIN {
    n = split("base arch queue sched sync io inspect", names, " ")
    for (i = 1; i <= n; i++) level[names[i]] = i - 1
}
NR == FNR { known[$1]; next }
{
    file = $1; line = $2; kind = $3; what = $4
    target = kind == "\"" ? resolve() : (("lib/include/" what) in known) ? "lib/include/" what : ""
    if (file ~ /^lib\//) lib_rules(target)
    else if (file ~ /^daemon\//) daemon_rules(target)
    else if (file ~ /^ctl\//) ctl_rules(target)
    if (target != "") print file, target > edges
}
END { exit bad }' "$work/files" "$work/includes" || failed=1

# Headers that include one another in a ring compile by luck, thanks to their guards.
: >>"$work/edges"
grep -E '^[^ ]+\.h [^ ]+\.h$' "$work/edges" >"$work/headers" || :
if ! tsort "$work/headers" >/dev/null 2>"$work/loops"; then
    sed 's/^tsort: [^:]*: input contains a loop:/floors: headers include one another in a ring:/; s/^tsort: /floors:   /' \
        "$work/loops"
    failed=1
fi

exit $failed

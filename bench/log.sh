#!/bin/sh
# What a line of a log costs a server: bench/log.sh [ROUNDS [REQUESTS]]
#
# All variants of bench/log.lua are up at once on CPU 0 and get short loads by turns, 16
# requests at a time on 64 connections. Prints, for each, the median of the CPU time a request
# (ns), and the median of what it took more than "none" in the same round.
set -u
cd "$(dirname "$0")/.." || exit 1

GREENLUA=${GREENLUA:-build/greenlua}
LOAD=${LOAD:-build/release/bench/load}
rounds=${1:-15} requests=${2:-60000}
variants="none plain text json fixed env line"
port=$((20000 + $$ % 10000))
out=$(mktemp -d)
pids=

finish() {
  # shellcheck disable=SC2086
  kill $pids 2>/dev/null
  rm -rf "$out"
}
trap finish EXIT

for v in $variants; do
  port=$((port + 1))
  taskset -c 0 "$GREENLUA" bench/log.lua "$port" "$v" &
  pids="$pids $!"
  echo "$v $port $!" >>"$out/servers"
done
sleep 1

load() { # VARIANT PORT PID N
  taskset -c 1 "$LOAD" -c 64 -d 16 -n "$4" -p "$3" "$2" |
    sed -n 's/.*cpu_ns=\([0-9.]*\).*/\1/p'
}

while read -r v p pid; do load "$v" "$p" "$pid" 40000 >/dev/null; done <"$out/servers"
r=0
while [ "$r" -lt "$rounds" ]; do
  while read -r v p pid; do
    echo "$r $v $(load "$v" "$p" "$pid" "$requests")"
  done <"$out/servers" >>"$out/samples"
  r=$((r + 1))
done

median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

for v in $variants; do
  cpu=$(awk -v v="$v" '$2 == v { print $3 }' "$out/samples" | median)
  more=$(awk -v v="$v" '$2 == "none" { base[$1] = $3 }
    $2 == v { print $3 - base[$1] }' "$out/samples" | median)
  echo "$v cpu_ns=$cpu line_ns=$more"
done

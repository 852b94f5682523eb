# shellcheck shell=sh disable=SC2153,SC2154,SC2034
# ws.sh: the rows of websockets; read by run.
#
# Subjects: floor (bare libev in C), greenlua (a green thread a connection), light (the light
# form), node (ws), websockets (Python's).

WS_PEERS=${WS_PEERS-node websockets}
# Debian's node-ws, whoever's node it is.
export NODE_PATH="${NODE_PATH:+$NODE_PATH:}/usr/share/nodejs"

ws_compile() {
  compile floor_ws floor_ws.c floor.c -lev -lz
  compile load_ws load_ws.c client_ws.c meter.c -lz
}

ws_present() { # SUBJECT
  why=
  case $1 in
  greenlua | light) [ -x "$GREENLUA" ] || why="$GREENLUA is not built" ;;
  node) node -e 'require("ws")' 2>/dev/null || why="no node with ws" ;;
  websockets) "$PYTHON" -c 'import websockets' 2>/dev/null ||
    why="no python3-websockets" ;;
  esac
  [ -z "$why" ] || say "skipped $1: $why"
  [ -z "$why" ]
}

ws_serve() { # SUBJECT MODE
  trap - EXIT INT TERM
  mode=$2
  case $1 in
  floor)
    set -- "$B/floor_ws" "$port"
    [ "$mode" != hub ] || mode=all
    ;;
  greenlua) set -- "$GREENLUA" bench/ws.lua "$port" thread ;;
  light) set -- "$GREENLUA" bench/ws.lua "$port" light ;;
  node) set -- node bench/peers/ws.js "$port" ;;
  websockets) set -- "$PYTHON" bench/peers/ws_websockets.py "$port" ;;
  esac
  [ -z "$mode" ] || set -- "$@" "$mode"
  exec timeout -k 3 "${WS_SECONDS:-600}" taskset -c 0 "$@" >>"$OUT/servers.log" 2>&1
}

ws_start() { # SUBJECT MODE
  port=$((port + 1))
  [ "$port" -lt 32000 ] || port=20000
  ws_serve "$1" "$2" &
  pid=$!
}

ws_load() { # LOAD OPTIONS
  timeout --foreground -k 3 300 "$B/load_ws" -C 1 -p "$pid" "$@" "$port"
}

ws_subjects() { # SUBJECT...
  here=
  for s in "$@"; do
    if [ "$s" = floor ] || ws_present "$s"; then here="$here $s"; fi
  done
}

# CPU a message, of those who do it all.
ws_row() { # ROW MODE LOAD OPTIONS
  row=$1 mode=$2
  shift 2
  peers=$WS_PEERS
  case $mode in all | hub) peers= ;; esac
  # shellcheck disable=SC2086
  ws_subjects floor greenlua light $peers
  for r in $(seq "$ROUNDS"); do
    # shellcheck disable=SC2086
    for s in $(turned "$r" $here); do
      ws_start "$s" "$mode"
      if fields=$(ws_load "$@"); then
        sample "$row" "$s" "$r" "$fields"
      else
        say "$row $r $s: failed: $fields"
      fi
      stop
    done
  done
}

# As many as this process and the server may have open, 100,000 at most.
ws_most() { # AT_MOST
  # shellcheck disable=SC3045
  most=$(($(ulimit -n) - 200))
  [ "$most" -lt "$1" ] || most=$1
  echo "$most"
}

# Idle sockets, in both forms; memory hardly changes: three rounds at most. The light form's
# pause is beside 100,000 connections; those beyond the limit of open files have no socket. Its
# floor is LuaJIT alone, beside as many tables.
wsidle_row() {
  most=$(ws_most 100000)
  say "wsidle: $most sockets (what may be open here; 100000 are wanted)"
  # shellcheck disable=SC2086
  ws_subjects floor greenlua light $WS_PEERS
  [ "$ROUNDS" -le 3 ] && rounds=$ROUNDS || rounds=3
  for r in $(seq "$rounds"); do
    for s in $here; do
      ws_start "$s" ""
      question=
      [ "$s" != light ] || question="pause 100000"
      if fields=$(ws_load -m idle -c "$most" -f 64 -z 1 ${question:+-q "$question"}); then
        sample wsidle "$s" "$r" "$fields"
        [ "$s" != light ] || sample wsidle greenlua "$r" \
          "$(echo "$fields" | sed 's/ growth=/ light_growth=/; s/pause_ms=/light_pause_ms=/
            s/tables_ms=/light_tables_ms=/; s/.* \(light_growth\)/\1/')"
      else
        say "wsidle $r $s: failed: $fields"
      fi
      stop
    done
    local_run wsidle luajit "$r" "$LUAJIT_CMD" bench/wspause.lua 100000
  done
}

# Proportional megabytes of processes: what they share counts once.
ws_megabytes() { # PID...
  for one in "$@"; do cat "/proc/$one/smaps_rollup"; done 2>/dev/null |
    awk '/^Pss:/ { sum += $2 } END { printf "%.1f", sum / 1024 }'
}

# The most that these processes had resident at a time, one by one: what they share counts for
# each.
ws_peaks() { # PID...
  for one in "$@"; do cat "/proc/$one/status"; done 2>/dev/null |
    awk '/^VmHWM:/ { sum += $2 } END { printf "%.1f", sum / 1024 }'
}

# Is there memory and time for another server of $each sockets and their load? A socket and its
# peer take about 10 KB, most of it the kernel's.
ws_has_room() { # SINCE
  free=$(awk '/^MemAvailable:/ { print $2 }' /proc/meminfo)
  if [ "$free" -lt $((each * 10 + 1000000)) ]; then
    say "wsmillion: no more: memory"
  elif [ $(($(date +%s) - $1)) -gt "${MILLION_TIME:-900}" ]; then
    say "wsmillion: no more: ${MILLION_TIME:-900} seconds are over"
  else
    return 0
  fi
  return 1
}

# One server with its idle sockets; the load waits with its message.
ws_million_part() { # NUMBER
  ws_start light all
  pids="$pids $pid"
  "$B/load_ws" -m all -c "$each" -n 1 -t 300 -z 1 -C 1 -g "$ready" "$port" \
    >"$ready/out.$1" 2>>"$OUT/servers.log" &
  loads="$loads $!"
  n=0 # one after the other: they share a CPU
  until [ "$(find "$ready" -name 'open.*' | wc -l)" -ge "$1" ] || [ $n -ge 600 ]; do
    n=$((n + 1))
    sleep 0.1
  done
}

# A million idle light sockets, in as many servers as the limit of open files makes
# necessary (one, where it is high enough), and a message to all of them. Environment: MILLION
# (how many), MILLION_TIME (900: seconds for opening them).
wsmillion_row() {
  wanted=${MILLION:-1000000}
  each=$(ws_most "$wanted")
  servers=$(((wanted + each - 1) / each))
  each=$(((wanted + servers - 1) / servers))
  ready=$OUT/wsmillion
  say "wsmillion: $servers servers of $each sockets"
  rm -rf "$ready"
  mkdir -p "$ready"
  pids="" loads="" since=$(date +%s)
  WS_SECONDS=3000
  for i in $(seq "$servers"); do
    ws_has_room "$since" || break
    ws_million_part "$i"
  done
  WS_SECONDS=600
  real=""
  for one in $pids; do real="$real $(pgrep -P "$one")"; done
  # shellcheck disable=SC2086
  mb=$(ws_megabytes $real)
  touch "$ready/go"
  # shellcheck disable=SC2086
  wait $loads
  # shellcheck disable=SC2086
  peak=$(ws_peaks $real)
  fields=$(cat "$ready"/out.* | awk -v mb="$mb" -v peak="$peak" '
    { for (i = 1; i <= NF; i++) { split($i, f, "="); sum[f[1]] += f[2] } }
    { servers++ }
    END { printf "mb=%s peak_mb=%s sockets=%d reached=%d errors=%d servers=%d bytes=%.0f", mb,
      peak, sum["conns"], sum["requests"], sum["errors"], servers,
      sum["conns"] ? mb * 1048576 / sum["conns"] : 0 }')
  sample wsmillion greenlua 1 "$fields"
  # shellcheck disable=SC2086
  kill $pids 2>/dev/null
  # shellcheck disable=SC2086
  wait $pids 2>/dev/null
  pid=
}

ws_measure() { # ROW
  case $1 in
  wsecho) ws_row wsecho "" -s 125 -W 20000 -n 200000 -t 2 ;;
  wsecho_deflate) ws_row wsecho_deflate deflate -d -s 125 -W 10000 -n 100000 -t 2 ;;
  ws1m) ws_row ws1m "" -s 1048576 -c 16 -W 200 -n 2000 -t 3 ;;
  wsbroadcast) ws_row wsbroadcast all -m all -c 5000 -W 2 -n 40 -t 10 ;;
  pubsub) ws_row pubsub hub -m all -c 5000 -W 2 -n 40 -t 10 ;;
  wsidle) wsidle_row ;;
  wsmillion) wsmillion_row ;;
  esac
}

# shellcheck shell=sh disable=SC2154,SC2034
# clients.sh: the rows of HTTP clients; read by run.
#
# The server is the floor's, on CPU 0; the client runs on CPU 1 and tells its own
# CPU time for a request. Slow ones make fewer requests.

# CLIENT_PEERS="go curl" for some of them, "" for none.
CLIENT_PEERS=${CLIENT_PEERS-go node fetch requests httpx lua-http curl}

client_compile() {
  compile floor_client floor_client.c -lev
  compile floor_stream floor_stream.c
  compile spent spent.c
}

client_present() { # SUBJECT
  why=
  case $1 in
  floor) return 0 ;;
  greenlua | chunks) [ -x "$GREENLUA" ] || why="$GREENLUA is not built" ;;
  go) if command -v go >/dev/null; then
    go_peer client || why="it does not compile"
  else why="no go"; fi ;;
  node | fetch) command -v node >/dev/null || why="no node" ;;
  requests | httpx) "$PYTHON" -c "import $1" 2>/dev/null ||
    why="no python3-$1" ;;
  lua-http) "$LUAJIT_CMD" -e 'require "http.client"' 2>/dev/null ||
    why="no lua-http" ;;
  curl) command -v curl >/dev/null || why="no curl" ;;
  esac
  [ -z "$why" ] || say "skipped $1: $why"
  [ -z "$why" ]
}

# The command of a client, behind what measures it. Arguments: PORT REQUESTS
# CONNECTIONS WARMUP.
client_one() { # SUBJECT
  case $1 in
  floor) set -- "$B/floor_client" "$port" 10000 64 2000 ;;
  greenlua) set -- "$GREENLUA" bench/client.lua "$port" 10000 64 2000 ;;
  go) set -- env GOMAXPROCS=1 "$B/go_client" "$port" 10000 64 2000 ;;
  node) set -- node bench/peers/client.js "$port" 10000 64 2000 ;;
  fetch) set -- node bench/peers/client.js "$port" 4000 64 1000 fetch ;;
  requests | httpx)
    set -- "$PYTHON" bench/peers/client.py "$1" "$port" 1000 64 200
    ;;
  lua-http)
    set -- "$LUAJIT_CMD" bench/peers/client_luahttp.lua "$port" 10000 64 2000
    ;;
  curl)
    "$B/spent" curl -s -Z --parallel-max 64 -o /dev/null \
      "http://127.0.0.1:$port/[1-10000]" |
      sed 's/.*cpu_s=\([0-9.]*\) .*/\1/' |
      awk '{ printf "requests=10000 errors=0 cpu_ns=%.0f\n", $1 * 1e9 / 10000 }'
    return
    ;;
  esac
  "$@"
}

# In a shell of its own, so that all of it stays on that CPU.
client_pinned() { # FUNCTION SUBJECT
  (
    trap - EXIT INT TERM
    taskset -cp 1 "$(sh -c 'echo $PPID')" >/dev/null
    "$@" </dev/null 2>>"$OUT/servers.log"
  )
}

# Wait until the server listens.
client_await() {
  n=0
  until "$B/floor_client" "$port" 1 1 0 >/dev/null 2>&1 || [ $n -ge 50 ]; do
    n=$((n + 1))
    sleep 0.1
  done
}

client_row() {
  here=
  for s in floor greenlua $CLIENT_PEERS; do
    client_present "$s" && here="$here $s"
  done
  for r in $(seq "$ROUNDS"); do
    start floor http
    client_await
    # shellcheck disable=SC2086
    for s in $(turned "$r" $here); do
      if fields=$(client_pinned client_one "$s"); then
        sample client "$s" "$r" "$fields"
      else
        say "client $r $s: failed: $fields"
      fi
    done
    stop
  done
}

download_one() { # SUBJECT
  case $1 in
  curl) set -- curl -s -o /dev/null "http://127.0.0.1:$port/" ;;
  greenlua) set -- "$GREENLUA" bench/download.lua "$port" ;;
  chunks) set -- "$GREENLUA" bench/download.lua "$port" chunks ;;
  esac
  "$B/spent" "$@"
}

# One connection at a time is all that the server has: whoever is first waits
# for it by trying.
download_row() {
  here=
  for s in curl greenlua chunks; do client_present "$s" && here="$here $s"; done
  for r in $(seq "$ROUNDS"); do
    port=$((port + 1))
    (
      trap - EXIT INT TERM
      exec timeout -k 3 300 taskset -c 0 "$B/floor_stream" "$port" 1073741824 \
        >>"$OUT/servers.log" 2>&1
    ) &
    pid=$! # for stop
    sleep 0.3
    # shellcheck disable=SC2086
    for s in $(turned "$r" $here); do
      if fields=$(client_pinned download_one "$s"); then
        sample download "$s" "$r" "$fields"
      else
        say "download $r $s: failed"
      fi
    done
    stop
  done
}

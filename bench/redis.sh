# shellcheck shell=sh disable=SC2154,SC2034
# redis.sh: the rows of clients of Redis; read by run.
#
# The server is redis-server, on CPU 0; the client runs on CPU 1 and tells its own
# CPU time for a command. Slow ones send fewer.

# REDIS_PEERS="hiredis" for some of them, "" for none.
REDIS_PEERS=${REDIS_PEERS-hiredis redis-py}

redis_compile() {
  compile floor_redis floor_redis.c -lev
}

redis_present() { # SUBJECT
  why=
  case $1 in
  floor) return 0 ;;
  greenlua) [ -x "$GREENLUA" ] || why="$GREENLUA is not built" ;;
  hiredis) if [ -e /usr/include/hiredis/adapters/libev.h ]; then
    compile redis_hiredis peers/redis_hiredis.c -lhiredis -lev
  else why="no libhiredis-dev"; fi ;;
  redis-py) "$PYTHON" -c 'import redis' 2>/dev/null || why="no python3-redis" ;;
  esac
  [ -z "$why" ] || say "skipped $1: $why"
  [ -z "$why" ]
}

redis_one() { # SUBJECT DEPTH
  case $1-$2 in
  redis-py-*) set -- "$PYTHON" bench/peers/redis_py.py "$port" 16000 "$2" 3200 ;;
  floor-*) set -- "$B/floor_redis" "$port" 160000 64 "$2" 32000 ;;
  greenlua-*) set -- "$GREENLUA" bench/redis.lua "$port" 160000 64 "$2" 32000 ;;
  hiredis-*) set -- "$B/redis_hiredis" "$port" 160000 64 "$2" 32000 ;;
  esac
  "$@"
}

redis_start() {
  port=$((port + 1))
  [ "$port" -lt 32000 ] || port=20000
  (
    trap - EXIT INT TERM
    exec timeout -k 3 300 taskset -c 0 redis-server --bind 127.0.0.1 \
      --port "$port" --save "" --appendonly no >>"$OUT/servers.log" 2>&1
  ) &
  pid=$!
  n=0
  until "$B/floor_redis" "$port" 1 1 1 0 >/dev/null 2>&1 || [ $n -ge 50 ]; do
    n=$((n + 1))
    sleep 0.1
  done
}

redis_row() { # ROW DEPTH
  command -v redis-server >/dev/null || {
    say "skipped $1: no redis-server"
    return
  }
  here=
  for s in floor greenlua $REDIS_PEERS; do
    redis_present "$s" && here="$here $s"
  done
  for r in $(seq "$ROUNDS"); do
    redis_start
    # shellcheck disable=SC2086
    for s in $(turned "$r" $here); do
      if fields=$(client_pinned redis_one "$s" "$2"); then
        sample "$1" "$s" "$r" "$fields"
      else
        say "$1 $r $s: failed: $fields"
      fi
    done
    stop
  done
}

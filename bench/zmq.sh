# shellcheck shell=sh disable=SC2154,SC2034
# zmq.sh: the rows of ZeroMQ; read by run.
#
# Each end is a process of its own, on a CPU of its own, and tells its own CPU time for
# a message, that of libzmq's threads included. zmq_echo measures a ROUTER under load_zmq.

# ZMQ_PEERS="zmq_asyncio" for some of them, "" for none.
ZMQ_PEERS=${ZMQ_PEERS-zmq_asyncio zmq_eventlet zmq_blocking}
ZMQ_SCALE=${ZMQ_SCALE:-1} # "0.1" for a tenth of the messages

zmq_compile() {
  [ -e /usr/include/zmq.h ] || return 1
  compile floor_zmq floor_zmq.c -lzmq -pthread
  compile load_zmq load_zmq.c meter.c
}

zmq_present() { # SUBJECT
  why=
  case $1 in
  greenlua) [ -x "$GREENLUA" ] || why="$GREENLUA is not built" ;;
  zmq_eventlet) "$PYTHON" -c 'import eventlet.green.zmq' 2>/dev/null ||
    why="no python3-eventlet, python3-zmq" ;;
  zmq_*) "$PYTHON" -c 'import zmq' 2>/dev/null || why="no python3-zmq" ;;
  esac
  [ -z "$why" ] || say "skipped $1: $why"
  [ -z "$why" ]
}

zmq_count() { # MESSAGES
  echo "$1 $ZMQ_SCALE" | awk '{ n = int($1 * $2 / 10) * 10; print n < 10 ? 10 : n }'
}

# One end of a pair: becomes it.
zmq_end() { # SUBJECT CPU ACT COUNT SIZE
  trap - EXIT INT TERM
  case $1 in
  floor) who=$B/floor_zmq ;;
  greenlua) who="$GREENLUA bench/zmq.lua" ;;
  esac
  # shellcheck disable=SC2086
  exec timeout -k 3 120 taskset -c "$2" $who "$3" "ipc://$zmq_dir/pair" "$4" "$5"
}

# Both ends of one measurement; their fields in one line, or nothing.
zmq_pair() { # BINDING-SUBJECT ACT CONNECTING-SUBJECT ACT COUNT SIZE
  rm -f "$zmq_dir/pair"
  zmq_end "$1" 0 "$2" "$5" "$6" >"$zmq_dir/fields" 2>>"$OUT/servers.log" &
  pid=$!
  if other=$(zmq_end "$3" 1 "$4" "$5" "$6" 2>>"$OUT/servers.log") && wait "$pid"; then
    echo "$(cat "$zmq_dir/fields") $other"
  fi
  stop
}

# The sum of both ends, too.
zmq_sample() { # ROW SUBJECT ROUND FIELDS
  if [ -z "$4" ]; then
    say "$1 $3 $2: failed"
  else
    sample "$1" "$2" "$3" "$4 $(echo "$4" | tr ' ' '\n' | awk -F= '
      $1 !~ /own/ { sum += $2 } END { printf "both_ns=%.1f", sum }')"
  fi
}

zmq_pair_row() { # ROW BINDING-ACT CONNECTING-ACT COUNT SIZE
  n=$(zmq_count "$4")
  for r in $(seq "$ROUNDS"); do
    # shellcheck disable=SC2086
    for s in $(turned "$r" $zmq_here); do
      zmq_sample "$1" "$s" "$r" "$(zmq_pair "$s" "$2" "$s" "$3" "$n" "$5")"
    done
  done
}

zmq_echo_row() {
  for s in $ZMQ_PEERS; do zmq_present "$s" && zmq_here="$zmq_here $s"; done
  n=$(zmq_count 100000)
  for r in $(seq "$ROUNDS"); do
    # shellcheck disable=SC2086
    for s in $(turned "$r" $zmq_here); do
      path=$zmq_dir/echo
      rm -f "$path"
      case $s in
      floor) set -- "$B/floor_zmq" echo "ipc://$path" ;;
      greenlua) set -- "$GREENLUA" bench/zmq.lua echo "ipc://$path" ;;
      zmq_*) set -- "$PYTHON" "bench/peers/$s.py" "$path" ;;
      esac
      (trap - EXIT INT TERM; exec timeout -k 3 300 taskset -c 0 "$@") >>"$OUT/servers.log" 2>&1 &
      pid=$!
      if fields=$(taskset -c 1 timeout -k 3 60 "$B/load_zmq" "$path" "$pid" 64 "$n" 64 5); then
        sample zmq_echo "$s" "$r" "$fields"
      else
        say "zmq_echo $r $s: failed: $fields"
      fi
      stop
    done
  done
}

# Two threads of one process, on both CPUs.
zmq_inproc_row() {
  n=$(zmq_count 1000000)
  for r in $(seq "$ROUNDS"); do
    # shellcheck disable=SC2086
    for s in $(turned "$r" $zmq_here); do
      case $s in
      floor) set -- "$B/floor_zmq" ;;
      greenlua) set -- "$GREENLUA" bench/zmq.lua ;;
      esac
      if fields=$(timeout -k 3 120 "$@" inproc "$n" 64 2>>"$OUT/servers.log"); then
        sample zmq_inproc "$s" "$r" "$fields"
      else
        say "zmq_inproc $r $s: failed"
      fi
    done
  done
}

zmq_measure() { # ROW
  zmq_compile || {
    say "skipped $1: no libzmq3-dev"
    return
  }
  zmq_here=floor
  zmq_present greenlua && zmq_here="floor greenlua"
  zmq_dir=$(mktemp -d)
  case $1 in
  zmq_push) zmq_pair_row "$1" pull push 300000 64 ;;
  zmq_req) zmq_pair_row "$1" rep req 20000 64 ;;
  zmq_16k) zmq_pair_row "$1" pull push 40000 16384 ;;
  zmq_64k) zmq_pair_row "$1" pull push 20000 65536 ;;
  zmq_1m) zmq_pair_row "$1" pull push 2000 1048576 ;;
  zmq_echo) zmq_echo_row ;;
  zmq_inproc) zmq_inproc_row ;;
  esac
  rm -rf "$zmq_dir"
}

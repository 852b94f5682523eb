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

# The words of a subject's program; it says what it does by its arguments.
zmq_program() { # SUBJECT
  case $1 in
  floor) echo "$B/floor_zmq" ;;
  greenlua) echo "$GREENLUA bench/zmq.lua" ;;
  zmq_*) echo "$PYTHON bench/peers/$1.py" ;;
  esac
}

# Measure each subject in each round by a function that prints its fields.
zmq_rounds() { # ROW FUNCTION ARGUMENTS: and the subject behind them
  zmq_row=$1
  shift
  for r in $(seq "$ROUNDS"); do
    # shellcheck disable=SC2086
    for s in $(turned "$r" $zmq_here); do
      if fields=$("$@" "$s") && [ -n "$fields" ]; then
        sample "$zmq_row" "$s" "$r" "$fields"
      else
        say "$zmq_row $r $s: failed: $fields"
      fi
    done
  done
}

# One end of a pair: becomes it.
zmq_end() { # SUBJECT CPU ACT COUNT SIZE
  trap - EXIT INT TERM
  # shellcheck disable=SC2046
  exec timeout -k 3 120 taskset -c "$2" $(zmq_program "$1") "$3" "ipc://$zmq_dir/pair" "$4" "$5"
}

# Both ends of one measurement: their fields, and the sum of both, in one line; or nothing.
zmq_pair() { # BINDING-ACT CONNECTING-ACT COUNT SIZE SUBJECT
  rm -f "$zmq_dir/pair"
  zmq_end "$5" 0 "$1" "$3" "$4" >"$zmq_dir/fields" 2>>"$OUT/servers.log" &
  pid=$!
  if other=$(zmq_end "$5" 1 "$2" "$3" "$4" 2>>"$OUT/servers.log") && wait "$pid"; then
    echo "$(cat "$zmq_dir/fields") $other" | tr ' ' '\n' | awk -F= '
      { printf "%s ", $0 }
      $1 !~ /own/ { sum += $2 }
      END { printf "both_ns=%.1f", sum }'
  fi
  stop
}

zmq_pair_row() { # ROW BINDING-ACT CONNECTING-ACT COUNT SIZE
  zmq_rounds "$1" zmq_pair "$2" "$3" "$(zmq_count "$4")" "$5"
}

zmq_echo() { # COUNT SUBJECT
  path=$zmq_dir/echo
  rm -f "$path"
  case $2 in
  zmq_*) act=$path ;;
  *) act="echo ipc://$path" ;;
  esac
  # shellcheck disable=SC2046,SC2086
  (trap - EXIT INT TERM; exec timeout -k 3 300 taskset -c 0 $(zmq_program "$2") $act) \
    >>"$OUT/servers.log" 2>&1 &
  pid=$!
  taskset -c 1 timeout -k 3 60 "$B/load_zmq" "$path" "$pid" 64 "$1" 64 5
  status=$?
  stop
  return "$status"
}

zmq_echo_row() {
  for s in $ZMQ_PEERS; do zmq_present "$s" && zmq_here="$zmq_here $s"; done
  zmq_rounds zmq_echo zmq_echo "$(zmq_count 100000)"
}

# Two threads of one process, on both CPUs.
zmq_inproc() { # COUNT SUBJECT
  # shellcheck disable=SC2046
  timeout -k 3 120 $(zmq_program "$2") inproc "$1" 64 2>>"$OUT/servers.log"
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
  zmq_inproc) zmq_rounds "$1" zmq_inproc "$(zmq_count 1000000)" ;;
  esac
  rm -rf "$zmq_dir"
}

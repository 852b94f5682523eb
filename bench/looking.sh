# shellcheck shell=sh disable=SC2154
# looking.sh: the rows of what looks inside; read by run.
#
# "floor" is greenlua with nothing on, "greenlua" the same with it on. Both are up at once and
# are measured by turns, so that a machine that changes its speed matters less.

LOOKING_ROUNDS=${LOOKING_ROUNDS:-$((ROUNDS > 15 ? ROUNDS : 15))}

looking_serve() { # PORT WHAT SCRIPT
  trap - EXIT INT TERM
  exec timeout -k 3 600 taskset -c 0 "$GREENLUA" bench/looking.lua "$2" "bench/$3.lua" "$1"
}

# The load's options are the caller's. cpu_ns of one short load.
looking_load() { # PID PORT LOAD OPTIONS
  looking_pid=$1 looking_port=$2
  shift 2
  taskset -c 1 "$B/load" -p "$looking_pid" "$@" "$looking_port" |
    tr ' ' '\n' | grep '^cpu_ns='
}

# timeout(1) is what was started; its CPU time and its child's are counted.
looking_pair() { # ROW WHAT SCRIPT LOAD OPTIONS
  row=$1 what=$2 script=$3
  shift 3
  port=$((port + 2))
  off_port=$port on_port=$((port + 1))
  looking_serve "$off_port" nothing "$script" 2>>"$OUT/servers.log" &
  off=$!
  looking_serve "$on_port" "$what" "$script" 2>>"$OUT/servers.log" &
  pid=$!
  sleep 1
  looking_load "$off" "$off_port" "$@" >/dev/null
  looking_load "$pid" "$on_port" "$@" >/dev/null
  for r in $(seq "$LOOKING_ROUNDS"); do
    for s in $(turned "$r" floor greenlua); do
      case $s in
      floor) fields=$(looking_load "$off" "$off_port" "$@") ;;
      *) fields=$(looking_load "$pid" "$on_port" "$@") ;;
      esac
      sample "$row" "$s" "$r" "$fields"
    done
  done
  stop
  pid=$off
  stop
}

# A program that only computes: what it says of itself.
looking_loop() { # ROW WHAT
  for r in $(seq "$LOOKING_ROUNDS"); do
    for s in $(turned "$r" floor greenlua); do
      what=$2
      [ "$s" = greenlua ] || what=nothing
      fields=$(timeout -k 3 60 taskset -c 0 "$GREENLUA" bench/looking.lua "$what" loop)
      sample "$1" "$s" "$r" "$fields"
    done
  done
}

# Instructions outside of the kernel with the JIT off: of two lengths, so that what is not a
# request falls out; one connection, so that each request is a turn.
looking_count() { # WHAT SCRIPT LENGTH LOAD OPTIONS
  what=$1 script=$2 length=$3
  shift 3
  port=$((port + 1))
  counted=$OUT/callgrind.txt
  valgrind --tool=callgrind --callgrind-out-file=/dev/null "$GREENLUA" -joff \
    bench/looking.lua "$what" "bench/$script.lua" "$port" 2>"$counted" &
  pid=$!
  tries=0
  until (echo | timeout 1 taskset -c 1 "$B/load" -n 1 -c 1 "$@" "$port") >/dev/null 2>&1 ||
    [ $((tries += 1)) -gt 100 ]; do sleep 0.2; done
  taskset -c 1 "$B/load" -n "$length" -c 1 -t 120 "$@" "$port" >/dev/null
  stop
  sed -n 's/.*Collected : \([0-9]*\).*/\1/p' "$counted"
}

looking_instructions() { # ROW WHAT SCRIPT LOAD OPTIONS
  command -v valgrind >/dev/null || {
    say "skipped $1: no valgrind"
    return
  }
  row=$1 on=$2 script=$3
  shift 3
  for s in floor greenlua; do
    what=$on
    [ "$s" = greenlua ] || what=nothing
    less=$(looking_count "$what" "$script" 2000 "$@")
    more=$(looking_count "$what" "$script" 10000 "$@")
    sample "$row" "$s" 1 "instructions=$(((more - less) / 8000))"
  done
}

# Lines of the server's access log, and of JSON, through green.log: ns more than without.
looking_log() {
  LOAD=$B/load GREENLUA=$GREENLUA bench/log.sh "$LOOKING_ROUNDS" 30000 >"$OUT/look_log.txt"
  fields=$(sed -n 's/^text .*line_ns=\(.*\)/text_ns=\1/p;
    s/^json .*line_ns=\(.*\)/json_ns=\1/p' "$OUT/look_log.txt" | tr '\n' ' ')
  sample look_log greenlua 1 "$fields"
}

looking_measure() { # ROW
  case $1 in
  look_hello) looking_pair "$1" detector hello -n 20000 ;;
  look_echo) looking_pair "$1" detector echo -m echo -n 20000 ;;
  look_loop) looking_loop "$1" detector ;;
  look_hello_count) looking_instructions "$1" detector hello ;;
  look_echo_count) looking_instructions "$1" detector echo -m echo ;;
  look_5ms) looking_loop "$1" profiler ;;
  look_1ms) looking_loop "$1" profiler_1ms ;;
  look_5ms_hello) looking_pair "$1" profiler hello -n 20000 ;;
  look_1ms_hello) looking_pair "$1" profiler_1ms hello -n 20000 ;;
  look_log) looking_log ;;
  esac
}

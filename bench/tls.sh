# What bench/run and bench/paired have for TLS. Read by them; not run.
# shellcheck shell=sh
# shellcheck disable=SC2034,SC2153,SC2154 # run's: OUT, PEERS, ROUNDS, port, ...

# The two keys that servers have, made when they are not there.
tls_certificates() { # FOLDER
  mkdir -p "$1"
  for kind in ec rsa; do
    [ -f "$1/$kind.crt" ] && continue
    size="rsa_keygen_bits:2048"
    [ $kind = ec ] && size="ec_paramgen_curve:P-256"
    openssl req -x509 -newkey $kind -pkeyopt $size -nodes -days 3650 \
      -subj /CN=localhost -keyout "$1/$kind.key" -out "$1/$kind.crt" \
      -addext subjectAltName=DNS:localhost,IP:127.0.0.1 2>"$1/log" && continue
    rm -f "$1/$kind.crt"
    echo "bench: the openssl command made no certificate: $1/log" >&2
    return 1
  done
}

# As the others have it: AES of 128 bits, X25519, tickets (one a handshake)
# and no cache of sessions. Records of 16 KB are what costs nginx least.
tls_nginx() { # FOLDER
  cat <<END
    ssl_certificate $1/ec.crt;
    ssl_certificate_key $1/ec.key;
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_ciphers ECDHE-ECDSA-AES128-GCM-SHA256;
    ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;
    ssl_conf_command NumTickets 1;
    ssl_ecdh_curve X25519:P-256;
    ssl_session_cache off;
    ssl_session_tickets on;
    ssl_buffer_size 16k;
END
}

# A megabyte: a file whose pages are in memory, read 1 MB at a time, or Lua's.
# A body is dropped, or read by Lua into memory.
tls_nginx_bodies() { # FOLDER SUBJECT
  if [ "$2" = nginx ]; then
    mkdir -p "$1"
    [ -f "$1/1m" ] || head -c 1048576 /dev/zero | tr "\0" x >"$1/1m"
    cat <<END
    open_file_cache max=10 inactive=1h; open_file_cache_valid 1h;
    output_buffers 1 1m;
    location = /1m { root $1; }
END
    return
  fi
  cat <<'END'
    location = /1m { content_by_lua_block {
      ngx.header["Content-Length"] = 1048576
      ngx.print(million)
    } }
    location = /upload { content_by_lua_block {
      ngx.req.read_body()
      ngx.header["Content-Length"] = 6
      ngx.print("hello\n")
    } }
END
}

# -- Rows ---------------------------------------------------------------------

# Those that a row measures: the floor, greenlua, and of these who is wanted.
tls_subjects() { # SUBJECT...
  here=
  for s in floor greenlua "$@"; do
    case $s in
    nginx*) case " $PEERS " in *" $s "*) ;; *) continue ;; esac ;;
    esac
    present "$s" https && here="$here $s"
  done
}

# Each subject in each round, by a function that measures the one that runs.
tls_rounds() { # ROW ROUNDS FUNCTION LOAD OPTIONS
  row=$1 rounds=$2 one=$3
  shift 3
  for r in $(seq "$rounds"); do
    # shellcheck disable=SC2086
    for s in $(turned "$r" $here); do
      start "$s" https
      "$one" "$@" || say "$row $r $s: failed"
      stop
    done
  done
}

tls_one() { # LOAD OPTIONS
  fields=$(load -T 1.3 "$@") && sample "$row" "$s" "$r" "$fields"
}

tls_server_row() { # ROW VARIANT "SUBJECTS" LOAD OPTIONS
  variant=$2
  # shellcheck disable=SC2086
  tls_subjects $3
  tls_row=$1
  shift 3
  tls_rounds "$tls_row" "$ROUNDS" tls_one "$@"
  variant=
}

# Both versions of one server.
tls_resume_one() {
  for version in 1.3 1.2; do
    fields=$(load -T $version -N -R -c 16 -W 200 -n 2000 -t 1) || return
    sample "$row" "$s" "$r" "$(echo "$fields" |
      sed -n "s/.*cpu_ns=\([0-9.]*\).*/cpu_ns_$version=\1/p")"
  done
}

# 10,000 handshakes take seconds, and memory is the same each time. A machine
# that has not done them in half a minute gives no sample.
tls_idle_one() {
  load -T 1.3 -W 2000 -n 2000 -t 2 >/dev/null &&
    fields=$(load -T 1.3 -c 10000 -f 64 -n 10000 -t 30 -z 1) || return
  case $fields in
  "requests=10000 "*) sample "$row" "$s" "$r" "$fields" ;;
  *) return 1 ;;
  esac
}

tls_idle_row() {
  rounds=$ROUNDS
  [ "$rounds" -le 3 ] || rounds=3
  tls_subjects nginx
  tls_rounds tls_idle "$rounds" tls_idle_one
}

# The program measures itself, and tells its figures at its end.
tls_ticker_row() {
  present greenlua https || return
  for r in $(seq "$ROUNDS"); do
    for kind in ec rsa; do
      port=$((port + 1))
      timeout -k 3 30 taskset -c 0 "$GREENLUA" bench/ticker.lua "$port" \
        "$OUT/tls/$kind.crt" "$OUT/tls/$kind.key" 3 $kind \
        >"$OUT/ticker.out" 2>>"$OUT/servers.log" &
      pid=$!
      load -T 1.3 -N -r 500 -n 1750 -t 3.5 >"$OUT/ticker.load" 2>/dev/null
      wait "$pid" && sample tls_ticker greenlua "$r" "$(cat "$OUT/ticker.out")"
      pid=
    done
  done
}

tls_measure() { # ROW
  tls_certificates "$OUT/tls" || return
  case $1 in
  tls_hello)
    tls_server_row "$1" "" "floor_fd nginx" -W 10000 -n 100000 -t 1
    ;;
  tls_handshake)
    tls_server_row "$1" "" nginx -N -c 16 -W 200 -n 3000 -t 1.5
    ;;
  tls_resume)
    tls_subjects nginx
    tls_rounds "$1" "$ROUNDS" tls_resume_one
    ;;
  tls_1mb)
    tls_server_row "$1" 1m "floor_fd nginx nginx+lua" \
      -c 16 -u /1m -W 50 -n 1000 -t 1
    ;;
  tls_upload)
    tls_server_row "$1" upload "floor_fd nginx nginx+lua" \
      -c 16 -u /upload -b 1048576 -W 50 -n 1000 -t 1
    ;;
  tls_idle) tls_idle_row ;;
  tls_ticker) tls_ticker_row ;;
  esac
}

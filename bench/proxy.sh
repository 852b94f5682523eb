# What bench/run has for proxies. Read by it; not run.
# shellcheck shell=sh
# shellcheck disable=SC2034,SC2154 # run's: OUT, PEERS, ROUNDS, port, ...

# The upstream server is the floor's, beside the load on CPU 1: it does not count.
upstream=

proxy_stop() {
  stop
  [ -n "$upstream" ] || return 0
  kill "$upstream" 2>/dev/null
  wait "$upstream" 2>/dev/null
  upstream=
}

proxy_upstream() { # BODY_BYTES
  port=$((port + 1))
  (
    trap - EXIT INT TERM
    exec timeout -k 3 300 taskset -c 1 "$B/floor_http" "$port" "$1" \
      >>"$OUT/servers.log" 2>&1
  ) &
  upstream=$!
  upstream_port=$port
  client_await
}

# Buffers that hold the whole of the long answer: it leaves no file behind.
proxy_nginx() {
  [ "$(id -u)" = 0 ] && echo "user root;"
  cat <<END
daemon off;
worker_processes 1;
worker_rlimit_nofile 20000;
pid $PWD/$OUT/nginx/pid;
error_log $PWD/$OUT/nginx/error.log crit;
events { worker_connections 16384; multi_accept on; }
http {
  access_log off;
  keepalive_timeout 1h;
  keepalive_requests 1000000000;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
  scgi_temp_path scgi; uwsgi_temp_path uwsgi;
  upstream floor {
    server 127.0.0.1:$upstream_port;
    keepalive 64; keepalive_requests 1000000000; keepalive_timeout 1h;
  }
  server {
    listen 127.0.0.1:$port backlog=4096;
    location / {
      proxy_pass http://floor;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host \$http_host;
      proxy_set_header X-Forwarded-For \$proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto \$scheme;
      proxy_set_header X-Forwarded-Host \$http_host;
      proxy_set_header Via "1.1 nginx";
      add_header Via "1.1 nginx";
      $proxy_buffers
      proxy_max_temp_file_size 0;
    }
  }
}
END
}

proxy_serve() { # SUBJECT
  trap - EXIT INT TERM
  case $1 in
  greenlua) set -- "$GREENLUA" bench/proxy.lua "$port" "$upstream_port" ;;
  nginx)
    mkdir -p "$OUT/nginx"
    proxy_nginx >"$OUT/nginx/nginx.conf"
    set -- nginx -p "$PWD/$OUT/nginx/" -c "$PWD/$OUT/nginx/nginx.conf"
    ;;
  esac
  exec timeout -k 3 300 taskset -c 0 "$@" >>"$OUT/servers.log" 2>&1
}

# nginx is what greenlua is measured by: there is no floor.
proxy_row() { # ROW BODY_BYTES LOAD OPTIONS
  row=$1 bytes=$2 here=
  shift 2
  proxy_buffers=
  [ "$bytes" -lt 4096 ] || proxy_buffers="${PROXY_BUFFERS-proxy_buffers 8 32k;}"
  for s in greenlua nginx; do
    case $s in nginx) case " $PEERS " in *" nginx "*) ;; *) continue ;; esac ;; esac
    present "$s" http && here="$here $s"
  done
  for r in $(seq "$ROUNDS"); do
    # shellcheck disable=SC2086
    for s in $(turned "$r" $here); do
      proxy_upstream "$bytes"
      port=$((port + 1))
      proxy_serve "$s" &
      pid=$!
      if fields=$(load "$@"); then
        sample "$row" "$s" "$r" "$fields"
      else
        say "$row $r $s: failed: $fields"
      fi
      proxy_stop
    done
  done
}

#!/usr/bin/env bash
# Private PostgreSQL 15 cluster on loopback, no Docker, no system service.
#   pg-private.sh start DIR PORT   -> initdb (first time) + start, waits until ready, prints the connection string
#   pg-private.sh stop  DIR        -> fast shutdown (waits)
#   pg-private.sh destroy DIR      -> stop + rm -rf
# As root it drops to $PG_OS_USER (default: postgres, made by Debian's postgresql-common), because initdb and
# postgres refuse to run as root. As a plain user it runs as that user.
set -euo pipefail
BIN=${PG_BIN:-/usr/lib/postgresql/15/bin}
cmd=$1; dir=$2; port=${3:-}
OSU=${PG_OS_USER:-postgres}
as() { if [ "$(id -u)" = 0 ]; then setpriv --reuid="$OSU" --regid="$(id -gn "$OSU")" --init-groups -- env HOME="$dir" LC_ALL=C.UTF-8 "$@"; else env LC_ALL=C.UTF-8 "$@"; fi; }
case $cmd in
start)
  mkdir -p "$dir"; [ "$(id -u)" = 0 ] && chown "$OSU" "$dir" && chmod 700 "$dir"
  cd /                                  # postgres must be able to read the cwd
  if [ ! -s "$dir/data/PG_VERSION" ]; then
    pw="$dir/pw"; as bash -c "umask 077; printf '%s' '${PG_PASSWORD:-llmops}' > '$pw'"
    as "$BIN/initdb" -D "$dir/data" -U llmops --pwfile="$pw" --auth-host=scram-sha-256 --auth-local=peer \
       -E UTF8 --locale=C.UTF-8 --no-sync >"${PG_INITLOG:-/dev/null}"
    # throw-away speed settings: never for real data
    as bash -c "cat >> '$dir/data/postgresql.conf'" <<CONF
listen_addresses = '127.0.0.1'
unix_socket_directories = '$dir'
max_connections = 100
shared_buffers = 32MB
fsync = off
synchronous_commit = off
full_page_writes = off
log_destination = 'stderr'
logging_collector = off
CONF
  fi
  as "$BIN/pg_ctl" -D "$dir/data" status >/dev/null 2>&1 || as "$BIN/pg_ctl" -D "$dir/data" -l "$dir/pg.log" -o "-p $port" -w -t 60 start >/dev/null
  echo "Host=127.0.0.1;Port=$port;Username=llmops;Password=${PG_PASSWORD:-llmops};Database=postgres"
  ;;
stop)    cd /; as "$BIN/pg_ctl" -D "$dir/data" -m fast -w stop ;;
destroy) cd /; as "$BIN/pg_ctl" -D "$dir/data" -m fast -w stop || true; rm -rf -- "$dir" ;;
*) echo "usage: $0 start|stop|destroy DIR [PORT]" >&2; exit 2;;
esac
